"""The demo checkpoint's networks: Stable Diffusion 1.x in miniature, and an open_clip scorer.

This module defines architectures and files; ``train`` fits them. Two tokenizers are saved from one vocabulary:
CLIP's own byte-pair merges, reduced to those that the scenes' words use.
"""

import gzip
import json
from pathlib import Path

from comparer.demo.scenes import SIZE, WORDS

SCORER_NAME = "comparer-demo-clip"
CONTEXT = 32  # tokens per prompt, start and end included
LATENT = SIZE // 8
# The vocabulary already has words of later versions, so that it need not change.
LATER_WORDS = frozenset(["and", "left", "right", "of", "above", "below", "beside", "between", "two", "three", "no"])
VOCABULARY_WORDS = sorted(WORDS | LATER_WORDS)
SCORER_CONFIG = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": SIZE, "layers": 4, "width": 128, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": CONTEXT, "vocab_size": 0, "width": 96, "heads": 4, "layers": 3},
}
SCHEDULER_CONFIG = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "timestep_spacing": "leading",
}


def merges() -> list[str]:
    """Return the merges of CLIP's byte-pair vocabulary that the words need, in CLIP's order."""
    from open_clip.tokenizer import default_bpe, get_pairs

    with gzip.open(default_bpe(), "rt", encoding="utf-8") as file:
        ranked = [tuple(line.split()) for line in file.read().split("\n")[1 : 49152 - 256 - 2 + 1]]
    rank = {pair: i for i, pair in enumerate(ranked)}
    used = set()
    for text in VOCABULARY_WORDS:
        word = (*text[:-1], text[-1] + "</w>")
        while len(word) > 1:
            best = min(get_pairs(word), key=lambda pair: rank.get(pair, len(ranked)))
            if best not in rank:
                break
            used.add(best)
            word = _merge(word, best)
    return [" ".join(pair) for pair in ranked if pair in used]


def _merge(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    merged: list[str] = []
    for part in word:
        if merged and (merged[-1], part) == pair:
            merged[-1] += part
        else:
            merged.append(part)
    return tuple(merged)


def write_tokenizers(tokenizer: Path, scorer: Path) -> int:
    """Save the generator's ``vocab.json`` and ``merges.txt`` and the scorer's ``bpe.txt.gz``.

    Returns the size of the shared vocabulary.
    """
    from open_clip.tokenizer import bytes_to_unicode

    pairs = merges()
    symbols = list(bytes_to_unicode().values())
    symbols += [symbol + "</w>" for symbol in symbols] + ["".join(pair.split()) for pair in pairs]
    symbols += ["<|startoftext|>", "<|endoftext|>"]
    tokenizer.mkdir(parents=True, exist_ok=True)
    scorer.mkdir(parents=True, exist_ok=True)
    vocabulary = {symbol: i for i, symbol in enumerate(symbols)}
    (tokenizer / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    text = "#version: 0.2\n" + "\n".join(pairs) + "\n"
    (tokenizer / "merges.txt").write_text(text, encoding="utf-8")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    config = {
        **special,
        "pad_token": "<|endoftext|>",
        "model_max_length": CONTEXT,
        "do_lower_case": True,
        "tokenizer_class": "CLIPTokenizer",
    }
    (tokenizer / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    with gzip.GzipFile(scorer / "bpe.txt.gz", "wb", mtime=0) as file:
        file.write(text.rstrip("\n").encode())  # open_clip would read a last blank line as a merge
    return len(symbols)


def new_vae():  # noqa: ANN201
    """Build the VAE: 128×128 images, 16×16 latents of 4 channels."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=(16, 32, 64, 64),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=SIZE,
    )


def new_unet():  # noqa: ANN201
    """Build the denoiser: three resolutions, cross-attention in the upper two and in the mid block."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=LATENT,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(48, 96, 144),
        layers_per_block=1,
        cross_attention_dim=96,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def new_text_encoder(vocabulary: int):  # noqa: ANN201
    """Build the text encoder for a vocabulary of this many tokens, where the last two are start and end."""
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=96,
            intermediate_size=384,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=CONTEXT,
            projection_dim=96,
            bos_token_id=vocabulary - 2,
            eos_token_id=vocabulary - 1,
            pad_token_id=vocabulary - 1,
        )
    )


def new_scorer(vocabulary: int):  # noqa: ANN201
    """Build the scorer: a small CLIP, as open_clip builds it from its JSON."""
    from open_clip.model import CLIP

    scorer = CLIP(**scorer_config(vocabulary))
    # open_clip's random positions are a tenth of the patches' scale: places and outlines are learned late.
    scorer.visual.positional_embedding.data[1:] = sine_positions(scorer.visual.grid_size[0], 128)
    return scorer


def sine_positions(grid: int, width: int):  # noqa: ANN201
    """Return grid² × width positions: sines and cosines of row and column at width/4 frequencies each."""
    import torch

    frequencies = torch.pi * 2 ** torch.linspace(-1, 2, width // 4)
    angles = torch.linspace(0, 1, grid)[:, None] * frequencies
    line = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows, columns = line[:, None].expand(-1, grid, -1), line[None].expand(grid, -1, -1)
    return torch.cat([rows, columns], dim=2).reshape(grid * grid, width)


def scorer_config(vocabulary: int) -> dict:
    """Return the scorer's architecture in open_clip's JSON form."""
    return {**SCORER_CONFIG, "text_cfg": {**SCORER_CONFIG["text_cfg"], "vocab_size": vocabulary}}
