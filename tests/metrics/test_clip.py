"""The CLIP score is torchmetrics' on the same weights; the wrong scorer is never used."""

import json
from dataclasses import replace
from shutil import copytree

import numpy as np
import pytest

from comparer.checkpoints.find import resolve
from comparer.config import Config
from comparer.demo import scenes
from comparer.metrics import clip, embedding
from comparer.metrics.scorers import SCORERS
from comparer.models.catalog import DEMO
from comparer.models.tiny import save_tiny
from comparer.results.analysis import Analysis
from helpers.runs import PROMPT, ask, finish


@pytest.fixture(scope="module")
def scorer():
    return clip.scorer_for(resolve("demo", Config()))


def as_transformers(scorer):
    """Convert the open_clip weights to transformers' CLIPModel, layer by layer."""
    from transformers import CLIPConfig, CLIPModel

    shape = json.loads((DEMO / "scorer" / f"{SCORERS['demo'].architecture}.json").read_text())
    seen, read = shape["vision_cfg"], shape["text_cfg"]
    config = CLIPConfig(
        projection_dim=shape["embed_dim"],
        vision_config={
            "hidden_size": seen["width"], "intermediate_size": 4 * seen["width"], "patch_size": seen["patch_size"],
            "num_hidden_layers": seen["layers"], "num_attention_heads": seen["width"] // seen["head_width"],
            "image_size": seen["image_size"], "hidden_act": "gelu",
        },
        text_config={
            "hidden_size": read["width"], "intermediate_size": 4 * read["width"], "vocab_size": read["vocab_size"],
            "num_hidden_layers": read["layers"], "num_attention_heads": read["heads"], "hidden_act": "gelu",
            "max_position_embeddings": read["context_length"], "eos_token_id": read["vocab_size"] - 1,
            "bos_token_id": read["vocab_size"] - 2,
        },
    )  # fmt: skip

    class Vectors(CLIPModel):
        """torchmetrics 1.9 expects vectors, as transformers 4 gave them; transformers 5 wraps them."""

        def get_image_features(self, *args, **kwargs):
            return super().get_image_features(*args, **kwargs).pooler_output

        def get_text_features(self, *args, **kwargs):
            return super().get_text_features(*args, **kwargs).pooler_output

    theirs, ours = Vectors(config).eval(), scorer.model.state_dict()
    weights = {
        "logit_scale": ours["logit_scale"],
        "visual_projection.weight": ours["visual.proj"].T,
        "text_projection.weight": ours["text_projection"].T,
        "vision_model.embeddings.class_embedding": ours["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": ours["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": ours["visual.positional_embedding"],
        "text_model.embeddings.token_embedding.weight": ours["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": ours["positional_embedding"],
    }
    norms = {
        "vision_model.pre_layrnorm": "visual.ln_pre",
        "vision_model.post_layernorm": "visual.ln_post",
        "text_model.final_layer_norm": "ln_final",
    }
    blocks = [("vision_model", "visual.transformer", seen["layers"]), ("text_model", "transformer", read["layers"])]
    for tower, source, layers in blocks:
        for i in range(layers):
            here, there = f"{tower}.encoder.layers.{i}", f"{source}.resblocks.{i}"
            norms |= {f"{here}.layer_norm1": f"{there}.ln_1", f"{here}.layer_norm2": f"{there}.ln_2"}
            norms |= {f"{here}.mlp.fc1": f"{there}.mlp.c_fc", f"{here}.mlp.fc2": f"{there}.mlp.c_proj"}
            norms |= {f"{here}.self_attn.out_proj": f"{there}.attn.out_proj"}
            for end in ("weight", "bias"):
                parts = ours[f"{there}.attn.in_proj_{end}"].chunk(3)
                weights |= {f"{here}.self_attn.{n}_proj.{end}": p for n, p in zip("qkv", parts, strict=True)}
    weights |= {f"{here}.{end}": ours[f"{there}.{end}"] for here, there in norms.items() for end in ("weight", "bias")}
    missing, unexpected = theirs.load_state_dict(weights, strict=False)
    assert not unexpected and all("position_ids" in name for name in missing)
    return theirs


def test_it_agrees_with_torchmetrics(scorer, tmp_path):
    import torch
    from torchmetrics.multimodal import CLIPScore
    from transformers import CLIPImageProcessor, CLIPProcessor, CLIPTokenizer

    side = 128
    pictures = CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    processor = CLIPProcessor(pictures, CLIPTokenizer.from_pretrained(DEMO / "tokenizer"))
    rng = np.random.default_rng(5)
    drawn = [scenes.random_scene(rng) for _ in range(12)]
    prompts = [scene.caption() for scene in drawn]
    prompts[-1] = prompts[0]  # a wrong caption: a low score must agree too
    ours = scorer.score([scene.draw() for scene in drawn], prompts)
    metric = CLIPScore(lambda: (as_transformers(scorer), processor))
    for scene, prompt, score in zip(drawn, prompts, ours, strict=True):
        picture = torch.from_numpy(np.asarray(scene.draw()).copy()).permute(2, 0, 1)
        assert score == pytest.approx(metric(picture, prompt).item(), abs=1e-3)
        metric.reset()
    assert max(ours) - min(ours) > 5


def test_a_longer_prompt_is_cut_with_its_end_token_kept(scorer, config):
    long = " and ".join([PROMPT] * 5)
    tokens = scorer.tokenizer([long])[0]
    end = scorer.tokenizer.eot_token_id
    assert len(tokens) == scorer.context and tokens[-1] == end and (tokens == end).sum() == 1
    assert scorer.truncates(long) and not scorer.truncates(PROMPT)
    done = finish(ask(prompts=(PROMPT, long), steps=1), config)
    assert done.comparison.scorer.truncated == (1,)
    from comparer.results.notes import notes

    assert any("Prompt 2 is longer than the scorer's 32 tokens" in line for line in notes(Analysis(done.comparison)))


@pytest.fixture
def encoded(scorer, monkeypatch):
    """Count what a scorer without memories encodes."""
    counts = {"text": 0, "image": 0}
    for kind in counts:
        real = getattr(scorer.model, f"encode_{kind}")

        def counting(*args, kind=kind, real=real, **options):
            counts[kind] += 1
            return real(*args, **options)

        monkeypatch.setattr(scorer.model, f"encode_{kind}", counting)
    monkeypatch.setattr(scorer, "_read", {})
    monkeypatch.setattr(scorer, "_seen", type(scorer._seen)())
    return counts


def test_each_picture_and_prompt_is_encoded_once(encoded, config):
    prompts = (PROMPT, "a small blue ring on a white background")
    done = finish(ask("DeepCache(interval=2)", seeds=(1, 2), prompts=prompts, steps=2), config)
    assert len({shot.pixels for shot in done.comparison.shots}) == 8
    assert encoded == {"text": 2, "image": 8}


def test_the_cosine_of_a_pair_encodes_nothing_again(scorer, encoded):
    from torch.nn.functional import cosine_similarity

    rng = np.random.default_rng(1)
    pictures = [scenes.random_scene(rng).draw() for _ in range(3)]
    scorer.score(pictures, [PROMPT] * 3)
    found = scorer.cosine(pictures[0], pictures[1])
    assert encoded == {"text": 1, "image": 3}
    first, second, _ = (scorer.model.encode_image(scorer.transform(p)[None]) for p in pictures)
    assert found == pytest.approx(cosine_similarity(first, second).item(), abs=1e-6)
    assert 1 - 1e-6 < scorer.cosine(pictures[2], pictures[2].copy()) <= 1
    assert found < 0.99


def test_memories_do_not_grow_without_end(scorer, encoded, monkeypatch):
    monkeypatch.setattr(embedding, "REMEMBERED", 2)
    rng = np.random.default_rng(2)
    pictures = [scenes.random_scene(rng).draw() for _ in range(3)]
    for which in (0, 1, 0, 2, 0):  # the longest unseen one makes way
        scorer.embed([pictures[which]])
    assert encoded["image"] == 3 and len(scorer._seen) == 2


def test_what_reads_the_demos_words_is_scored_by_its_scorer(config, tmp_path):
    copytree(DEMO, tmp_path / "models" / "mine")
    done = finish(ask(checkpoint="models/mine", steps=1), replace(config, checkpoints=(tmp_path / "models",)))
    assert done.comparison.scorer.name.startswith("comparer-demo-clip") and done.comparison.shots[0].clip_score


def test_a_real_checkpoint_is_not_scored_by_the_demo_scorer(config, tmp_path):
    """Without the real weights the record says "not scored" and why."""
    root = tmp_path / "models"
    save_tiny("sd1", root / "mine")
    done = finish(ask("DeepCache", checkpoint="models/mine", steps=1), replace(config, checkpoints=(root,)))
    assert all(shot.clip_score is None for shot in done.comparison.shots)
    assert "ViT-B-32-quickgelu/openai" in done.comparison.scorer.why_not
    figures = Analysis(done.comparison).arms[1].figures
    assert figures.clip_score is None and figures.clip_loss is None
