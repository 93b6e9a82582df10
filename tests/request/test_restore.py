"""What a file asked for comes back: of pictures, grids, records, other programs; hostile files get a sentence."""

import json
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comparer.accelerators.registry import REGISTRY, parse, parse_stack
from comparer.checkpoints.spec import Weights
from comparer.cli.main import main
from comparer.config import Config, Limits
from comparer.errors import ComparerError
from comparer.reporting.grid.draw import GridOptions, save_grid
from comparer.request import png_read
from comparer.request.a1111 import sampler
from comparer.request.png_write import parameters_line, save_png, shot_texts
from comparer.request.request import Arm, Request, Settings, fewer
from comparer.request.restore import FOREIGN, GRID, PICTURE, RECORD, restore
from comparer.runs.store import RunFolder, load
from helpers.hostile_texts import HOSTILE
from helpers.noise_runs import compared
from helpers.runs import ask, finish

PICTURE_PIXELS = Image.new("RGB", (8, 8), "#336699")


def every_field() -> Request:
    """Ask for something else than the default in every field that goes with accelerators."""
    settings = Settings(
        ("a small green ring", "a large red star"), "demo", "a hexagon", "Euler a", 12, 5.5, 136, 144, (4, 9), 2, 0.25,
        "raw", dtype="float32", incomplete=True,
    )  # fmt: skip
    cache, gate = parse("DeepCache(interval=2, branch=1)"), parse("T-GATE(gate_step=5)")
    arms = (
        Arm("Baseline"),
        Arm(str(cache), (cache,)),
        Arm(str(gate), (gate,)),
    )
    arms += (*fewer(1, arms[1]), *fewer(2, arms[2]))
    extras = ("noise-floor", "divergence", "memory")
    return Request(settings, arms, 3, "device", 4, extras, "demo", repeat_seconds=2.5)


def written(path: Path, data: dict | str, chunk: str = "comparer") -> Path:
    info = PngInfo()
    info.add_text(chunk, data if isinstance(data, str) else json.dumps(data))
    PICTURE_PIXELS.save(path, pnginfo=info)
    return path


def changed(**settings: object) -> dict:
    data = ask("DeepCache").to_json()
    return data | {"settings": data["settings"] | settings}


def test_a_picture_restores_the_whole_comparison_and_says_which_it_is(tmp_path, config):
    request = every_field()
    save_png(PICTURE_PIXELS, tmp_path / "p.png", shot_texts(request, 1, 1, 9, "demo"))
    found = restore(tmp_path / "p.png", config)
    assert (found.request, found.kind, found.shot, found.missing) == (request, PICTURE, (1, 1, 9), ())


def test_any_page_of_a_grid_and_the_record_restore_the_same(tmp_path, config):
    comparison = compared(tmp_path, ("a cat", "a dog"), seeds=(1, 2, 3), width=256, height=256)
    pages = save_grid(comparison, tmp_path, GridOptions(arms=(1,), max_pixels=900_000))
    RunFolder(tmp_path).save(comparison)
    assert len(pages) > 1
    for path, kind in [*((page, GRID) for page in pages), (tmp_path / "run.json", RECORD)]:
        found = restore(path, config)
        assert (found.request, found.kind, found.shot) == (comparison.request, kind, None)


def test_a_run_is_asked_for_again_as_it_was_asked_for_first(tmp_path, config):
    """The steps that take another arm's time are found anew."""
    asked = ask("DeepCache(interval=2)")
    asked = replace(asked, arms=(*asked.arms, *fewer(1, asked.arms[1])))
    done = finish(asked, config)
    assert load(done.folder).request.arms[3].steps
    for path in (done.grid, done.folder / "run.json", done.folder / done.comparison.shots[0].file):
        found = restore(path, config)
        assert found.request == asked and found.missing == ()


def test_both_sides_are_asked_for_where_an_earlier_version_had_one(tmp_path, config):
    """The shot's arm is found again although the arms behind have moved."""
    two = [Arm(name, (parse(name),)) for name in ("DeepCache", "ToMe")]
    one = [Arm(f"Fewer steps, as long as {two[n // 2].name}", steps=2, matches_time_of=n) for n in (1, 3)]
    old = replace(ask(), arms=(Arm("Baseline"), two[0], one[0], two[1], one[1]))
    save_png(PICTURE_PIXELS, tmp_path / "p.png", shot_texts(old, 3, 0, old.settings.seeds[0], "demo"))
    found = restore(tmp_path / "p.png", config)
    assert found.request.arms == (Arm("Baseline"), two[0], *fewer(1, two[0]), two[1], *fewer(4, two[1]))
    assert found.shot == (4, 0, old.settings.seeds[0]) and found.missing == ()


def test_an_older_record_and_the_request_alone_are_read(tmp_path, config):
    data = ask("DeepCache").to_json()
    del (
        data["also"],
        data["scorer"],
        data["repeats"],
        data["repeat_seconds"],
        data["settings"]["loras"],
        data["settings"]["dtype"],
    )
    for written in ({"schema": 0, "request": data, "shots": []}, data):
        (tmp_path / "run.json").write_text(json.dumps(written))
        found = restore(tmp_path / "run.json", config)
        assert found.request == ask("DeepCache") and found.kind == RECORD


def test_what_is_not_here_is_named_and_the_rest_is_kept(tmp_path, config):
    request = every_field()
    settings = replace(request.settings, checkpoint="ck/step_9", base="ck/base", vae="vaes/x", loras=(("l.bin", 0.5),))
    other = Arm("other", weights=Weights("ck/other"))
    for asked in (replace(request, settings=settings), replace(ask(), settings=settings, arms=(Arm("B"), other))):
        (tmp_path / "run.json").write_text(json.dumps({"request": asked.to_json()}))
        found = restore(tmp_path / "run.json", config)
        assert found.request == asked
        for told in ("checkpoint 'ck/step_9'", "base 'ck/base'", "VAE 'vaes/x'", "LoRA 'l.bin'"):
            assert f"There is no {told} here." in found.missing
    assert "There is no checkpoint 'ck/other' here." in found.missing


def test_strangers_are_told_no_folder_of_this_machine(tmp_path):
    broken = tmp_path / "models" / "broken"
    broken.mkdir(parents=True)
    (broken / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"request": changed(checkpoint="models/broken")}))
    own = Config(checkpoints=(broken.parent,), runs=tmp_path / "runs")
    (told,), (short,) = (restore(path, replace(own, public=public)).missing for public in (False, True))
    assert str(broken) in told, "whoever runs the installation is told where"
    assert "'models/broken' is a damaged checkpoint" in short and str(tmp_path) not in short


def test_limits_of_this_installation_are_named(tmp_path):
    request = ask("DeepCache", steps=40, seeds=tuple(range(9)))
    (tmp_path / "run.json").write_text(json.dumps({"request": request.to_json()}))
    for limits, told in ((Limits(pictures=10), "18 pictures were requested"), (Limits(steps=30), "Steps 40 is out")):
        found = restore(tmp_path / "run.json", Config(runs=tmp_path, limits=limits))
        assert found.request == request and len(found.missing) == 1 and told in found.missing[0]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (changed(sampler="DPM++ 9Z"), "There is no sampler 'DPM++ 9Z'"),
        (changed(warp=3), "This version of Comparer does not know the setting 'warp'."),
        (changed(width=13), "Width 13 is not a multiple of 8"),
        (changed(loras=5), "Settings cannot be read."),
        (ask("DeepCache").to_json() | {"also": ["divergence", "heat"]}, "'heat' cannot be measured here."),
        (ask("DeepCache").to_json() | {"noise": "radio"}, "There is no noise source 'radio'"),
        (ask("DeepCache").to_json() | {"warmups": []}, "Warm-ups '[]' is not a whole number."),
    ],
)
def test_what_this_version_does_not_know_is_left_out_alone(tmp_path, config, data, told):
    found = restore(written(tmp_path / "p.png", data), config)
    assert found.missing[0].startswith(told)
    request, plain = found.request, ask("DeepCache")
    assert request.settings.prompts == plain.settings.prompts and request.settings.steps == 4
    assert request.arms == plain.arms and request.settings.sampler == "DDIM"
    assert request.extras == (("divergence",) if "also" in told or "heat" in told else ())


def test_what_is_missing_is_not_listed_without_end(tmp_path, config):
    found = restore(written(tmp_path / "p.png", changed(**{f"x{number}": 1 for number in range(2_000)})), config)
    assert len(found.missing) == 21 and found.missing[-1] == "And 1,980 more."


def test_an_accelerator_that_is_not_here_is_left_out_with_its_rival(tmp_path, config):
    data = ask("DeepCache", "ToMe").to_json() | {"scorer": "demo"}
    data["arms"].insert(1, {"name": "Warp(9)", "accelerators": [{"name": "Warp", "speed": 9}]})
    data["arms"] += [
        {"name": "as Warp", "accelerators": [], "like": 1},
        {"name": "as ToMe", "accelerators": [], "like": 3},
    ]
    found = restore(written(tmp_path / "p.png", data | {"shot": {"arm": 9, "prompt": 0, "seed": 0}}), config)
    assert found.missing == (
        f"The arm Warp(9) is left out: There is no accelerator 'Warp': choose one of {', '.join(REGISTRY)}.",
        "The arm 5 is left out: it cannot be read.",
    )
    assert [arm.name for arm in found.request.arms] == [
        "Baseline", "DeepCache", "ToMe", *(f"Fewer steps, {side} the time of ToMe" for side in ("below", "above")),
    ]  # fmt: skip
    assert found.request.arms[3].matches_time_of == 2 and found.request.scorer == "demo" and found.shot is None


A1111 = """a photo of a fox, (sharp:1.2) <lora:style:0.7>
in the snow
Negative prompt: blurry,
low quality
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 123, Size: 512x768, Model hash: 0123456789, \
Model: fox_v2, VAE hash: 1, VAE: orange.vae.pt, Denoising strength: 0.4, Clip skip: 2, Hires upscale: 2, \
Lora hashes: "style: 1, b: 2", ControlNet 0: "preprocessor: canny, weight: 1", Version: v1.9.3"""


def test_settings_of_another_program_are_read_as_far_as_they_go(tmp_path, config):
    for path in (written(tmp_path / "p.png", A1111, "parameters"), tmp_path / "p.txt"):
        (tmp_path / "p.txt").write_text(A1111)
        found = restore(path, config)
        assert found.kind == FOREIGN and found.shot is None
        assert found.request == Request(
            Settings(("a photo of a fox, (sharp:1.2) in the snow",), "fox_v2", "blurry, low quality", "DPM++ 2M Karras",
                     20, 6.5, 512, 768, (123,))
        )  # fmt: skip
        assert found.missing == (
            "There is no checkpoint 'fox_v2' here.",
            "There is no VAE 'orange.vae.pt' here.",
            "There is no LoRA 'style' here.",
            "Comparer has no control for Denoising strength 0.4, Clip skip 2, Hires upscale 2, ControlNet 0 "
            "preprocessor: canny, weight: 1.",
        )


def test_models_and_loras_are_found_by_name_or_by_hash(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("Fox_v2.safetensors", "style.safetensors"):
        (folder / name).write_bytes(b"not read here")
    config, cache = Config((folder,), runs=tmp_path / "runs"), tmp_path / "runs" / "cache" / "hashes.json"
    (tmp_path / "p.txt").write_text(A1111)
    settings = restore(tmp_path / "p.txt", config).request.settings
    assert settings.checkpoint == "models/Fox_v2.safetensors"
    assert settings.loras == (("models/style.safetensors", 0.7),)
    (tmp_path / "p.txt").write_text(A1111.replace("fox_v2", "renamed"))
    assert restore(tmp_path / "p.txt", config).request.settings.checkpoint == "renamed"
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps({str(folder / "Fox_v2.safetensors"): [13, 0, "0123456789ab"], "x": None, "y": []}))
    assert restore(tmp_path / "p.txt", config).request.settings.checkpoint == "models/Fox_v2.safetensors"


@pytest.mark.parametrize(
    ("name", "schedule", "ours"),
    [
        ("DPM++ 2M Karras", "", "DPM++ 2M Karras"), ("DPM++ 2M", "Karras", "DPM++ 2M Karras"),
        ("DPM++ 2M SDE", "karras", "DPM++ 2M SDE Karras"), ("DPM++ 2M", "", "DPM++ 2M"),
        ("Euler a", "Automatic", "Euler a"), ("PLMS", "", "PNDM"), ("UniPC", "Uniform", "UniPC"),
    ],
)  # fmt: skip
def test_samplers_as_a1111_writes_them(name, schedule, ours):
    assert sampler(name, schedule) == ours


@pytest.mark.parametrize(("name", "schedule"), [("DPM++ 3M SDE", "Karras"), ("Restart", "")])
def test_samplers_that_are_not_here_are_named(tmp_path, config, name, schedule):
    with pytest.raises(ComparerError, match=f"The sampler {name.replace('+', '.')}.* is not supported: choose DDIM, "):
        sampler(name, schedule)
    (tmp_path / "p.txt").write_text(f"a\nSteps: 9, Sampler: {name}, Schedule type: {schedule}, Model: demo, Seed: -1")
    found = restore(tmp_path / "p.txt", config)
    assert found.request.settings.sampler == "DDIM" and found.request.settings.steps == 9
    assert any(told.startswith(f"The sampler {name}") for told in found.missing)
    assert "Seed -1 is out of range: 0 to 4294967295 is allowed." in found.missing


@pytest.mark.parametrize("prompt", HOSTILE)
@pytest.mark.parametrize("negative", ["", 'blurry, bad: "x"'])
def test_our_own_line_is_read_back_without_our_json(tmp_path, config, prompt, negative):
    stack = parse_stack("DeepCache(interval=2)+T-GATE(gate_step=5)")
    settings = Settings((prompt,), "demo", negative, "UniPC", 7, 5.5, 64, 96, (8,), half="raw")
    line = parameters_line(Request(settings, (Arm("B"), Arm("x", stack))), 1, 0, 8, "demo")
    found = restore(written(tmp_path / "p.png", line.replace("\0", ""), "parameters"), config)
    again = found.request.settings.prompts[0].replace("Negative prompt :", "Negative prompt:")
    assert replace(found.request.settings, prompts=(again,)) == settings and found.missing == ()
    assert found.request.arms[1].accelerators == stack


def chunk(kind: bytes, data: bytes, check: int | None = None) -> bytes:
    return (
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data) if check is None else check)
    )


HEAD = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
END = chunk(b"IEND", b"")
BOMB = zlib.compress(bytes(300 << 20))
FILES = {
    "empty": (b"", "is neither a PNG nor a run.json"),
    "not.png": (b"\xff\xd8\xff\xe0 a JPEG", "begins like a JPEG, but its header is not valid"),
    "plain.png": (HEAD + END, "contains no settings that can be read"),
    "cut.png": (HEAD + chunk(b"tEXt", b"comparer\0{}")[:-6], "is incomplete"),
    "short.png": (HEAD[:20], "is incomplete"),
    "huge.png": (HEAD + struct.pack(">I", 2**31) + b"tEXt", "has a text of 2,147,483,648 bytes: at most"),
    "flipped.png": (HEAD + chunk(b"tEXt", b"comparer\0{}", 7) + END, "is damaged: a text does not match its checksum"),
    "bomb.png": (HEAD + chunk(b"zTXt", b"comparer\0\0" + BOMB) + END, "unpack to more than"),
    "itxt-bomb.png": (HEAD + chunk(b"iTXt", b"comparer\0\1\0\0\0" + BOMB) + END, "unpack to more than"),
    "packed.png": (HEAD + chunk(b"zTXt", b"comparer\0\0no zlib") + END, "a text cannot be unpacked"),
    "deep.png": (HEAD + chunk(b"tEXt", b"comparer\0" + b'{"a":' * 500_000) + END, "not JSON that can be read"),
    "deep.json": (b"  " + b'{"request":' * 500_000, "not JSON that can be read"),
    "list.png": (HEAD + chunk(b"tEXt", b"comparer\0[]") + END, "contains no settings saved by Comparer"),
    "other.json": (b'{"request": {"settings": 5}}', "This is not a request of Comparer"),
    "text.json": (b'{"request": "settings"}', "contains no settings saved by Comparer"),
    "prompts.json": (b'{"settings": {"prompts": [1, {}]}}', "This is not a request of Comparer"),
    "none.json": (b'{"settings": {"prompts": []}}', "The prompt is empty"),
    "digits.json": (b'{"settings": ' + b"9" * 10_000 + b"}", "not JSON that can be read"),
    "slow.txt": (b'a\n' + b'a:"' * 300_000, "is neither a PNG nor a run.json"),
    "pictures.json": (
        json.dumps({"settings": {"prompts": ["x"] * 20_000, "seeds": [0] * 20_000}}).encode(),
        "asks for 400,000,000 pictures and 1 arms, which is too many",
    ),
    "arms.json": (
        json.dumps({"settings": {"prompts": ["x"]}, "arms": [{"like": 1}] * 100_000}).encode(),
        "100,000 arms, which is too many",
    ),
    "chunks.png": (HEAD + chunk(b"teXt", b"") * 100_001 + END, "it has more than 100,000 parts"),
}  # fmt: skip


def test_a_repeated_text_is_not_unpacked_again_and_all_texts_share_one_limit(tmp_path):
    def read(*bodies: tuple[bytes, bytes]) -> dict[str, str]:
        path = tmp_path / "p.png"
        parts = (chunk(b"zTXt", key + b"\0\0" + zlib.compress(body)) for key, body in bodies)
        path.write_bytes(HEAD + b"".join(parts) + chunk(b"zTXt", b"a\0\0no zlib") + END)
        return png_read.texts(path, ("a", "b"))

    half = bytes(png_read.MOST // 2)
    assert read((b"a", b"first"), (b"a", b"second"), (b"b", b"other")) == {"a": "first", "b": "other"}
    assert list(map(len, read((b"a", half), *[(b"a", half)] * 5, (b"b", half)).values())) == [len(half)] * 2
    for more in (b"x", half + b"x"):
        with pytest.raises(ComparerError, match="has texts that unpack to more than 8,388,608 bytes"):
            read((b"a", half * (1 if len(more) > 1 else 2)), (b"b", more))


@pytest.mark.parametrize("name", FILES)
def test_hostile_files_get_one_sentence(tmp_path, config, name):
    content, told = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ComparerError, match=told) as refused:
        restore(tmp_path / name, config)
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_what_is_too_large_or_absent_is_refused_unread(tmp_path, config):
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(1 << 33)
    with pytest.raises(ComparerError, match="'large.json' is too large: at most 64 MiB are allowed."):
        restore(tmp_path / "large.json", config)
    with pytest.raises(ComparerError, match="'gone.png' cannot be read: No such file"):
        restore(tmp_path / "gone.png", config)


def test_a_text_behind_the_pixels_is_found(tmp_path, config):
    pixels = chunk(b"IDAT", zlib.compress(bytes(8 * 25)))
    (tmp_path / "p.png").write_bytes(HEAD + pixels + chunk(b"tEXt", b"parameters\0a\nSteps: 5, Model: demo") + END)
    found = restore(tmp_path / "p.png", config)
    assert found.request.settings.steps == 5 and found.missing == ()


def test_the_command_line_says_what_another_programs_file_does_not(tmp_path, capsys):
    (tmp_path / "p.txt").write_text("a red star BREAK\nSteps: 2, CFG scale: 3, Seed: 5, Size: 64x64, Model: demo")
    assert main(["compare", "--from", str(tmp_path / "p.txt"), "--quiet", "--out", str(tmp_path / "runs")]) == 0
    told = capsys.readouterr()
    assert "in a readable form: sampler DDIM." in told.err
    assert "Taken as plain words: BREAK." in told.out


def test_the_command_line_asks_for_what_the_file_asked_for(tmp_path, capsys):
    asked = ask("DeepCache(interval=2)", seeds=(5,), negative_prompt="a hexagon")
    (tmp_path / "run.json").write_text(json.dumps({"request": asked.to_json()}))
    run = ["compare", "--from", str(tmp_path / "run.json"), "--quiet", "--out", str(tmp_path / "runs")]
    assert main(run) == 0
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if (path / "run.json").is_file())
    assert load(folder).request == asked
    for more in (["a prompt"], ["--steps", "9"], ["--also", "divergence"], ["--variant", "weights=raw"]):
        assert main([*run, *more]) == 2
        assert f"leave {more[0] if more[0].startswith('--') else 'prompt'} out" in capsys.readouterr().err
    (tmp_path / "run.json").write_text(json.dumps({"request": changed(checkpoint="ck/gone", sampler="Warp")}))
    assert main(run) == 2
    assert "needs what is not available here: There is no sampler 'Warp'" in (told := capsys.readouterr().err)
    assert "There is no checkpoint 'ck/gone' here." in told and told.count("\n") == 1
