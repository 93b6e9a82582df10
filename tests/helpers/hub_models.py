"""Models of the catalogue, as repositories hold them."""

from comparer.models import hub
from comparer.models.catalog import CATALOG, DEMO
from comparer.models.tiny import save_tiny

SD, SDXL, SIGMA = CATALOG["sd-1.5"], CATALOG["sdxl"], CATALOG["pixart-sigma-512"]
NEEDLESS = (
    "README.md", "v1-5-pruned.safetensors", "v1-5-pruned.ckpt", "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.non_ema.safetensors", "unet/flax_model.msgpack", "unet/model.onnx",
    "unet/flax_model.msgpack.index.json", "safety_checker/config.json", "safety_checker/model.safetensors",
    "feature_extractor/preprocessor_config.json", "vae_1_0/diffusion_pytorch_model.safetensors",
)  # fmt: skip


def rewrite(folder, source, names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.read_bytes())


def repositories_in(root):
    """Write repositories as the hub has them; return their folders by name.

    SD 1.5 has both precisions and all its needless files, SDXL is sharded.
    """
    sd = save_tiny("sd1", root / "sd")
    for part, name in (("unet", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model"), ("text_encoder", "model")):  # fmt: skip # noqa: E501
        rewrite(sd, sd / part / f"{name}.safetensors", [f"{part}/{name}.fp16.safetensors"])
    rewrite(sd, sd / "vae" / "config.json", [*NEEDLESS, "tokenizer/vocab.json", "tokenizer/merges.txt"])
    from diffusers import UNet2DConditionModel

    sdxl = save_tiny("sdxl", root / "sdxl")
    unet = UNet2DConditionModel.from_pretrained(sdxl / "unet")
    (sdxl / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    unet.save_pretrained(sdxl / "unet", max_shard_size="800KB")
    sigma = save_tiny("pixart-sigma", root / "base")
    (root / "sigma").mkdir()
    (sigma / "transformer").rename(root / "sigma" / "transformer")
    scorer = root / "scorer"
    rewrite(scorer, DEMO / "scorer" / "model.safetensors", [hub.SCORER_FILE, "open_clip_pytorch_model.bin"])
    return {
        SD.source: sd,
        SDXL.source: sdxl,
        SIGMA.source: root / "sigma",
        SIGMA.base: sigma,
        hub.SCORER: scorer,
    }
