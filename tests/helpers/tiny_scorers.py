"""Tiny models with random weights of every scorer that is no plain CLIP, in the files of the published ones."""

import json
from copy import copy

SIDE = 28  # pixels that the models see
H14 = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": SIDE, "layers": 2, "width": 32, "head_width": 16, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}


def small_h14(monkeypatch, folder):
    """Make open_clip's ViT-H-14 small: same keys, other numbers. It comes back after the test."""
    import open_clip
    from open_clip import factory

    for name in ("_MODEL_CONFIGS", "_MODEL_CONFIG_PATHS"):
        monkeypatch.setattr(factory, name, copy(getattr(factory, name)))
    published = open_clip.get_model_config("ViT-H-14")
    assert all(set(published[part]) == set(H14[part]) for part in ("vision_cfg", "text_cfg"))  # nothing else is set
    (folder / "ViT-H-14.json").write_text(json.dumps(H14))
    open_clip.add_model_config(folder / "ViT-H-14.json")


def save_hps(file):
    """Save a checkpoint as HPSv2's training does, in float16; ``small_h14`` comes first."""
    import open_clip
    import torch

    torch.manual_seed(5)
    state = open_clip.create_model("ViT-H-14", require_pretrained=False).half().state_dict()
    torch.save({"epoch": 1, "name": "hps", "state_dict": state}, file)


def save_pick(folder, processor):
    """Save a CLIPModel in a folder, its tokenizer and image processor in another."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    from comparer.models.families.parts import clip_tokenizer

    text = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "vocab_size": 49408, "max_position_embeddings": 77, "bos_token_id": 49406, "eos_token_id": 49407,
    }  # fmt: skip
    vision = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": SIDE, "patch_size": 14,
    }  # fmt: skip
    torch.manual_seed(6)
    # 3 and not ln 100: a scorer that takes 100 for the scale is found out.
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16, logit_scale_init_value=3.0))
    model.save_pretrained(folder)
    size = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    CLIPImageProcessor(**size).save_pretrained(processor)
    tokenizer = clip_tokenizer()
    tokenizer.save_pretrained(processor)
    (processor / "tokenizer.json").unlink()  # the published files that are fetched are those two
    vocabulary, merges = processor / "vocab.json", processor / "merges.txt"
    vocabulary.write_text(json.dumps(tokenizer.get_vocab()), encoding="utf-8")
    backend = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    lines = [each if isinstance(each, str) else " ".join(each) for each in backend]
    merges.write_text("\n".join(["#version: 0.2", *lines]) + "\n", encoding="utf-8")


def save_dino(folder):
    """Save a Dinov2Model with its image processor."""
    import torch
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    torch.manual_seed(7)
    config = Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=SIDE, patch_size=14
    )
    Dinov2Model(config).save_pretrained(folder)
    BitImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": SIDE, "width": SIDE},
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
    ).save_pretrained(folder)  # fmt: skip


def hub_cache(monkeypatch, folder):
    """Point the hub's client at a cache that holds all three; return the folders by repository."""
    small_h14(monkeypatch, folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(folder / "hub"), raising=False)
    found = {}
    names = (
        "xswu/HPSv2",
        "yuvalkirstain/PickScore_v1",
        "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        "facebook/dinov2-base",
    )
    for name in names:
        store = folder / "hub" / f"models--{name.replace('/', '--')}"
        (store / "refs").mkdir(parents=True)
        (store / "refs" / "main").write_text("0" * 40)
        found[name] = store / "snapshots" / ("0" * 40)
        found[name].mkdir(parents=True)
    hps, pick, processor, dino = found.values()
    save_hps(hps / "HPS_v2.1_compressed.pt")
    save_pick(pick, processor)
    save_dino(dino)
    return found
