"""Components of tiny pipelines that several families share."""

from typing import Any

SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def vae(scaling: float) -> Any:
    """Build a tiny VAE with downsampling factor 8 and 4 latent channels."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=128,
        scaling_factor=scaling,
    )


def clip(width: int, activation: str, projection: bool = False) -> Any:
    """Build a tiny CLIP text encoder of the given width."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        hidden_size=width, intermediate_size=2 * width, num_hidden_layers=3, num_attention_heads=4,
        projection_dim=width, hidden_act=activation, bos_token_id=49406, eos_token_id=49407, pad_token_id=1,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()


def clip_tokenizer(pad: str = "<|endoftext|>") -> Any:
    """Build CLIP's tokenizer from the merges shipped with open_clip."""
    from open_clip.tokenizer import SimpleTokenizer
    from transformers import CLIPTokenizer

    known = SimpleTokenizer()
    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocab = {names.get(token, token): number for token, number in known.encoder.items()}
    return CLIPTokenizer(vocab=vocab, merges=list(known.bpe_ranks), pad_token=pad, model_max_length=77)
