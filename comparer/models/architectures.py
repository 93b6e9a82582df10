"""The real architectures at toy size with random weights: every family for tests and benchmarks, no download.

``save_tiny`` writes a diffusers folder as the real tools do, so that it goes through the real loader. The
pictures are noise; mechanics, equality and multiply-accumulates are those of the family.
"""

from pathlib import Path
from typing import Any

from comparer.models.libraries import prepare

SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
PIXART_SCHEDULE = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear"}


def tiny(family: str, seed: int = 0, **denoiser: Any) -> Any:
    """Build a tiny pipeline of a family with random weights.

    Args:
        family: a name of ``catalog.FAMILIES``.
        seed: of the weights.
        denoiser: changes to the denoiser's configuration, as ``sample_size=128``.

    Returns:
        A diffusers pipeline on the CPU, float32; native size 128 pixels (PixArt 256, its smallest with bins).
    """
    prepare()
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _BUILDERS[family](denoiser)


def save_tiny(family: str, folder: Path, seed: int = 0, **denoiser: Any) -> Path:
    """Write a tiny pipeline as a diffusers folder with safetensors weights; return the folder."""
    pipe = tiny(family, seed, **denoiser)
    pipe.save_pretrained(folder)
    return folder


def _stable_diffusion(denoiser: dict, second: bool = False) -> Any:
    from diffusers import DDIMScheduler, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel

    width = 48 if second else 32
    unet = UNet2DConditionModel(
        **{
            "sample_size": 16,
            "block_out_channels": (32, 64, 64),
            "layers_per_block": 2,
            "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            "cross_attention_dim": width,
            "attention_head_dim": (2, 4, 4) if second else 4,
            "norm_num_groups": 8,
            "use_linear_projection": second,
        }
        | denoiser
    )
    if second:
        scheduler: Any = DDIMScheduler(
            **SCHEDULE, prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, steps_offset=1
        )
    else:
        scheduler = PNDMScheduler(**SCHEDULE, skip_prk_steps=True, steps_offset=1)
    return StableDiffusionPipeline(
        vae=_vae(0.18215),
        text_encoder=_clip(width, "gelu" if second else "quick_gelu"),
        tokenizer=_clip_tokenizer(),
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sdxl(denoiser: dict) -> Any:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel

    unet = UNet2DConditionModel(
        **{
            "sample_size": 16,
            "block_out_channels": (32, 64, 64),
            "layers_per_block": 2,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": (1, 1, 2),
            "cross_attention_dim": 32 + 48,
            "attention_head_dim": (2, 4, 4),
            "norm_num_groups": 8,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 48 + 6 * 8,
        }
        | denoiser
    )
    return StableDiffusionXLPipeline(
        vae=_vae(0.13025),
        text_encoder=_clip(32, "quick_gelu"),
        text_encoder_2=_clip(48, "gelu", projection=True),
        tokenizer=_clip_tokenizer(),
        tokenizer_2=_clip_tokenizer(pad="!"),
        unet=unet,
        scheduler=EulerDiscreteScheduler(**SCHEDULE, timestep_spacing="leading", steps_offset=1),
        add_watermarker=False,
    )


def _pixart(denoiser: dict, sigma: bool = False) -> Any:
    from diffusers import (
        DPMSolverMultistepScheduler,
        PixArtAlphaPipeline,
        PixArtSigmaPipeline,
        PixArtTransformer2DModel,
    )
    from transformers import T5Config, T5EncoderModel

    conditions = denoiser.get("sample_size") == 128 and not sigma  # as PixArt-α 1024 has them, and no other
    transformer = PixArtTransformer2DModel(
        **{
            "sample_size": 32,
            "num_layers": 3,
            "num_attention_heads": 2,
            "attention_head_dim": 24,
            "cross_attention_dim": 48,
            "caption_channels": 32,
            "use_additional_conditions": conditions,
        }
        | denoiser
    )
    text = T5EncoderModel(
        T5Config(
            vocab_size=len(_t5_tokenizer()), d_model=32, d_ff=64, d_kv=8, num_layers=2, num_heads=4,
            feed_forward_proj="gated-gelu",
        )
    )  # fmt: skip
    kind = PixArtSigmaPipeline if sigma else PixArtAlphaPipeline
    return kind(
        vae=_vae(0.13025 if sigma else 0.18215),
        text_encoder=text.eval(),
        tokenizer=_t5_tokenizer(),
        transformer=transformer,
        scheduler=DPMSolverMultistepScheduler(**PIXART_SCHEDULE),
    )


_BUILDERS = {
    "sd1": _stable_diffusion,
    "sd2": lambda denoiser: _stable_diffusion(denoiser, second=True),
    "sdxl": _sdxl,
    "pixart-alpha": _pixart,
    "pixart-sigma": lambda denoiser: _pixart(denoiser, sigma=True),
}


def _vae(scaling: float) -> Any:
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


def _clip(width: int, activation: str, projection: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        hidden_size=width, intermediate_size=2 * width, num_hidden_layers=3, num_attention_heads=4,
        projection_dim=width, hidden_act=activation, bos_token_id=49406, eos_token_id=49407, pad_token_id=1,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()


def _clip_tokenizer(pad: str = "<|endoftext|>") -> Any:
    """Build CLIP's own tokenizer from the merges that open_clip ships."""
    from open_clip.tokenizer import SimpleTokenizer
    from transformers import CLIPTokenizer

    known = SimpleTokenizer()
    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocab = {names.get(token, token): number for token, number in known.encoder.items()}
    return CLIPTokenizer(vocab=vocab, merges=list(known.bpe_ranks), pad_token=pad, model_max_length=77)


def _t5_tokenizer() -> Any:
    """Build a T5 tokenizer that knows single characters."""
    from transformers import T5Tokenizer

    characters = [chr(code) for code in range(33, 127)]
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((c, -3.0) for c in characters)]
    return T5Tokenizer(vocab=vocab, extra_ids=0, additional_special_tokens=["<extra_id_0>"], model_max_length=512)


_U_NET = {
    "sample_size": 64,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "norm_num_groups": 32,
}
_PIXART = {
    "sample_size": 128,
    "num_layers": 28,
    "num_attention_heads": 16,
    "attention_head_dim": 72,
    "cross_attention_dim": 1152,
    "caption_channels": 4096,
    "out_channels": 8,
    "norm_type": "ada_norm_single",
    "use_additional_conditions": False,
}
_NATIVE = {
    "sd-1.5": _U_NET,
    "sd-2.1": _U_NET
    | {
        "sample_size": 96,
        "cross_attention_dim": 1024,
        "attention_head_dim": (5, 10, 20, 20),
        "use_linear_projection": True,
        "upcast_attention": True,
    },
    "sdxl": _U_NET
    | {
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "cross_attention_dim": 2048,
        "attention_head_dim": (5, 10, 20),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    "pixart-alpha-512": _PIXART | {"sample_size": 64},
    "pixart-alpha-1024": _PIXART | {"use_additional_conditions": True},
    "pixart-sigma-512": _PIXART | {"sample_size": 64},
    "pixart-sigma-1024": _PIXART,
}


def native_config(model: str) -> tuple[str, dict]:
    """Return the class name and the configuration of a published model's denoiser, without its weights.

    Args:
        model: a name of ``catalog.CATALOG`` but the demo's.
    """
    config = _NATIVE[model]
    return ("PixArtTransformer2DModel" if "num_layers" in config else "UNet2DConditionModel"), dict(config)
