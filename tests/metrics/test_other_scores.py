"""Scores that are no plain CLIP: their formulas, from files in the published layout, and runs that they decide."""

from dataclasses import replace
from shutil import copytree
from statistics import fmean

import numpy as np
import pytest
from PIL import Image

from comparer.checkpoints.find import resolve
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.metrics import clip
from comparer.metrics.scorers import SCORERS, choose
from comparer.models.tiny import save_tiny
from comparer.request.request import Arm
from comparer.request.validate import validate
from comparer.results.analysis import Analysis
from comparer.results.columns import MARKDOWN, result_table
from comparer.results.notes import measured, notes
from comparer.runs import store
from helpers import tiny_scorers
from helpers.runs import ask, finish

PROMPTS = ("a large red star", "a small blue ring on a table")
LONG = "red " * 90


@pytest.fixture(scope="module")
def real():
    demo = resolve("demo", Config())
    return replace(demo, model=replace(demo.model, name="models/mine"), demo=False)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clip, "_kept", {})
        yield tiny_scorers.hub_cache(patch, tmp_path_factory.mktemp("scorers"))


def picture(seed, size=(40, 40)):
    noise = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def scorer_of(real, name):
    found = clip.scorer_for(real, wanted=name)
    assert not isinstance(found, str), found
    return found


def test_hpsv21_is_the_cosine_times_100_of_the_whole_picture(hub, real):
    import open_clip
    import torch

    scorer, file = scorer_of(real, "HPSv2.1"), hub["xswu/HPSv2"] / "HPS_v2.1_compressed.pt"
    model = open_clip.create_model("ViT-H-14", require_pretrained=False).eval()
    model.load_state_dict(torch.load(file, weights_only=True)["state_dict"])
    wide, found = picture(1, (56, 28)), []
    framed = Image.new("RGB", (28, 28))  # the picture's whole width, and bars
    framed.paste(wide.resize((28, 14), Image.Resampling.BICUBIC), (0, 7))
    mean, std = (
        torch.tensor(each)[:, None, None] for each in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    )
    pixels = (torch.from_numpy(np.array(framed)).permute(2, 0, 1) / 255 - mean) / std
    with torch.no_grad():
        image = torch.nn.functional.normalize(model.encode_image(pixels[None].float()), dim=-1)
        for prompt in PROMPTS:
            text = torch.nn.functional.normalize(model.encode_text(open_clip.tokenize([prompt])), dim=-1)
            found.append(100 * (image @ text.T).item())
    assert scorer.score([wide] * 2, list(PROMPTS)) == pytest.approx(found, abs=1e-3)
    assert scorer.points(-0.25) == -25 and scorer_of(real, "HPSv2.1") is scorer
    assert scorer.truncates(LONG) and not scorer.truncates(PROMPTS[0])


def test_pickscore_is_the_documented_formula(hub, real):
    import torch
    from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

    scorer = scorer_of(real, "PickScore")
    pick, processor = hub["yuvalkirstain/PickScore_v1"], hub["laion/CLIP-ViT-H-14-laion2B-s32B-b79K"]
    model = CLIPModel.from_pretrained(pick).eval()
    images, words = CLIPImageProcessor.from_pretrained(processor), CLIPTokenizer.from_pretrained(processor)
    shown, prompts, found = [picture(2), picture(3, (60, 40))], [PROMPTS[0], LONG], []
    for image, prompt in zip(shown, prompts, strict=True):
        with torch.no_grad():
            seen = model.get_image_features(**images(images=image, return_tensors="pt")).pooler_output
            text = words(prompt, padding=True, truncation=True, max_length=77, return_tensors="pt")
            read = model.get_text_features(**text).pooler_output
            seen, read = (each / torch.norm(each, dim=-1, keepdim=True) for each in (seen, read))
            found.append((model.logit_scale.exp() * (read @ seen.T)[0]).item())
    assert scorer.score(shown, prompts) == pytest.approx(found, abs=1e-4)
    assert scorer.scale == pytest.approx(np.exp(3)) and scorer.truncates(LONG) and not scorer.truncates(PROMPTS[1])


def test_dinov2_is_the_cosine_of_two_class_tokens(hub, real):
    import torch
    from transformers import BitImageProcessor, Dinov2Model

    scorer, folder = scorer_of(real, "DINOv2"), hub["facebook/dinov2-base"]
    model, images = Dinov2Model.from_pretrained(folder).eval(), BitImageProcessor.from_pretrained(folder)
    base, other = picture(4), picture(5)
    with torch.no_grad():
        one, two = (model(**images(each, return_tensors="pt")).last_hidden_state[:, 0] for each in (base, other))
    expected = 100 * torch.nn.functional.cosine_similarity(one, two).item()
    assert expected < 99.9
    assert scorer.beside(base, other) == pytest.approx(expected, abs=1e-3)
    assert scorer.beside(base, base.copy()) == 100 and not scorer.truncates(LONG)


@pytest.mark.parametrize("name", ["HPSv2.1", "PickScore", "DINOv2"])
def test_weights_on_this_machine_score_alike(hub, real, name, tmp_path):
    """In a folder of one's own the processor lies beside the model."""
    shipped = scorer_of(real, name)
    for repository in shipped.source.files:
        copytree(hub[repository], tmp_path / "mine", dirs_exist_ok=True)
    path = tmp_path / "mine" / (shipped.source.file if name == "HPSv2.1" else "")
    mine = scorer_of(real, f"{name.lower()}={path}")
    one, two = picture(6), picture(7)
    assert mine.cosine(one, two) == pytest.approx(shipped.cosine(one, two), abs=1e-6) != 1
    assert mine.source.title == shipped.source.title and len(mine.record()["sha256"]) == 64
    (tmp_path / "mine" / shipped.source.file).write_bytes(b"none")
    with pytest.raises(ComparerError, match="does not contain weights of"):
        clip.scorer_for(real, wanted=f"{name}={path}")
    with pytest.raises(ComparerError, match="There is no f"):
        choose(f"{name}={tmp_path / 'nowhere.pt'}", "sdxl")


def test_what_a_model_lacks_is_not_filled_with_random_weights(hub, real, tmp_path):
    from safetensors.torch import load_file, save_file

    copytree(hub["facebook/dinov2-base"], tmp_path / "mine")
    file = tmp_path / "mine" / "model.safetensors"
    weights = load_file(file)
    save_file({name: value for name, value in weights.items() if name != "layernorm.weight"}, file)
    with pytest.raises(ComparerError, match="does not contain weights of"):
        clip.scorer_for(real, wanted=f"DINOv2={tmp_path / 'mine'}")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    return save_tiny("sd1", tmp_path_factory.mktemp("saved") / "models" / "mine").parent


@pytest.mark.parametrize("name", ["HPSv2.1", "PickScore", "DINOv2"])
def test_a_run_is_scored_recorded_and_opened_again(hub, real, config, checkpoints, name, monkeypatch):
    source, encoded = SCORERS[name], []
    scorer = scorer_of(real, name)
    scorer._seen.clear()
    plain = scorer.encode_image
    monkeypatch.setattr(scorer, "encode_image", lambda rgb: encoded.append(rgb) or plain(rgb))
    request = ask(
        "DeepCache(interval=3)", checkpoint="models/mine", prompts=(*PROMPTS, LONG), steps=4, width=64, height=64
    )
    done = finish(replace(request, scorer=name), replace(config, checkpoints=(checkpoints,)))
    seen = store.load(done.folder)
    assert seen == done.comparison and seen.scorer.title == source.title and seen.scorer.licence == source.licence
    assert len(encoded) == len(seen.shots) == 6  # no picture twice, floor and similarity included
    pictures = {(s.arm, s.prompt): Image.open(done.folder / s.file) for s in seen.shots}
    for shot in seen.shots:
        if name == "DINOv2":
            expected = scorer.beside(pictures[0, shot.prompt], pictures[shot.arm, shot.prompt])
            assert shot.arm or shot.clip_score == 100
        else:
            prompt = seen.request.settings.prompts[shot.prompt]
            (expected,) = scorer.score([pictures[shot.arm, shot.prompt]], [prompt])
        assert shot.clip_score == expected
    (heads, *_), said = result_table(Analysis(seen), MARKDOWN), [*notes(Analysis(seen)), *measured(Analysis(seen))]
    assert {source.title, seen.scorer.difference, seen.scorer.loss} <= set(heads) and "CLIP score" not in heads
    assert any(text.startswith(f"{source.title} by {source.full} (28 px, bicubic") for text in said)
    assert not any("CLIP score" in text for text in said)
    limit = "Prompt 3 is longer than the scorer's 77 tokens: its end was not scored."
    if name == "DINOv2":
        assert seen.scorer.floor is None and seen.scorer.context is None and limit not in said
        lost = 1 - fmean(s.clip_score for s in seen.shots if s.arm) / 100
        assert Analysis(seen).arms[1].figures.clip_loss == pytest.approx(lost) and lost > 1e-6
        assert all(s.similarity.clip_cosine is None for s in seen.shots if s.arm)
    else:
        assert limit in said
        texts = [scorer._read[prompt] for prompt in seen.request.settings.prompts]
        wrong = [
            scorer.points(float(plain(pictures[0, n].convert("RGB")).detach() @ texts[(n + 1) % 3])) for n in range(3)
        ]
        assert seen.scorer.floor == pytest.approx(fmean(wrong), abs=1e-4) and len(set(wrong)) == 3


def test_a_distance_from_the_baseline_chooses_no_checkpoint(hub, config, checkpoints):
    config, request = (
        replace(config, checkpoints=(checkpoints,)),
        ask(checkpoint="models/mine", steps=4, width=64, height=64),
    )
    request = replace(request, arms=(*request.arms, Arm("Same", weights=request.settings.weights)))
    validate(replace(request, scorer="PickScore"), config)
    with pytest.raises(ComparerError, match="cannot tell which of two checkpoints is better"):
        validate(replace(request, scorer="DINOv2"), config)
