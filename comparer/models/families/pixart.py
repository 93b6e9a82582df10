"""PixArt: a tiny pipeline, and the config of the published transformer."""

from typing import Any

from comparer.models.families.parts import vae

PIXART_SCHEDULE = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear"}


def pixart(denoiser: dict, sigma: bool = False) -> Any:
    """Build a tiny PixArt-α pipeline, or PixArt-Σ with ``sigma``."""
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
        vae=vae(0.13025 if sigma else 0.18215),
        text_encoder=text.eval(),
        tokenizer=_t5_tokenizer(),
        transformer=transformer,
        scheduler=DPMSolverMultistepScheduler(**PIXART_SCHEDULE),
    )


def _t5_tokenizer() -> Any:
    """Build a T5 tokenizer that knows single characters."""
    from transformers import T5Tokenizer

    characters = [chr(code) for code in range(33, 127)]
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((c, -3.0) for c in characters)]
    return T5Tokenizer(vocab=vocab, extra_ids=0, additional_special_tokens=["<extra_id_0>"], model_max_length=512)


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
