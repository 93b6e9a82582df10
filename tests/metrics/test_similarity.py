"""Similarities are torchmetrics' own; what is missing is said, and never a number."""

import json
import math
from dataclasses import asdict, replace
from hashlib import file_digest

import numpy as np
import pytest
import torch
from PIL import Image

from comparer.checkpoints.find import resolve
from comparer.config import Config
from comparer.demo import scenes
from comparer.errors import ComparerError
from comparer.metrics import clip, lpips
from comparer.metrics.ms_ssim import SIDE as MS_SSIM_SIDE
from comparer.metrics.registry import METRICS
from comparer.metrics.similarity import not_available, similarity
from helpers.runs import ROOT


def picture(values):
    return Image.fromarray(np.asarray(values, dtype=np.uint8))


def noisy(side, seed, spread=12, height=None):
    """Return a smooth picture and the same with noise."""
    rng = np.random.default_rng(seed)
    height = height or side
    base = np.linspace(0, 255, side * height * 3).reshape(height, side, 3)[:, ::-1]
    return picture(base), picture(np.clip(base + rng.normal(0, spread, base.shape), 0, 255))


def tensors(*pictures):
    return [torch.from_numpy(np.array(p)).permute(2, 0, 1)[None] / 255 for p in pictures]


@pytest.fixture
def torch_home(tmp_path, monkeypatch):
    """Give torch an empty folder for weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.mark.parametrize(("width", "height"), [(64, 64), (11, 37), (128, 96), (192, 256)])
def test_they_are_the_libraries_own(width, height):
    """In their documented ways: torchmetrics' classes with ``data_range=1.0``, and scikit-image's SSIM."""
    from torchmetrics.image import MultiScaleStructuralSimilarityIndexMeasure, PeakSignalNoiseRatio

    pair = noisy(width, 1, height=height)
    found = similarity(*pair)
    assert found.psnr == pytest.approx(PeakSignalNoiseRatio(data_range=1.0)(*tensors(*pair)).item(), abs=1e-5)
    expected = scikit_ssim(*pair)
    assert found.ssim == pytest.approx(expected, abs=1e-6) and 0.1 < expected < 0.99
    if min(width, height) < MS_SSIM_SIDE:
        assert found.ms_ssim is None
    else:
        exact = (tensor.double() for tensor in tensors(*pair))
        expected = MultiScaleStructuralSimilarityIndexMeasure(data_range=1.0)(*exact).item()
        assert found.ms_ssim == pytest.approx(expected, abs=1e-6) and 0.1 < expected < 0.999


def scikit_ssim(one, other):
    from skimage.metrics import structural_similarity

    given = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    return structural_similarity(np.asarray(one), np.asarray(other), channel_axis=2, **given)


def test_the_ssim_of_bright_flat_areas_is_exact():
    """In float32 it is off by 1.2e-3 here: E[x²] − μ² of nearly equal numbers."""
    flat = np.full((64, 64, 3), 250)
    other = flat.copy()
    other[::4, ::3] += 1
    expected = scikit_ssim(picture(flat), picture(other))
    assert similarity(picture(flat), picture(other)).ssim == pytest.approx(expected, abs=1e-6)


def test_the_ssim_of_pictures_smaller_than_its_window_is_not_a_number_but_unknown():
    found = similarity(*noisy(10, 1, height=64))
    assert found.ssim is None and found.psnr > 0
    assert not_available(10, 64)["ssim"] == "SSIM is not available: its window needs 11 pixels a side."


def test_known_values():
    """Half of all colour values differ by 10: mean 5; mean squared error 50; PSNR 10·log10(255²/50)."""
    base = np.full((64, 64, 3), 100)
    other = base.copy()
    other[:32] += 10
    found = similarity(picture(base), picture(other))
    assert (found.identical, found.max_difference, found.mean_difference) == (False, 10, 5.0)
    assert found.psnr == pytest.approx(10 * math.log10(255**2 / 50), abs=1e-4)
    black, white = picture(np.zeros((64, 64, 3))), picture(np.full((64, 64, 3), 255))
    furthest = similarity(black, white)
    assert (furthest.max_difference, furthest.mean_difference, furthest.psnr) == (255, 255.0, 0.0)
    # Flat pictures have no structure: SSIM is its luminance term alone, c1 / (1 + c1) with c1 = 0.01².
    assert furthest.ssim == pytest.approx(1e-4 / (1 + 1e-4), abs=1e-6)
    one_off = base.copy()
    one_off[0, 0, 0] += 1
    assert not similarity(picture(base), picture(one_off)).identical


def test_identical_pictures_are_their_own_case(tmp_path):
    base, _ = noisy(MS_SSIM_SIDE, 1)
    base.save(tmp_path / "one.png")
    found = similarity(base, tmp_path / "one.png")
    assert found.identical and found.values.keys() == METRICS.keys()
    known = {"max_difference": 0, "mean_difference": 0.0, "psnr": None, "ssim": 1.0, "ms_ssim": 1.0}
    assert {name: found.values[name] for name in known} == known
    assert json.loads(json.dumps(asdict(found), allow_nan=False)) == asdict(found)


def test_it_makes_no_difference_which_is_which():
    one, other = noisy(MS_SSIM_SIDE, 2)
    forth, back = similarity(one, other), similarity(other, one)
    assert forth.values.keys() == back.values.keys() == METRICS.keys()
    for name, value in forth.values.items():
        assert back.values[name] == pytest.approx(value, abs=1e-6)


def test_more_noise_is_less_alike():
    scorer = clip.scorer_for(resolve("demo", Config()))
    base = scenes.random_scene(np.random.default_rng(3)).draw()
    noise = np.random.default_rng(4).normal(0, 1, (128, 128, 3))
    rows = [
        similarity(base, picture(np.clip(np.asarray(base) + noise * spread, 0, 255)), scorer) for spread in (3, 12, 50)
    ]
    for name in ("psnr", "ssim", "clip_cosine"):
        values = [getattr(row, name) for row in rows]
        assert values == sorted(values, reverse=True) and len(set(values)) == 3, name
    assert [row.mean_difference for row in rows] == sorted(row.mean_difference for row in rows)


@pytest.mark.parametrize("side", [MS_SSIM_SIDE - 1, MS_SSIM_SIDE])
def test_ms_ssim_is_not_available_exactly_where_torchmetrics_refuses(side):
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as theirs

    pair = noisy(side, 5, height=256)
    if side < MS_SSIM_SIDE:
        with pytest.raises(ValueError, match="must be larger"):
            theirs(*tensors(*pair), data_range=1.0)
        assert similarity(*pair).ms_ssim is None and "176 pixels" in not_available(*pair[0].size)["ms_ssim"]
    else:
        assert similarity(*pair).ms_ssim == pytest.approx(
            theirs(*(tensor.double() for tensor in tensors(*pair)), data_range=1.0).item()
        )
        assert "ms_ssim" not in not_available(*pair[0].size)


def test_pictures_of_two_sizes_are_refused():
    with pytest.raises(ComparerError, match="64×64 and 128×64 pixels"):
        similarity(noisy(64, 1)[0], noisy(128, 1, height=64)[0])


def test_lpips_without_its_weights_is_said_and_nothing_is_fetched(torch_home, monkeypatch):
    monkeypatch.setattr("torch.hub.download_url_to_file", lambda *_, **__: pytest.fail("a download by surprise"))
    assert similarity(*noisy(64, 1)).lpips is None
    assert lpips.ALEXNET in not_available(64, 64)["lpips"]
    torch_home.mkdir(parents=True)
    (torch_home / "alexnet-owt-7be5be79.pth").write_bytes(b"half of it")
    assert similarity(*noisy(64, 1)).lpips is None
    assert "damaged" in not_available(64, 64)["lpips"]


def test_the_weights_are_those_that_torchvision_would_fetch():
    from torchvision.models import AlexNet_Weights

    assert AlexNet_Weights.DEFAULT.url == lpips.ALEXNET
    assert f"-{lpips.ALEXNET_DIGEST}.pth" in lpips.ALEXNET


def test_lpips_with_weights_is_torchmetrics(torch_home, monkeypatch):
    """With random weights of AlexNet's shape in the place of the real ones."""
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
    from torchvision.models import alexnet

    torch_home.mkdir(parents=True)
    file = torch_home / "alexnet-owt-7be5be79.pth"
    torch.manual_seed(1)
    torch.save(alexnet().state_dict(), file)
    with file.open("rb") as content:
        monkeypatch.setattr(lpips, "ALEXNET_DIGEST", file_digest(content, "sha256").hexdigest()[:8])
    metric = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)
    for seed in (1, 2):
        pair = noisy(64, seed, spread=40 * seed)
        expected = metric(*tensors(*pair)).item()
        assert similarity(*pair).lpips == pytest.approx(expected, rel=1e-5) and expected > 0
    assert similarity(pair[0], pair[0]).lpips == 0.0
    assert "lpips" not in not_available(32, 32)
    assert similarity(*noisy(32, 1)).lpips > 0 and similarity(*noisy(24, 1)).lpips is None


def test_the_cosine_is_the_scorers():
    scorer = clip.scorer_for(resolve("demo", Config()))
    pair = [scenes.random_scene(np.random.default_rng(seed)).draw() for seed in (1, 2)]
    found = similarity(*pair, scorer)
    assert found.clip_cosine == scorer.cosine(*pair)
    assert similarity(*pair).values == {**found.values, "clip_cosine": None}
    assert similarity(pair[0], pair[0], scorer).clip_cosine == 1.0
    assert set(not_available(128, 128, scorer)) == {"ms_ssim", "lpips"} - (
        {"lpips"} if found.lpips is not None else set()
    )


def test_what_ssim_cannot_tell_is_as_the_document_says():
    star = scenes.Shape("star", "blue", "small", None, 0.5, 0.5, 0.15)
    changed = ((replace(star, colour="green"),), (), (replace(star, x=0.5 + 8 / 128),))
    base = scenes.Scene((star,), "white").draw()
    scorer = clip.scorer_for(resolve("demo", Config()))
    found = [similarity(base, scenes.Scene(shapes, "white").draw(), scorer) for shapes in changed]
    green, none, moved = (f"{pair.ssim:.2f}" for pair in found)
    text = " ".join((ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").split())
    assert f"made green, SSIM is {green}; removed altogether, {none}; moved by 8 pixels, {moved}." in text
    assert f"where it matters: {', '.join(f'{pair.clip_cosine:.2f}' for pair in found)}." in text
    assert f"({found[1].psnr:.1f} and {found[2].psnr:.1f} dB)" in text and found[1].ssim > found[2].ssim


def test_the_document_lists_every_scorer_and_limit():
    from comparer.metrics.scorers import SCORERS

    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    for source in SCORERS.values():
        assert f"| `{source.name}`" in text
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{source.name}`")]
        assert source.title in row and source.measures in row and source.licence and source.licence in row
        assert f"{source.context} tokens" in row or source.context is None and "reads no prompt" in row
        assert not source.repository or f"{source.architecture}, " in row and f"{source.gigabytes:g} GB" in row
    assert lpips.ALEXNET in text and f"{lpips.SIDE} pixels per side" in text
    assert f"{MS_SSIM_SIDE} pixels per side" in text


def test_importing_it_brings_nothing_heavy():
    import subprocess
    import sys

    script = (
        "import sys, comparer.metrics.similarity\n"
        "print([name for name in ('torch', 'torchmetrics', 'numpy', 'PIL', 'open_clip') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
