"""Measures of pictures, the judgement, and what files show: on synthetic pictures, noise, and the demo's own."""

import json
import math
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from demo_model import draw as scenes
from PIL import Image
from safetensors.torch import load_file, save_file

from comparer.checkpoints.files.scan import look
from comparer.checkpoints.inspection.card import make
from comparer.checkpoints.read import read_folder
from comparer.models.catalog import CATALOG, DEMO
from comparer.models.tiny import save_tiny
from comparer.request.prompt_files import read_prompt_file
from comparer.sanity import spectrum, weight_checks
from comparer.sanity.expectations import EXAMPLES, PHOTOS, Base, Range, base_of, settings_of
from comparer.sanity.image_measures import RULES, cells, correlation, measure
from comparer.sanity.judge import BROKEN, HEALTHY, SUSPICIOUS, Config, Finding, WeightSetMeasures, judge
from helpers.runs import ROOT
from helpers.tiny_pipelines import FAMILIES

UNET = "diffusion_pytorch_model.safetensors"
BASE = Base("demo", EXAMPLES, 0.975, "v_prediction", True, {"clip": Range(70.0, 1.0, 24, 66.0, None)})


def picture(values):
    """Return a picture of an array of 0 to 255."""
    return Image.fromarray(np.asarray(values).clip(0, 255).round().astype(np.uint8))


def beyond(measures):
    """Return what the rules say of the measures."""
    return {RULES[name].what for name, value in measures.items() if name in RULES and not RULES[name].right(value)}


def noise(spread=60.0, side=128):
    return np.random.default_rng(0).normal(128, spread, (side, side, 3))


def ramp(side=128):
    """Return a smooth picture, red to the right and green downwards."""
    across = np.linspace(20, 230, side)
    return np.stack([np.tile(across, (side, 1)), np.tile(across[:, None], (1, side)), np.full((side, side), 90)], -1)


def test_drawn_scenes_and_smooth_pictures_are_right():
    for scene in scenes(40, "all", "drawn"):
        assert beyond(measure(scene.draw())) == set(), scene.caption()
    assert beyond(measure(picture(ramp()))) == set()


@pytest.mark.parametrize("level", [0, 17, 128, 255])
def test_one_colour_is_blank_and_nothing_else(level):
    assert beyond(measure(picture(np.full((64, 64, 3), level)))) == {"blank"}
    faint = np.full((64, 64, 3), level) + np.random.default_rng(1).normal(0, 1, (64, 64, 3))
    assert "blank" in beyond(measure(picture(faint)))


def test_white_noise_and_noise_of_eight_pixels_are_noise_like():
    found = measure(picture(noise()))
    assert beyond(found) == {"noise-like"} and abs(found["fine"]) < 0.05 and abs(found["coarse"]) < 0.2
    # What decoded noise looks like: smooth between pixels, and no neighbour in the latent grid is alike.
    large = Image.fromarray(noise(side=16).clip(0, 255).astype(np.uint8)).resize((128, 128), Image.Resampling.BICUBIC)
    found = measure(large)
    assert found["fine"] > 0.9 and found["coarse"] < 0.45 and beyond(found) == {"noise-like"}


def test_little_grain_is_no_noise():
    assert beyond(measure(picture(ramp() + np.random.default_rng(2).normal(0, 8, (128, 128, 3))))) == set()


def test_clipped_colours_are_saturated_and_pure_white_is_not():
    loud = 128 + 8 * (ramp() - 128)
    assert "saturated" in beyond(measure(picture(loud)))
    page = np.full((64, 64, 3), 255)
    page[20:40, 20:40] = 0
    assert measure(picture(page))["clipped"] == 0


def test_overshoot_is_seen_before_it_is_clipped():
    decoded = np.linspace(-1, 1, 3 * 64 * 64)
    fine, loud = (measure(picture(ramp(64)), values) for values in (decoded, 2 * decoded))
    assert fine["overshoot"] == 0 and loud["overshoot"] == pytest.approx(1 - 1.25 / 2, abs=0.01)
    assert beyond(loud) == {"saturated"}


def test_nan_is_counted_before_it_becomes_black():
    decoded = np.zeros(1000)
    decoded[:3] = np.nan, np.inf, -np.inf
    found = measure(picture(ramp()), decoded, np.full(10, np.nan))
    assert found["not finite"] == pytest.approx(0.003) and math.isnan(found["latents"])
    assert beyond(found) == {"not finite", "of latents far from unit size"}
    assert beyond(measure(picture(ramp()), np.full(10, np.nan))) == {"not finite"}


def test_correlation_and_cells_of_known_arrays():
    board = np.indices((16, 16)).sum(0)[..., None] % 2 * 255.0
    assert correlation(board) == pytest.approx(-1)
    assert correlation(np.full((8, 8, 3), 7.0)) == 1
    assert cells(np.arange(16 * 17 * 1.0).reshape(16, 17, 1)).shape == (2, 2, 1)
    assert cells(board).std() == 0


def test_every_rule_tells_its_value_beside_its_limit():
    assert RULES["coarse"].told(0.123) == "0.123 (at least 0.450 is right)"
    assert RULES["latents"].told(9.0) == "9.00 (at least 0.20 and at most 3.00 is right)"
    assert RULES["latents"].limit(9.0) == 3.0 and RULES["latents"].limit(0.01) == 0.2
    assert all(rule.low is not None or rule.high is not None for rule in RULES.values())


# The judgement.


def half(half="", wrong=0, wins=8, score=70.0, effect=50.0, **bad):
    """Return eight right pictures of four prompts, ``wrong`` of them with these measures."""
    right = measure(picture(ramp()), np.zeros(10), np.array([1.0, -1.0]))
    measures = tuple(right | bad if number < wrong else right for number in range(8))
    own = tuple(number // 2 for number in range(8))
    clip = [[score if prompt == own[n] else 20.0 for prompt in range(4)] for n in range(8)]
    for number in range(8 - wins):
        clip[number][(own[number] + 1) % 4] = score + 1
    return WeightSetMeasures(half, measures, own, tuple(map(tuple, clip)), effect)


def test_healthy():
    found = judge([], [half()], BASE, Config(0.975, "v_prediction"))
    assert (found.kind, found.exit_code, found.line) == (HEALTHY, 0, "healthy: all checks passed")


@pytest.mark.parametrize(
    ("halves", "kind", "words"),
    [
        ([half(wrong=4, coarse=0.1)], BROKEN, "4 of 8 pictures are noise-like: correlation of neighbouring cells"),
        ([half(wrong=3, coarse=0.1)], SUSPICIOUS, "3 of 8 pictures are noise-like"),
        ([half(wrong=8, spread=1.0)], BROKEN, "8 of 8 pictures are blank"),
        ([half(wrong=8, spread=1.0, **{"not finite": 1.0})], BROKEN, "8 of 8 pictures are not finite"),
        ([half(wins=4)], SUSPICIOUS, "4 of 8 pictures score highest with their own prompt (at least 5 is right"),
        ([half(effect=1.0)], SUSPICIOUS, "another prompt changes a picture by 1.00 levels"),
        ([half(score=60.0)], SUSPICIOUS, "mean CLIP score 60.00, but the demo has at least 66.00"),
        ([half("ema"), half("raw", wrong=8, coarse=0.1)], BROKEN, "broken: raw: 8 of 8"),
    ],
)
def test_what_pictures_show(halves, kind, words):
    found = judge([], halves, BASE)
    assert found.kind == kind and words in found.line and found.exit_code == {SUSPICIOUS: 4, BROKEN: 5}[kind]
    assert not any(finding.cause for finding in found.why)


def test_what_follows_from_nan_is_not_told():
    found = judge([], [half(wrong=8, wins=2, score=3.0, effect=0.0, spread=0.0, **{"not finite": 1.0})], BASE)
    assert len(found.why) == 1 and "8 of 8 pictures are not finite" in found.line
    some = judge([], [half(wrong=2, wins=2, **{"not finite": 1.0})], BASE)
    assert some.kind == SUSPICIOUS and len(some.why) == 2


def test_without_scores_and_without_a_range_the_rest_is_judged():
    silent = WeightSetMeasures("", half().measures, half().own)
    assert silent.score is None and silent.wins is None
    assert judge([], [silent], BASE).kind == HEALTHY
    unknown = Base("sd1", PHOTOS, 0.18215, "epsilon")
    assert judge([], [half(score=25.0)], unknown).kind == HEALTHY
    assert judge([], [half(wins=2)], unknown).kind == SUSPICIOUS


def test_scores_of_zero_are_no_win():
    nothing = WeightSetMeasures("", half().measures, half().own, ((0.0,) * 4,) * 8)
    assert nothing.wins == 0 and half(wins=3).wins == 3


def test_causes_come_first_and_configurations_are_named():
    found = judge([], [half(wrong=8, coarse=0.1)], BASE, Config(0.18215, "epsilon"))
    assert found.kind == BROKEN and [finding.cause for finding in found.why] == [True, True, False]
    assert found.line.startswith("broken: vae/config.json has the scaling factor 0.18215, but the demo has 0.975;")
    assert "says epsilon, but the demo has v_prediction" in found.line


def test_a_fine_tunes_own_prediction_type_is_a_note_while_its_pictures_are_right():
    base = Base("sdxl", PHOTOS, 0.13025, "epsilon")
    right, wrong = (judge([], [half(wrong=n, coarse=0.1)], base, Config(0.13025, "v_prediction")) for n in (0, 8))
    assert right.kind == HEALTHY and "so it was trained this way" in right.notes[0]
    assert wrong.why[0].cause and "says v_prediction" in wrong.why[0].text


def test_the_line_has_three_reasons_and_the_rest_is_counted():
    found = judge([], [half(wrong=8, wins=2, score=5.0, effect=0.0, coarse=0.1, fine=0.1, spread=1.0)], BASE)
    assert [finding.kind for finding in found.why] == [BROKEN, BROKEN, SUSPICIOUS, SUSPICIOUS, SUSPICIOUS]
    assert found.line.endswith("; and 2 more") and found.line.count("; ") == 3
    assert len(found.reasons) == 5 and sum("noise-like" in reason for reason in found.reasons) == 1


def test_the_worst_finding_decides():
    files = [Finding(SUSPICIOUS, "x", True)]
    assert judge(files, [half()], BASE).kind == SUSPICIOUS
    assert judge(files, [half(wrong=8, fine=0.0)], BASE).kind == BROKEN
    assert judge([Finding(BROKEN, "y", True)], [], None).kind == BROKEN


# What files show.


@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_tools_save_is_whole_and_half_of_it_is_not(family, tmp_path):
    folder = save_tiny(family, tmp_path / family)
    assert not [finding for finding in weight_checks.findings(make(folder)) if "lacks" in finding.text]
    for part in look(folder).parts:
        path = Path(part.tensors[0].file)
        kept = dict(list(load_file(path).items())[::2])
        save_file(kept, path, {"format": "pt"})
        lacks = [
            finding for finding in weight_checks.findings(make(folder)) if f"{part.component} lacks" in finding.text
        ]
        assert len(lacks) == 1 and lacks[0].value >= len(part.tensors) - len(kept)


def spoiled(folder, part="unet", **changes):
    """Change tensors of a copy of the demo; None takes one away."""
    path = folder / part / UNET
    content = load_file(path) | changes
    save_file({name: value for name, value in content.items() if value is not None}, path)


@pytest.fixture
def copy(tmp_path):
    return copytree(DEMO, tmp_path / "copy")


def test_the_demos_files_are_right():
    card = make(DEMO)
    assert weight_checks.findings(card) == [] and weight_checks.notes(card) == []


def test_missing_tensors_nan_and_an_ema_that_never_moved(copy):
    (copy / "unet" / "diffusion_pytorch_model.non_ema.safetensors").write_bytes((copy / "unet" / UNET).read_bytes())
    bias = load_file(copy / "vae" / UNET)["decoder.conv_out.bias"]
    bias[0] = float("nan")
    spoiled(copy, "vae", **{"decoder.conv_out.bias": bias})
    found = weight_checks.findings(make(copy))
    assert [finding.kind for finding in found] == [BROKEN, SUSPICIOUS] and all(finding.cause for finding in found)
    assert "vae has 1 value of NaN or infinity (decoder.conv_out.bias)" in found[0].text
    assert "the EMA of unet equals the raw weights" in found[1].text and weight_checks.loads(found)
    spoiled(copy, **{"conv_in.weight": None, "more": torch.ones(2)})
    found = weight_checks.findings(make(copy))
    assert "unet (EMA) lacks 1 of 326 tensors (conv_in.weight)" in found[0].text and not weight_checks.loads(found)
    assert any("does not have (more)" in note for note in weight_checks.notes(make(copy)))


def test_random_matrices_have_no_direction_that_stands_out():
    torch.manual_seed(0)
    shapes = [(32, 32), (48, 300), (1000, 64), (64, 32, 3, 3)]
    alike = [spectrum.relative(spread * torch.randn(shape)) for shape in shapes for spread in (1e-3, 50)]
    alike += [spectrum.relative(torch.rand(shape)) for shape in shapes]
    assert min(alike) > 0.85 and max(alike) < 1.1
    one = torch.randn(64, 64) + 0.5 * torch.randn(64, 1) @ torch.randn(1, 64)
    assert spectrum.relative(one) > 1.5 and spectrum.relative(one.bfloat16()) > 1.5
    assert spectrum.relative(torch.ones(64, 64)) == 0 and spectrum.relative(one * float("nan")) == 0


def test_a_shuffled_block_is_found_and_its_neighbours_are_not(copy):
    content = load_file(copy / "unet" / UNET)
    torch.manual_seed(1)
    for name, value in content.items():
        if name.startswith("mid_block."):
            content[name] = value.flatten()[torch.randperm(value.numel())].reshape(value.shape)
    spoiled(copy, **content)
    (found,) = weight_checks.findings(make(copy))
    assert (found.kind, found.cause) == (SUSPICIOUS, True) and 0.9 < found.value < 1.1 < found.limit
    assert "1 block of unet (EMA) (mid_block) can hardly be distinguished from random numbers" in found.text


def test_fresh_weights_are_found_in_every_component(tmp_path):
    folder = save_tiny("sd1", tmp_path / "sd1")
    assert {finding.text.split(" (")[0].split(" of ")[1] for finding in weight_checks.findings(make(folder))} == {
        "unet", "text_encoder",
    }  # fmt: skip


def test_a_component_without_weights(copy):
    (copy / "vae" / UNET).unlink()
    (found,) = weight_checks.findings(make(copy))
    assert "no weights of the vae" in found.text and not weight_checks.loads([found])


def test_a_copy_of_the_demo_is_known_by_its_words(copy, tmp_path):
    base = base_of(read_folder(copy, "x"))
    assert base.demo and base.prompts == EXAMPLES and base.factor == pytest.approx(0.97533, abs=1e-5)
    settings = settings_of(read_folder(copy, "x"), base)
    assert (settings.guidance, settings.sampler, settings.width) == (CATALOG["demo"].guidance, "DDIM", 128)
    (copy / "tokenizer" / "vocab.json").unlink()
    assert base_of(read_folder(copy, "x")).demo
    other = base_of(read_folder(save_tiny("sdxl", tmp_path / "sdxl"), "x"))
    assert not other.demo and other.factor == 0.13025 and other.ranges == {} and other.prompts == PHOTOS


def test_the_photos_prompts_are_the_listed_ones():
    assert set(PHOTOS) <= set(read_prompt_file(ROOT / "assets" / "prompts" / "general.csv").prompts)


def test_the_range_of_the_demo_is_of_seeds_that_no_check_uses():
    kept = json.loads((ROOT / "comparer" / "sanity" / "demo.json").read_text())
    assert "seeds 1000 to 1023" in kept["how"] and "192 pictures" in kept["how"]
    clip = kept["ranges"]["clip"]
    assert clip["checks"] == 24 and clip["low"] == pytest.approx(clip["mean"] - 4 * clip["spread"])
