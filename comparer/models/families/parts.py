"""Parts that several families share: configs of published denoisers, tiny components, calls of the denoiser."""

from collections.abc import Callable
from typing import Any

from comparer.models.families.base import Argument

SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}

NO_CHECKER = (
    Argument("safety_checker", None, "it would paint images black, which spoils the pair"),
    Argument("feature_extractor", None, "only the safety checker uses it"),
    Argument("requires_safety_checker", False, "else the pipeline warns that it has none"),
)
"""What ``StableDiffusionPipeline`` is loaded with."""

UNET = {
    "sample_size": 64,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "norm_num_groups": 32,
}
"""Config of Stable Diffusion 1.5's U-Net; those of later versions say what they change."""


def unet(**config: Any) -> Any:
    """Build a tiny U-Net with attention at its two finest resolutions; ``config`` replaces any of its config."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        **{
            "sample_size": 16,
            "block_out_channels": (32, 64, 64),
            "layers_per_block": 2,
            "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            "norm_num_groups": 8,
        }
        | config
    )


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


def meta(*shape: int) -> Any:
    """Return a tensor without values."""
    import torch

    return torch.empty(shape, device="meta")


def unet_evaluation(unet: Any, batch: int, width: int, height: int, context: int) -> Callable[[Any], Any]:
    """Return a function that evaluates a U-Net as Stable Diffusion's pipelines do; see ``Family.evaluation``."""
    config = unet.config
    latents = meta(batch, config.in_channels, height, width)
    prompt, given = meta(batch, context, config.cross_attention_dim), {}
    if config.addition_embed_type == "text_time":
        numbers = 6  # original size, crop and target size
        pooled = config.projection_class_embeddings_input_dim - numbers * config.addition_time_embed_dim
        given = {"text_embeds": meta(batch, pooled), "time_ids": meta(batch, numbers)}
    return lambda time: unet(latents, time, encoder_hidden_states=prompt, added_cond_kwargs=given, return_dict=False)
