"""What PixArt-α and PixArt-Σ share: transformer, T5, schedule, size bins."""

from collections.abc import Callable, Mapping
from typing import Any

from comparer.models.families.base import Argument
from comparer.models.families.parts import meta, vae

SHARED: dict[str, Any] = {
    "group": "PixArt",
    "denoiser": "transformer",
    "denoiser_class": "PixArtTransformer2DModel",
    "guidance": 4.5,
    "fixed_context": True,
    "rescale": False,
    "on_step_end": False,  # the pipelines ignore the argument silently
    "call": (Argument("clean_caption", False, "it would rewrite the prompts"),),  # and depends on optional packages
}
"""Fields of both families."""

TRANSFORMER = {
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
"""Config of PixArt-Σ 1024's transformer; those of the other models say what they change."""


def tiny(pipeline: str, scaling: float, denoiser: dict[str, Any]) -> Any:
    """Build a tiny pipeline of a class, with a VAE of the given scaling factor."""
    import diffusers
    from transformers import T5Config, T5EncoderModel

    transformer = diffusers.PixArtTransformer2DModel(
        **{
            "sample_size": 32,
            "num_layers": 3,
            "num_attention_heads": 2,
            "attention_head_dim": 24,
            "cross_attention_dim": 48,
            "caption_channels": 32,
            "use_additional_conditions": False,
        }
        | denoiser
    )
    text = T5EncoderModel(
        T5Config(
            vocab_size=len(_t5_tokenizer()), d_model=32, d_ff=64, d_kv=8, num_layers=2, num_heads=4,
            feed_forward_proj="gated-gelu",
        )
    )  # fmt: skip
    return getattr(diffusers, pipeline)(
        vae=vae(scaling),
        text_encoder=text.eval(),
        tokenizer=_t5_tokenizer(),
        transformer=transformer,
        scheduler=diffusers.DPMSolverMultistepScheduler(beta_start=0.0001, beta_end=0.02, beta_schedule="linear"),
    )


def _t5_tokenizer() -> Any:
    """Build a T5 tokenizer that knows single characters."""
    from transformers import T5Tokenizer

    characters = [chr(code) for code in range(33, 127)]
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((c, -3.0) for c in characters)]
    return T5Tokenizer(vocab=vocab, extra_ids=0, additional_special_tokens=["<extra_id_0>"], model_max_length=512)


def evaluation(transformer: Any, batch: int, width: int, height: int, context: int) -> Callable[[Any], Any]:
    """Return a function that evaluates the transformer as PixArt's pipelines do; see ``Family.evaluation``."""
    config = transformer.config
    latents = meta(batch, config.in_channels, height, width)
    given: dict[str, Any] = {"resolution": None, "aspect_ratio": None}
    if transformer.use_additional_conditions:
        given = {"resolution": meta(batch, 2), "aspect_ratio": meta(batch, 1)}
    prompt, mask = meta(batch, context, config.caption_channels), meta(batch, context)
    return lambda time: transformer(
        latents,
        encoder_hidden_states=prompt,
        encoder_attention_mask=mask,
        timestep=time.expand(batch).to("meta"),
        added_cond_kwargs=given,
        return_dict=False,
    )


def binned(transformer: Mapping[str, Any], width: int, height: int) -> tuple[int, int]:
    """Return (width, height) of the bin in which PixArt's pipeline generates an image of this size.

    Args:
        transformer: the transformer's config; its ``sample_size`` is the native size in latent pixels.
        width: requested width in pixels.
        height: requested height in pixels.
    """
    from diffusers.image_processor import PixArtImageProcessor
    from diffusers.pipelines.pixart_alpha import pipeline_pixart_alpha as alpha
    from diffusers.pipelines.pixart_alpha import pipeline_pixart_sigma as sigma

    bins = {
        32: alpha.ASPECT_RATIO_256_BIN,
        64: alpha.ASPECT_RATIO_512_BIN,
        128: alpha.ASPECT_RATIO_1024_BIN,
        256: sigma.ASPECT_RATIO_2048_BIN,
    }[transformer["sample_size"]]
    high, wide = PixArtImageProcessor.classify_height_width_bin(height, width, ratios=bins)
    return wide, high
