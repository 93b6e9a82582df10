"""Which CLIP scores: a name, a local file, and never one whose scores would mean nothing."""

import json
from dataclasses import replace
from shutil import copyfile

import pytest
from PIL import Image

from comparer.checkpoints.find import resolve
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.metrics import clip, scorers
from comparer.models.catalog import DEMO
from helpers.runs import PROMPT

TINY = "tiny-clip-for-tests"
SHAPE = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 20, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def demo():
    return resolve("demo", Config())


@pytest.fixture(scope="module")
def real(demo):
    return replace(demo, model=replace(demo.model, name="models/mine"), demo=False)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Save a small CLIP with random weights as people have them: safetensors, torch's format, and a config beside."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("weights")
    (folder / f"{TINY}.json").write_text(json.dumps(SHAPE))
    open_clip.add_model_config(folder / f"{TINY}.json")
    torch.manual_seed(3)
    state = open_clip.create_model(TINY, require_pretrained=False).state_dict()
    save_file(state, folder / "mine.safetensors")
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, folder / "mine.pt")
    return folder


def refusal(name, checkpoint):
    with pytest.raises(ComparerError) as refused:
        scorers.choose(name, checkpoint, demo=checkpoint == "demo")
    sentence = str(refused.value)
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 250
    return sentence


def test_a_checkpoint_has_its_own_scorer():
    assert scorers.choose("", "demo", demo=True).name == "demo"
    assert scorers.choose("", "models/trained", demo=True).name == "demo"
    for checkpoint in ("sd-1.5", "models/mine"):
        assert scorers.choose("", checkpoint).full == "ViT-B-32-quickgelu/openai"
    assert scorers.choose(" vit-l-14 ", "sdxl").full == "ViT-L-14-quickgelu/openai"


def test_a_scorer_that_means_nothing_is_refused(demo, real):
    assert "coloured shapes" in refusal("demo", "sd-1.5")
    for source in scorers.SCORERS.values():
        if source.repository:
            assert "choose demo" in refusal(source.name, "demo")
            assert source.name in refusal("demo", "models/mine")
    disguised = f"{scorers.DEMO}={DEMO / 'scorer' / 'model.safetensors'}"
    assert "coloured shapes" in refusal(disguised, "sdxl")
    with pytest.raises(ComparerError, match="coloured shapes"):
        clip.scorer_for(real, wanted="demo")
    with pytest.raises(ComparerError, match="never seen the demo's"):
        clip.scorer_for(demo, wanted="ViT-L-14")


def test_what_is_no_scorer_is_refused(weights):
    assert "choose one of demo, ViT-B-32, ViT-L-14, ViT-B-32-LAION, HPSv2.1, PickScore, DINOv2," in refusal(
        "ViT-X", "sdxl"
    )
    assert "There is no file" in refusal(f"ViT-B-32={weights / 'nowhere.pt'}", "sdxl")
    assert "must end with one of .safetensors, .bin, .pt, .pth." in refusal(f"ViT-B-32={weights / TINY}.json", "sdxl")


@pytest.mark.parametrize("name", ["mine.safetensors", "mine.pt"])
def test_a_local_file_scores(weights, real, name):
    from hashlib import sha256

    import open_clip
    import torch

    scorer = clip.scorer_for(real, wanted=f"{TINY}={weights / name}")
    model, _, transform = open_clip.create_model_and_transforms(TINY, pretrained=str(weights / "mine.safetensors"))
    picture = Image.linear_gradient("L").convert("RGB")
    with torch.no_grad():
        seen, read = model.eval().encode_image(transform(picture)[None]), model.encode_text(scorer.tokenizer([PROMPT]))
    expected = 100 * max(torch.nn.functional.cosine_similarity(seen, read).item(), 0)
    assert scorer.score([picture], [PROMPT]) == [pytest.approx(expected, abs=1e-4)]
    record = json.loads(json.dumps(scorer.record()))
    assert (record["model"], record["weights"], record["context"]) == (TINY, name, 20)
    assert record["sha256"] == sha256((weights / name).read_bytes()).hexdigest()
    assert record == scorer.record()


def test_the_config_beside_a_local_file_tells_the_preprocessing(weights, real, tmp_path):
    for name in ("mine.safetensors", "again.safetensors"):
        copyfile(weights / "mine.safetensors", tmp_path / name)
    mean = [0.5, 0.4, 0.3]
    plain = clip.scorer_for(real, wanted=f"{TINY}={weights / 'mine.safetensors'}").record()["preprocessing"]
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"preprocess_cfg": {"mean": mean}}))
    told = clip.scorer_for(real, wanted=f"{TINY}={tmp_path / 'again.safetensors'}").record()["preprocessing"]
    assert told == plain | {"mean": mean} and plain["mean"] != mean


def test_a_file_that_holds_something_else_is_refused(weights, real, tmp_path, monkeypatch):
    import pickle

    import open_clip
    import torch

    class Code:
        def __reduce__(self):
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w').close()",)

    torch.save({"state_dict": Code()}, tmp_path / "code.pt")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Code(), protocol=2))
    (tmp_path / "torn.safetensors").write_bytes((weights / "mine.safetensors").read_bytes()[:5000])
    for name in ("code.pt", "plain.pth", "torn.safetensors"):
        with pytest.raises(ComparerError, match=f"'{name}' does not contain weights of {TINY}."):
            clip.scorer_for(real, wanted=f"{TINY}={tmp_path / name}")
    assert not (tmp_path / "ran").exists()
    (tmp_path / "wider.json").write_text(json.dumps(SHAPE | {"embed_dim": 24}))
    open_clip.add_model_config(tmp_path / "wider.json")
    with pytest.raises(ComparerError, match="does not contain weights of wider."):
        clip.scorer_for(real, wanted=f"wider={weights / 'mine.safetensors'}")
    with pytest.raises(ComparerError, match="no architecture 'ViT-Z-9'"):
        clip.scorer_for(real, wanted=f"ViT-Z-9={weights / 'mine.pt'}")
    with pytest.raises(ComparerError, match="tokenizer of the hub"):
        clip.scorer_for(real, wanted=f"ViT-B-16-SigLIP={weights / 'mine.pt'}")


def test_the_demos_record_and_one_large_scorer_at_a_time(demo, real, weights):
    record = clip.scorer_for(demo).record()
    assert record["model"] == scorers.DEMO and record["context"] == 32
    assert record["preprocessing"]["size"] == [128, 128] and "sha256" not in record
    first = clip.scorer_for(real, wanted=f"{TINY}={weights / 'mine.safetensors'}")
    assert clip.scorer_for(real, wanted=f"{TINY}={weights / 'mine.safetensors'}") is first
    clip.scorer_for(real, wanted=f"{TINY}={weights / 'mine.pt'}")
    assert first not in clip._kept.values() and len(clip._kept) == 2
