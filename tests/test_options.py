"""The options of an installation: flags and variables alike, refused in one sentence, as docs/options.md has them."""

import argparse
import os
import runpy
import sys
from pathlib import Path

import pytest
from generate_docs import up_to_date

from comparer import options
from comparer.checkpoints.find import names, resolve
from comparer.cli.main import main
from comparer.config import Config, Limits
from comparer.errors import ComparerError
from comparer.models import samplers
from comparer.options import OPTIONS, add_arguments, from_arguments
from comparer.request.build import build_request
from comparer.request.request import Request
from helpers.pages import serving
from helpers.runs import PROMPT, ROOT

GIVEN = {
    "checkpoints": ("/usr", lambda c: c.checkpoints == (Path("/usr"),)),
    "runs": ("/b", lambda c: c.runs == Path("/b")),
    "hub": ("no", lambda c: c.hub is False),
    "device": ("cuda:1", lambda c: c.device == "cuda:1"),
    "dtype": ("bfloat16", lambda c: c.dtype == "bfloat16"),
    "offload": ("model", lambda c: c.offload == "model"),
    "vae": ("tiling", lambda c: c.vae == "tiling"),
    "keep": ("2", lambda c: c.cached_pipelines == 2),
    "max-pictures": ("8", lambda c: c.limits == Limits(pictures=8)),
    "max-size": ("256", lambda c: c.limits == Limits(size=256)),
    "max-steps": ("30", lambda c: c.limits == Limits(steps=30)),
    "max-prompts": ("3", lambda c: c.limits == Limits(prompts=3)),
    "max-repeat-seconds": ("5", lambda c: c.limits == Limits(repeat_seconds=5)),
    "max-queue": ("0", lambda c: c.limits == Limits(queue=0)),
    "host": ("0.0.0.0", lambda c: c.host == "0.0.0.0"),
    "port": ("8000", lambda c: c.port == 8000),
    "auth": ("me:a:b", lambda c: c.auth == (("me", "a:b"),)),
    "public": ("yes", lambda c: c.public is True),
    "mcp": ("no", lambda c: c.mcp is False),
}


def read(*flags, **environment):
    parser = argparse.ArgumentParser()
    add_arguments(parser, serving=True)
    return from_arguments(parser.parse_args(flags), environment)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_a_flag_and_its_variable_mean_the_same(option, tmp_path):
    users = tmp_path / "users"
    users.write_text("me:secret\n\nyou:pass word\n")
    in_file = (str(users), lambda c: c.auth == (("me", "secret"), ("you", "pass word")))
    text, right = {**GIVEN, "auth-file": in_file}[option.name]
    assert right(read(option.flag, text)) and right(read(**{option.variable: text}))
    if option.also:
        assert right(read(**{option.also: text}))
        assert right(read(**{option.also: "1", option.variable: text}))
    assert read(**{option.variable: ""}) == read() == Config()


def test_a_flag_goes_before_its_variable():
    assert read("--port", "8000", COMPARER_PORT="9000").port == 8000
    assert read("--public", "no", COMPARER_PUBLIC="yes").public is False
    assert read("--public").public is True


def test_several_values(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        (tmp_path / name).mkdir()
    assert read("--checkpoints", "a", "--checkpoints", "b").checkpoints == (Path("a").resolve(), Path("b").resolve())
    assert read(COMPARER_CHECKPOINTS=os.pathsep.join("ab")).checkpoints == (Path("a").resolve(), Path("b").resolve())
    assert (
        read(COMPARER_AUTH="a:1\nb:2").auth == read("--auth", "a:1", "--auth", "b:2").auth == (("a", "1"), ("b", "2"))
    )


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("port", "abc", "'abc' is not a whole number: 1 to 65535"),
        ("port", "0", "0 is out of range: 1 to 65535"),
        ("keep", "-1", "-1 is out of range: 1 to 100"),
        ("max-steps", "2.5", "'2.5' is not a whole number"),
        ("device", "tpu", "'tpu' is not a device: choose auto, cpu, mps"),
        ("dtype", "float64", "'float64' is not a choice: choose one of auto, float32, float16, bfloat16"),
        ("offload", "all", "choose one of none, model, sequential"),
        ("vae", "", "choose one of whole, slicing, tiling"),
        ("hub", "maybe", "choose one of yes, no"),
        ("public", "1", "choose one of yes, no"),
        ("auth", "secret-alone", "is not written as user:password"),
        ("auth", ":secret", "is not written as user:password"),
        ("checkpoints", "/", "'/' has no name: give a folder inside it"),
        ("checkpoints", "~nosuchuser/models", "'~nosuchuser/models' is not a folder"),
        ("checkpoints", "nowhere", "'nowhere' is not a folder"),
        ("runs", "~nosuchuser/runs", "'~nosuchuser/runs' is not a folder"),
        ("auth-file", "~nosuchuser/users", "'~nosuchuser/users' is not a folder"),
        ("auth-file", "no such file", "'no such file' cannot be read: No such file"),
    ],
)
def test_a_bad_value_is_refused_in_the_same_sentence_from_both(name, text, words):
    (option,) = (option for option in OPTIONS if option.name == name)
    sources = [(option.flag, (option.flag, text), {})]
    if text:
        sources.append((option.variable, (), {option.variable: text}))
    for source, flags, environment in sources:
        with pytest.raises(ComparerError) as refused:
            read(*flags, **environment)
        told = str(refused.value)
        assert told.startswith(source) and words in told and "\n" not in told and "secret" not in told


def test_an_empty_file_of_users_does_not_open_the_door(tmp_path):
    (tmp_path / "users").write_text("\n")
    with pytest.raises(ComparerError, match="contains no user:password"):
        read("--auth-file", str(tmp_path / "users"))


DOORS = {
    "app.py": lambda: runpy.run_path(str(ROOT / "app.py"), run_name="__main__"),
    "comparer": lambda: sys.exit(main(["checkpoints"])),
    "import app": lambda: runpy.run_path(str(ROOT / "app.py"), run_name="app"),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_bad_variable_ends_every_door_with_one_line(door, monkeypatch, capsys):
    monkeypatch.setenv("COMPARER_DEVICE", "tpu")
    monkeypatch.setattr(sys, "argv", ["app.py"])
    with pytest.raises(SystemExit) as ended:
        DOORS[door]()
    told = capsys.readouterr()
    assert ended.value.code == 2 and told.out == ""
    assert told.err.startswith("comparer: COMPARER_DEVICE 'tpu' is not a device") and told.err.count("\n") == 1


def test_help_names_every_flag_and_variable(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["app.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        DOORS["app.py"]()
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for option in OPTIONS:
        assert f"{option.flag} " in text and option.variable in text and option.help in text


def test_the_document_is_up_to_date():
    text = (ROOT / "docs/options.md").read_text(encoding="utf-8")
    assert up_to_date(text) == text, "run: make docs"
    assert all(f"`{option.flag} " in text and f"`{option.variable}`" in text for option in OPTIONS)


def test_agents_need_a_package_and_cannot_log_in(monkeypatch):
    monkeypatch.setattr(options, "find_spec", lambda name: object())
    assert read("--mcp").mcp is True
    with pytest.raises(ComparerError, match="--mcp and --auth exclude each other"):
        read("--mcp", "--auth", "me:secret")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(
        ComparerError, match=r"--mcp needs the package mcp: install it with pip install 'gradio\[mcp\]'"
    ):
        read("--mcp")


def test_passwords_are_not_shown():
    assert "secret" not in repr(read("--auth", "me:secret"))


def test_limits_are_kept_at_the_door_and_on_the_command_line(capsys):
    config = Config(limits=Limits(prompts=2, pictures=4, steps=10, size=128))
    assert build_request(config, "a\nb", steps=10).settings.steps == 10
    for change, words in [
        ({"prompt": "a\nb\nc"}, "There are 3 prompts: at most 2 are allowed."),
        ({"prompt": "a", "seeds": "1-3"}, "at most 4"),
        ({"prompt": "a", "steps": 11}, "1 to 10 is allowed"),
        ({"prompt": "a", "steps": 5, "size": "256"}, "8 to 128 is allowed"),
    ]:
        with pytest.raises(ComparerError, match=words):
            build_request(config, **{"steps": 5} | change)
    assert main(["compare", PROMPT, "--max-steps", "4", "--steps", "5"]) == 2
    assert "Steps 5 is out of range: 1 to 4 is allowed." in capsys.readouterr().err


def test_a_record_made_under_wider_limits_can_be_read():
    wide = build_request(Config(limits=Limits(steps=1000)), PROMPT, steps=1000)
    assert Request.from_json(wide.to_json()) == wide
    with pytest.raises(ComparerError, match="Steps 1000"):
        Request.from_json(wide.to_json(), Limits())


def test_without_the_hub_its_models_are_neither_listed_nor_used(capsys):
    assert names(Config(hub=False)) == ["demo"] and "sdxl" in names(Config())
    with pytest.raises(
        ComparerError, match="Stable Diffusion 1.5 is a model of the hub, which this installation may not"
    ):
        resolve("sd-1.5", Config(hub=False))
    assert main(["compare", PROMPT, "--checkpoint", "sdxl", "--hub", "no"]) == 2
    assert "model of the hub" in capsys.readouterr().err


def test_who_has_no_password_stays_outside(tmp_path):
    import httpx
    from gradio_client import Client

    with serving(tmp_path / "runs", COMPARER_AUTH="me:open sesame", COMPARER_HUB="no") as address:
        assert httpx.get(f"{address}/config").status_code == 401
        assert httpx.post(f"{address}/gradio_api/call/compare", json={"data": [PROMPT]}).status_code == 401
        assert httpx.post(f"{address}/login", data={"username": "me", "password": "x"}).status_code == 400
        client = Client(address, auth=("me", "open sesame"), verbose=False)
        assert [model["name"] for model in client.predict(api_name="/checkpoints")] == ["demo"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--runs", "/dev/null/x"], "The runs folder '/dev/null/x' cannot be created: Not a directory."),
        (["--host", "nosuch.invalid"], "'nosuch.invalid' is not an address to listen on: "),
        (["--host", "192.0.2.1"], "'192.0.2.1' is not an address to listen on: "),
        (["--host", "a" * 70 + ".b"], "is not an address to listen on: "),
    ],
)
def test_a_page_that_cannot_be_served_says_why_in_one_line(arguments, words, tmp_path, capsys):
    from comparer.ui import serve

    with pytest.raises(SystemExit) as ended:
        serve.launch(None, read("--runs", str(tmp_path / "runs"), *arguments))
    told = capsys.readouterr().err
    assert ended.value.code == 2 and told.startswith("comparer: ") and words in told and told.count("\n") == 1


def test_every_address_of_this_machine_can_be_served_at(tmp_path):
    from comparer.ui import serve

    for host in ("127.0.0.1", "0.0.0.0", "localhost"):
        serve.check(read("--runs", str(tmp_path / host), "--host", host))
        assert (tmp_path / host).is_dir()


@pytest.mark.parametrize(
    ("command", "matter"),
    [("checkpoints", {"checkpoints", "hub"}), ("fetch", {"hub", "device", "dtype"}), ("accelerators", set())],
)
def test_help_shows_the_options_that_matter(command, matter, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    told = capsys.readouterr().out
    assert {option.name for option in OPTIONS if f"{option.flag} " in told} == matter


@pytest.mark.parametrize("command", ["compare", "evaluate"])
def test_help_names_the_samplers_and_the_noises(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert ", ".join(samplers.SAMPLERS) in told and "--noise cpu|device" in told
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "Compare diffusion accelerators and checkpoints from the command line." in capsys.readouterr().out
