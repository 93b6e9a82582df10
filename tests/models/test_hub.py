"""Fetching models: exactly the needed files, resumable, and one sentence when they cannot be had."""

import math
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from time import monotonic

import pytest

from comparer.checkpoints.find import resolve
from comparer.cli.main import main
from comparer.config import Config
from comparer.engine.fetch import fetch
from comparer.errors import ComparerError, Stopped
from comparer.metrics import clip
from comparer.metrics.scorers import CLIP_SCORE, SCORERS
from comparer.metrics.scorers import DEMO as DEMO_SCORER
from comparer.models import download, hub
from comparer.models.catalog import DEMO
from helpers import tiny_scorers
from helpers.hub_models import NEEDLESS, SD, SDXL, SIGMA
from helpers.hub_server import Hub, serving
from helpers.runs import ROOT, until


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Give the client an empty cache, no token and short time limits."""
    constants = {
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "HF_HUB_DOWNLOAD_TIMEOUT": 1,
        "HF_HUB_OFFLINE": False,
        "HF_TOKEN_PATH": str(tmp_path / "token"),
    }
    for name, value in constants.items():
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
    monkeypatch.setattr(download, "SLACK", 1.5)
    return tmp_path / "hub"


@pytest.fixture
def at(monkeypatch, cache):
    """Return a function that points the client, as HF_ENDPOINT does at its import, at an address."""

    def point(address):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)

    return point


@pytest.fixture
def served(repositories, at):
    """Serve the repositories to this process."""
    here = Hub()
    here.repositories = dict(repositories)
    with serving(here) as address:
        at(address)
        yield here


def fetched(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


SOON = 30  # seconds on a busy machine; the client by itself goes on trying for minutes


def refusal(model=SD, **arguments):
    """Return the one sentence with which fetching fails, and check that it is one, and soon."""
    began = monotonic()
    with pytest.raises(ComparerError) as refused:
        hub.fetch(model, **arguments)
    assert monotonic() - began < SOON
    sentence = str(refused.value)
    assert "\n" not in sentence and sentence.endswith(".") and len(sentence) < 300
    return sentence


@pytest.mark.parametrize("half", [False, True])
def test_exactly_the_needed_files_come_and_the_model_resolves(served, repositories, half):
    middle, source = ".fp16" if half else "", repositories[SD.source]
    plan = hub.plan(SD, half)
    assert hub.here(SD) is None and plan.missing == plan.total
    told = []
    hub.fetch(SD, half, lambda *now: told.append(now))
    folder, base = hub.here(SD)
    names = fetched(folder)
    assert base is None and names == sorted(file.name for file in plan.files)
    assert [name for name in names if name.endswith("safetensors")] == [
        f"text_encoder/model{middle}.safetensors",
        f"unet/diffusion_pytorch_model{middle}.safetensors",
        f"vae/diffusion_pytorch_model{middle}.safetensors",
    ]
    assert {name for name in names if "tokenizer" in name} == {
        f"tokenizer/{name}" for name in ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt")
    }
    assert not set(names) & set(NEEDLESS)
    assert all((folder / name).read_bytes() == (source / name).read_bytes() for name in names)
    assert plan.total == sum((source / name).stat().st_size for name in names)
    assert told[-1][:2] == (plan.total, plan.total) and "Stable Diffusion 1.5" in told[-1][2]
    assert hub.plan(SD, half).missing == 0
    assert resolve("sd-1.5", Config()).folder == folder
    asked = len(served.asked)
    hub.fetch(SD, half)
    assert len(served.asked) == asked, "a model that is here asks no one"


def test_the_client_itself_finds_what_was_fetched(served):
    """The cache is in the client's own layout: offline, its snapshot_download returns the same folder."""
    from huggingface_hub import snapshot_download

    hub.fetch(SD)
    assert Path(snapshot_download(SD.source, local_files_only=True)) == hub.here(SD)[0]


def test_a_model_is_not_here_without_every_file_it_is_loaded_from(served):
    from diffusers import StableDiffusionXLPipeline

    hub.fetch(SDXL)
    folder, _ = hub.here(SDXL)
    shards = sorted((folder / "unet").glob("*.safetensors"))
    assert len(shards) > 1
    StableDiffusionXLPipeline.from_pretrained(folder, local_files_only=True, add_watermarker=False)
    needed = ("model_index.json", "scheduler/scheduler_config.json", "text_encoder_2/config.json")
    needed += ("tokenizer_2/tokenizer.json", "vae/diffusion_pytorch_model.safetensors", f"unet/{shards[-1].name}")
    for name in needed:
        away = (folder / name).rename(folder / "away")
        assert hub.here(SDXL) is None, name
        away.rename(folder / name)
    away = shards[0].resolve().rename(folder / "away")  # a link that leads nowhere is no file
    assert hub.here(SDXL) is None
    away.rename(shards[0].resolve())
    assert hub.here(SDXL)


def test_a_tokenizer_of_vocabulary_and_merges_is_enough(served):
    hub.fetch(SD)
    folder, _ = hub.here(SD)
    (folder / "tokenizer" / "tokenizer.json").unlink()
    assert hub.here(SD)
    (folder / "tokenizer" / "merges.txt").unlink()
    assert hub.here(SD) is None


def test_two_repositories_make_one_model(served):
    from diffusers import PixArtSigmaPipeline, PixArtTransformer2DModel

    hub.fetch(SIGMA)
    folder, base = hub.here(SIGMA)
    assert {path.name for path in folder.iterdir()} == {"transformer"}
    parts = ["model_index.json", "scheduler", "text_encoder", "tokenizer", "vae"]
    assert sorted(path.name for path in base.iterdir()) == parts
    transformer = PixArtTransformer2DModel.from_pretrained(folder / "transformer", local_files_only=True)
    PixArtSigmaPipeline.from_pretrained(base, transformer=transformer, local_files_only=True)
    (folder / "transformer" / "diffusion_pytorch_model.safetensors").unlink()
    assert hub.here(SIGMA) is None


def test_stop_keeps_what_came_and_the_next_fetch_goes_on(served, cache, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 4 * SOON)  # stop does not wait for it
    served.break_after = 4_000_000
    seen, stopped = [], []

    def stop():
        if seen and seen[-1][0] > served.break_after:
            stopped.append(monotonic())
        return bool(stopped)

    with served.hold:  # the server falls silent in the middle of the first file of that size
        with pytest.raises(Stopped):
            hub.fetch(SD, on_progress=lambda *now: seen.append(now), stop=stop)
        assert monotonic() - stopped[0] < SOON
    (part,) = cache.rglob("*.incomplete")
    kept, total = part.stat().st_size, seen[-1][1]
    assert kept == served.break_after and hub.here(SD) is None
    assert hub.plan(SD).missing == total - sum(path.stat().st_size for path in part.parent.iterdir())
    served.asked.clear()
    again = []
    hub.fetch(SD, on_progress=lambda *now: again.append(now[0]))
    (resumed,) = [asked for asked in served.asked if "from" in asked]
    assert resumed.endswith(f"from {kept}")
    assert hub.here(SD) and again == sorted(again) and again[-1] == total
    assert not list(cache.rglob("*.incomplete"))


def test_a_connection_that_breaks_is_taken_up_where_it_broke(served, repositories):
    served.break_after, served.breaks = 1_000_000, 3
    hub.fetch(SD)
    assert [asked.split()[-1] for asked in served.asked if "from" in asked] == ["1000000", "2000000", "3000000"]
    folder, _ = hub.here(SD)
    assert all((folder / n).read_bytes() == (repositories[SD.source] / n).read_bytes() for n in fetched(folder))


def test_a_server_without_ranges_starts_the_file_anew(served, repositories):
    served.break_after, served.breaks, served.ranges = 3_000_000, 2, False
    sentence = refusal()  # the same beginning came twice: no progress
    assert "what was downloaded is kept" in sentence
    hub.fetch(SD)
    folder, _ = hub.here(SD)
    assert all((folder / n).read_bytes() == (repositories[SD.source] / n).read_bytes() for n in fetched(folder))


def test_a_server_that_goes_away_in_the_middle_is_one_sentence_and_nothing_is_lost(served, cache):
    served.break_after = 1_000_000
    with served.hold:
        sentence = refusal(on_progress=lambda done, *_: done > 1_000_000 and served.close())
    assert "cannot be reached (ConnectError)" in sentence and sentence.endswith("what was downloaded is kept.")
    (part,) = cache.rglob("*.incomplete")
    assert part.stat().st_size >= 1_000_000


def test_mirrors_that_tell_no_sizes_and_a_token(served, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    exact = hub.plan(SD)
    served.names_only = True
    assert hub.plan(SD) == exact
    hub.fetch(SD)
    assert hub.here(SD) and served.tokens == {"Bearer hf_secret"}


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "", ["401", SD.source, "hf auth login", "HF_TOKEN"]),
        (403, "GatedRepo", ["gated", f"/{SD.source} and log in", "hf auth login", "HF_TOKEN"]),
        (404, "EntryNotFound", ["404", SD.source]),
        (503, "", ["503", "try again later"]),
    ],
)
def test_what_the_hub_refuses(served, status, code, words):
    served.refuse = (status, code)
    sentence = refusal()
    assert all(word in sentence for word in (served.address, *words)), sentence


def test_what_is_not_there(served, repositories, tmp_path):
    del served.repositories[SD.source]
    assert "404" in refusal()
    copytree(repositories[SD.source], tmp_path / "pickled")
    for path in (tmp_path / "pickled" / "vae").glob("*.safetensors"):
        path.rename(path.with_suffix(".bin"))
    served.repositories[SD.source] = tmp_path / "pickled"
    assert refusal() == f"{SD.source} has no safetensors weights for its vae."


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize("address", ["a closed port", "http://nowhere.invalid", "nonsense"])
def test_no_connection_is_one_sentence_within_seconds(at, address):
    address = closed_port() if address == "a closed port" else address
    at(address)
    for work in (hub.fetch, hub.plan):
        began = monotonic()
        with pytest.raises(ComparerError, match=f"^{address} cannot be reached .* HF_ENDPOINT to a mirror.$"):
            work(SD)
        assert monotonic() - began < SOON


def test_a_server_that_accepts_and_never_answers(at):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "cannot be reached (ReadTimeout)" in refusal()


def test_a_name_server_that_never_answers(at, monkeypatch):
    at("http://hub.example")
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait(20))
    assert "cannot be reached (no answer)" in refusal()
    answer.set()


def test_what_answers_is_no_hub(at, served, tmp_path):
    at(f"{served.address}/{SD.source}/resolve/main/tokenizer/tokenizer.json?")  # some page, with status 200
    assert "is not a model hub: check HF_ENDPOINT" in refusal()


def test_offline_mode_asks_no_one(served, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in refusal()
    assert served.asked == []


def test_too_little_room_is_told_before_anything_comes(served, cache, monkeypatch):
    from shutil import disk_usage

    monkeypatch.setattr("shutil.disk_usage", lambda path: disk_usage(path)._replace(free=10_000_000))
    sentence = refusal()
    assert "needs 0.0 GB more" in sentence and "HF_HOME" in sentence
    assert not list(cache.rglob("*.incomplete"))


def test_a_cache_that_cannot_be_written(served, cache):
    cache.write_text("a file, not a folder")
    assert "cannot be written" in refusal()


def test_two_at_once(served, monkeypatch):
    served.break_after = 1_000_000
    with served.hold:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 4)
        seen, over = [], threading.Event()

        def first():
            with pytest.raises(Stopped):
                hub.fetch(SD, on_progress=lambda *now: seen.append(now[0]), stop=over.is_set)

        thread = threading.Thread(target=first)
        thread.start()
        while not seen or seen[-1] < 1_000_000:
            thread.join(0.05)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
        assert "is already being fetched" in refusal()
        over.set()
        thread.join()


def hub_scorers():
    return [source for source in SCORERS.values() if source.repository]


def plain_clips():
    return [source for source in hub_scorers() if source.title == CLIP_SCORE]


@pytest.mark.parametrize("source", plain_clips(), ids=lambda source: source.name)
def test_a_scorers_weights_are_where_open_clip_has_them(source):
    import open_clip

    known = open_clip.get_pretrained_cfg(source.architecture, source.weights)
    assert known["hf_hub"] == f"{source.repository}/"
    assert source.file in open_clip.pretrained._get_safe_alternatives("open_clip_pytorch_model.bin")
    quick = open_clip.get_model_config(source.architecture).get("quick_gelu", False)
    assert quick == known.get("quick_gelu", False), "the wrong activation gives a wrong score"
    defaults = open_clip.transform.PreprocessCfg()
    for name in ("mean", "std", "interpolation", "resize_mode"):
        assert getattr(defaults, name) == known[name], "a file is read with open_clip's defaults"


@pytest.mark.parametrize("source", plain_clips(), ids=lambda source: source.name)
def test_a_scorer_is_fetched_once_and_loaded_from_its_file(served, repositories, monkeypatch, source):
    from safetensors.torch import load_file

    served.repositories[source.repository] = repositories[hub.SCORER]
    monkeypatch.setattr(clip, "_kept", {})
    clip.demo_scorer(DEMO / "scorer")  # makes the small architecture known, whose weights are served
    told = []
    scorer = clip.real_scorer(lambda *now: told.append(now), source=replace(source, architecture=DEMO_SCORER))
    asked = [line for line in served.asked if source.repository in line]
    assert told[-1][0] == told[-1][1] > 0 and len(asked) == 2
    before = len(served.asked)
    weights = load_file(hub.scorer_files(source.files)[source.repository] / source.file)
    assert all((scorer.model.state_dict()[name] == value).all() for name, value in weights.items())
    assert len(served.asked) == before


def test_a_scorer_of_two_repositories_is_fetched_by_its_name_and_loaded(served, tmp_path, monkeypatch, capsys):
    source, folders = SCORERS["PickScore"], (tmp_path / "model", tmp_path / "processor")
    tiny_scorers.save_pick(*folders)
    served.repositories |= dict(zip(source.files, folders, strict=True))
    assert main(["fetch", "pickscore", "--quiet"]) == 0 and "pickscore is here." in capsys.readouterr().out
    monkeypatch.setattr(clip, "_kept", {})
    asked = len(served.asked)
    scorer = clip.real_scorer(source=source)
    assert scorer.source is source and scorer.scale == pytest.approx(math.exp(3)) and len(served.asked) == asked
    (hub.scorer_files(source.files)[source.repository] / source.file).unlink()
    assert clip.real_scorer(source=source) is scorer  # it stays loaded
    monkeypatch.setattr(clip, "_kept", {})
    assert clip.real_scorer(source=source).name == scorer.name and len(served.asked) > asked  # and is fetched again


def test_a_scorer_is_not_fetched_where_the_hub_may_not_be_used():
    with pytest.raises(ComparerError, match="HPSv2.1 cannot be fetched: this installation may not use the hub."):
        next(fetch("HPSv2.1", Config(hub=False)))
    with pytest.raises(ComparerError, match="There is no model 'HPSv3' to fetch"):
        next(fetch("HPSv3", Config()))


@pytest.mark.parametrize("source", hub_scorers(), ids=lambda source: source.name)
def test_the_scorer_that_cannot_be_had_is_one_sentence(at, source):
    at(closed_port())
    began = monotonic()
    reason = clip.real_scorer(source=source)
    assert reason.startswith(f"the weights of {source.full} are not on this machine. http")
    assert "cannot be reached" in reason and monotonic() - began < SOON
    assert f"'python -m comparer fetch {source.name}' brings them ({source.gigabytes:g} GB)" in reason


def hear_interrupts():
    """Take SIGINT as in a terminal: a shell's background jobs ignore it, and their children would, too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_the_command_line_fetches_stops_and_goes_on(served, tmp_path, capsys):
    """A process of its own reads HF_ENDPOINT and HF_HOME as people set them, and Ctrl-C stops it."""
    served.break_after = 4_000_000
    environment = os.environ | {"HF_ENDPOINT": served.address, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    with served.hold:
        process = subprocess.Popen(
            [sys.executable, "-m", "comparer", "fetch", "sd-1.5", "--device", "cpu"],
            cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=hear_interrupts,
        )  # fmt: skip
        until(lambda: any(path.stat().st_size >= 4_000_000 for path in tmp_path.rglob("*.incomplete")))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Stopped. What was downloaded is kept" in err and "Traceback" not in err
    bars = [line.strip() for line in err.splitlines() if "|" in line]
    assert any(bar.startswith(f"Fetching {SD.title}: ") for bar in bars), bars
    assert not any(bar.startswith("|") for bar in bars), bars  # what is done stands before how far it is
    assert main(["fetch", "sd-1.5", "--device", "cpu"]) == 0  # into the same cache
    told = capsys.readouterr()
    assert told.out == "Stable Diffusion 1.5 is here.\n" and "100%" in told.err
    assert any("from 4" in asked for asked in served.asked)
    assert any(hub.SCORER_FILE in asked for asked in served.asked)
    served.asked.clear()
    assert main(["checkpoints"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "(512 px)" in lines["sd-1.5"] and "fetch" not in lines["sd-1.5"]
    assert "about 6.9 GB" in lines["sdxl"] and lines["sdxl"].endswith("python -m comparer fetch sdxl")
    assert served.asked == []


def test_the_command_line_refuses(at, capsys):
    assert main(["fetch", "sd-9"]) == 2
    assert "There is no model 'sd-9' to fetch: choose one of demo, sd-1.5" in capsys.readouterr().err
    at(closed_port())
    assert main(["fetch", "sdxl", "--device", "cpu", "--quiet"]) == 2
    assert "cannot be reached" in capsys.readouterr().err
    assert main(["fetch", "demo", "--quiet"]) == 0


def test_the_pages_handler_fetches_stops_and_goes_on(served, tmp_path):
    import gradio

    from comparer.ui.app import Page

    page, tab = Page(Config(runs=tmp_path / "runs")), gradio.Request(session_hash="a tab")
    page.build()
    button = page.controls.fetchable("sd-1.5")
    assert button["visible"] and button["value"] == "Fetch it (about 2.1 GB in half precision)" and served.asked == []
    served.break_after, said = 2_000_000, []
    with served.hold:
        for update in page.fetch_model("sd-1.5", tab):
            said.append(update[page.out.status])
            if "Fetching Stable Diffusion 1.5" in said[-1]:
                assert 'role="progressbar"' in said[-1] and update[page.stop_button]["interactive"]
                page.sessions.stop(tab)
    assert "Stopped. What was downloaded is kept." in said[-1]
    *_, last = page.fetch_model("sd-1.5", tab)
    assert "Stable Diffusion 1.5 is here." in last[page.out.status] and last[page.controls.fetch]["visible"] is False
    assert any(" from " in asked for asked in served.asked), "it went on where it was"
    assert not last[page.stop_button]["interactive"]
    *_, last = page.fetch_model("sd-9", tab)
    assert "There is no model" in last[page.out.status]
