"""Train the demo checkpoint: ``python -m comparer.demo.train``.

Four trainings: the scorer; the autoencoder; then, on its fixed latents, the denoiser together with its text encoder;
and more training of the decoder. Each is saved every two minutes under ``--work`` and resumed from there.
``--only`` runs one of them, so that two can share a machine. When all are done, the checkpoint is written to ``--out``.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from comparer.demo import networks
from comparer.demo.loop import TrainingPlan, autocast, fit
from comparer.demo.scenes import KINDS, PLACES, Scene, Shape, one_attribute_away, random_scene
from comparer.demo.scenes import held_out as is_held_out

PLANS = {
    "vae": TrainingPlan("vae", steps=4000, batch=16, peak=1.5e-3),
    "decoder": TrainingPlan("decoder", steps=2500, batch=6, peak=5e-4, flat=0.3),
    "scorer": TrainingPlan("scorer", steps=1800, batch=128, peak=1e-3, flat=0.2),
    "denoiser": TrainingPlan("denoiser", steps=3300, batch=64, peak=1e-3, warmup=200, ema=0.999),
}
LATENTS = 24_000  # scenes whose latents are kept for the denoiser
EMPTY = 0.1  # share of captions replaced by "" for classifier-free guidance


def pixels(scenes: list[Scene]):  # noqa: ANN201
    """Render scenes as a float tensor of n × 3 × 128 × 128 in −1..1."""
    import torch

    drawn = np.stack([np.asarray(scene.draw()) for scene in scenes])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 127.5 - 1


def train_vae(work: Path, device: str):  # noqa: ANN201
    """Train the VAE on 64×64 crops around the shape, and on whole images in every fourth step."""
    import torch

    torch.manual_seed(1)
    plan, vae = PLANS["vae"], networks.new_vae().to(device)

    def loss_at(step: int):  # noqa: ANN202
        rng = np.random.default_rng([1, step])
        whole = step % 4 == 3
        scenes = [random_scene(rng) for _ in range(plan.batch // 4 if whole else plan.batch)]
        picture = pixels(scenes)
        if not whole:
            corners = [
                [min(max(int(128 * c + rng.integers(-56, 57)) - 32, 0), 64) for c in (s.shapes[0].x, s.shapes[0].y)]
                for s in scenes
            ]
            picture = torch.stack([p[:, y : y + 64, x : x + 64] for p, (x, y) in zip(picture, corners, strict=True)])
        picture = picture.to(device)
        with autocast(device):
            posterior = vae.encode(picture).latent_dist
            decoded = vae.decode(posterior.sample()).sample
        error = decoded.float() - picture
        return error.abs().mean() + error.square().mean() + 1e-6 * posterior.kl().mean()

    _, record = fit(plan, vae, loss_at, work, device)
    standardise(vae, device)
    return vae.eval().requires_grad_(False), record


def standardise(vae, device: str) -> None:  # noqa: ANN001
    """Normalize every latent channel to mean 0 and deviation 1, by folding both into the two 1×1 convolutions.

    Stable Diffusion has one scaling factor for all channels; here the channel with the smallest deviation, which
    carries the edges, would have a sixth of the largest, and the denoiser would learn it last. Images are unchanged.
    """
    import torch

    rng = np.random.default_rng([1, -1 % 2**32])
    picture = pixels([random_scene(rng) for _ in range(256)]).to(device)
    with torch.no_grad():
        latents = torch.cat([vae.encode(part).latent_dist.mode() for part in picture.split(32)])
        mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
        after, before = vae.post_quant_conv, vae.quant_conv
        after.bias += (after.weight[..., 0, 0] * mean).sum(1)
        after.weight *= std[None, :, None, None]
        before.weight[:4] /= std[:, None, None, None]
        before.bias[:4] = (before.bias[:4] - mean) / std
        before.bias[4:] -= 2 * std.log()


def train_decoder(vae, work: Path, device: str):  # noqa: ANN001, ANN201
    """Train the decoder further on whole images; the encoder, and so the denoiser's latents, stay fixed."""
    import torch

    torch.manual_seed(4)
    plan, decoder = PLANS["decoder"], torch.nn.ModuleList([vae.post_quant_conv, vae.decoder]).requires_grad_(True)

    def loss_at(step: int):  # noqa: ANN202
        rng = np.random.default_rng([4, step])
        picture = pixels([random_scene(rng) for _ in range(plan.batch)]).to(device)
        with torch.no_grad():
            latents = vae.encode(picture).latent_dist.mode()
        # The denoiser's latents are slightly inaccurate: the decoder should tolerate that.
        latents = latents + 0.1 * torch.rand(len(latents), 1, 1, 1, device=device) * torch.randn_like(latents)
        with autocast(device):
            decoded = vae.decode(latents).sample
        error = decoded.float() - picture
        return error.abs().mean() + error.square().mean()

    _, record = fit(plan, decoder, loss_at, work, device)
    vae.eval().requires_grad_(False)
    return record


def train_scorer(work: Path, device: str, vocabulary: int):  # noqa: ANN201
    """Train contrastively; half of every batch are scenes one attribute away from the other half.

    Two linear heads that predict the kind and the place from the image's embedding help the scorer learn them; they are
    dropped afterwards. Without them a scorer of this size learned the colours and neither kind nor place.
    """
    import torch
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    from open_clip.loss import ClipLoss
    from open_clip.tokenizer import SimpleTokenizer

    torch.manual_seed(2)
    plan, scorer = PLANS["scorer"], networks.new_scorer(vocabulary)
    heads = torch.nn.ModuleDict({"kind": torch.nn.Linear(64, len(KINDS)), "place": torch.nn.Linear(64, len(PLACES))})
    both = torch.nn.ModuleDict({"scorer": scorer, "heads": heads}).to(device)
    tokenize = SimpleTokenizer(str(work / "scorer" / "bpe.txt.gz"), context_length=networks.CONTEXT)
    contrast = ClipLoss()

    def loss_at(step: int):  # noqa: ANN202
        rng = np.random.default_rng([2, step])
        scenes = [random_scene(rng) for _ in range(plan.batch // 2)]
        for scene in scenes[:]:
            near = [s for s in one_attribute_away(scene) if not is_held_out(s.shapes[0].colour, s.shapes[0].kind)]
            scenes.append(near[rng.integers(len(near))])
        mean, std = (torch.tensor(v)[:, None, None] for v in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))
        picture = ((pixels(scenes) + 1) / 2 + 0.02 * torch.randn(len(scenes), 3, 1, 1) - mean) / std
        tokens = tokenize([scene.caption() for scene in scenes])
        with autocast(device):
            seen, read, scale = scorer(picture.to(device), tokens.to(device))
        seen = seen.float()
        named = {"kind": torch.tensor([KINDS.index(scene.shapes[0].kind) for scene in scenes])}
        named["place"] = torch.tensor([nearest_place(scene.shapes[0]) for scene in scenes])
        help = [torch.nn.functional.cross_entropy(heads[k](10 * seen), named[k].to(device)) for k in heads]
        return contrast(seen, read.float(), scale.float().clamp(max=100)) + sum(help)

    _, record = fit(plan, both, loss_at, work, device)
    return scorer.eval(), record


def nearest_place(shape: Shape) -> int:
    """Return the number of the place where the shape is, named or not."""
    return min(
        range(len(PLACES)),
        key=lambda i: sum((a - b) ** 2 for a, b in zip(list(PLACES.values())[i], (shape.x, shape.y), strict=True)),
    )


def encode_scenes(vae, tokenizer, work: Path, device: str, count: int = LATENTS):  # noqa: ANN001, ANN201
    """Encode the denoiser's scenes once. Returns latents of unit variance, token ids and the scaling factor."""
    import torch
    from tqdm import tqdm

    path = work / "latents.pt"
    if not path.exists():
        latents, captions = [], []
        for first in tqdm(range(0, count, 100), desc="latents", mininterval=5):
            rng = np.random.default_rng([3, first])
            scenes = [random_scene(rng) for _ in range(100)]
            captions += [scene.caption() for scene in scenes]
            with torch.no_grad(), autocast(device):
                latents.append(vae.encode(pixels(scenes).to(device)).latent_dist.mode().float().cpu())
        tokens = tokenizer(captions, padding="max_length", max_length=networks.CONTEXT, return_tensors="pt")
        stack = torch.cat(latents)
        scale = 1 / stack.std().item()
        torch.save({"latents": stack * scale, "tokens": tokens.input_ids, "scale": scale}, path)
    kept = torch.load(path, weights_only=True)
    return kept["latents"], kept["tokens"], kept["scale"]


def train_denoiser(  # noqa: ANN201
    vae,  # noqa: ANN001
    tokenizer,  # noqa: ANN001
    work: Path,
    device: str,
    vocabulary: int,
    plan: TrainingPlan = PLANS["denoiser"],
    seed: int = 3,
    count: int = LATENTS,
):
    """Train denoiser and text encoder to predict v, at time steps spread evenly over every batch.

    ``seed`` is the seed of the initial weights, ``count`` the number of training scenes.
    """
    import torch
    from diffusers import DDIMScheduler

    torch.manual_seed(seed)
    latents, tokens, scale = encode_scenes(vae, tokenizer, work, device, count)
    empty = tokenizer([""], padding="max_length", max_length=networks.CONTEXT, return_tensors="pt").input_ids
    both = torch.nn.ModuleDict({"unet": networks.new_unet(), "text_encoder": networks.new_text_encoder(vocabulary)})
    both.to(device)
    scheduler = DDIMScheduler(**networks.SCHEDULER_CONFIG)

    def loss_at(step: int):  # noqa: ANN202
        pick = torch.randint(len(latents), (plan.batch,))
        ids = torch.where(torch.rand(plan.batch, 1) < EMPTY, empty, tokens[pick])
        clean, noise = latents[pick], torch.randn(plan.batch, *latents.shape[1:])
        times = ((torch.arange(plan.batch) + torch.rand(plan.batch)) * 1000 / plan.batch).long()
        noisy, target = scheduler.add_noise(clean, noise, times), scheduler.get_velocity(clean, noise, times)
        with autocast(device):
            states = both["text_encoder"](ids.to(device)).last_hidden_state
            predicted = both["unet"](noisy.to(device), times.to(device), states).sample
        return (predicted.float() - target.to(device)).square().mean()

    ema, record = fit(plan, both, loss_at, work, device)
    return both.eval(), ema, scale, record


def export(out: Path, vae, both, ema, scorer, scale: float, vocabulary: int) -> None:  # noqa: ANN001
    """Save the checkpoint in half precision: a diffusers folder, with the scorer in ``scorer/``."""
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline
    from safetensors.torch import save_file
    from transformers import CLIPTokenizer

    networks.write_tokenizers(out / "tokenizer", out / "scorer")
    vae.register_to_config(scaling_factor=scale)
    for variant in ("non_ema", None):  # the averaged weights last: they are the default
        if variant is None:
            both.load_state_dict(ema)
        pipeline = StableDiffusionPipeline(
            vae=vae,
            text_encoder=both["text_encoder"],
            tokenizer=CLIPTokenizer.from_pretrained(out / "tokenizer"),
            unet=both["unet"],
            scheduler=DDIMScheduler(**networks.SCHEDULER_CONFIG),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        ).to(torch.float16)
        if variant:
            for part in ("unet", "text_encoder"):
                getattr(pipeline, part).save_pretrained(out / part, variant=variant)
            pipeline.to(torch.float32)
        else:
            pipeline.save_pretrained(out)
    # transformers computes in the dtype that its config names, diffusers in float32 unless it is told otherwise: a
    # script that names none would mix the two.
    config = out / "text_encoder" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dtype": "float32"}, indent=2) + "\n")
    save_file({k: v.half().contiguous() for k, v in scorer.state_dict().items()}, out / "scorer" / "model.safetensors")
    (out / "scorer" / f"{networks.SCORER_NAME}.json").write_text(
        json.dumps(networks.scorer_config(vocabulary), indent=2) + "\n"
    )


def main(arguments: list[str] | None = None) -> None:
    """Run the requested trainings; save the checkpoint when all have been run."""
    parser = argparse.ArgumentParser(prog="python -m comparer.demo.train", description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("build/demo"), help="state of the trainings (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("assets/demo"), help="the checkpoint (%(default)s)")
    parser.add_argument("--only", choices=PLANS, help="train only this")
    parser.add_argument("--device", help="cuda or cpu (default: cuda where there is one)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    options = parser.parse_args(arguments)

    from comparer.models.libraries import prepare

    prepare()
    import torch
    from transformers import CLIPTokenizer

    if options.threads:
        torch.set_num_threads(options.threads)
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    work = options.work
    vocabulary = networks.write_tokenizers(work / "tokenizer", work / "scorer")
    tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
    if options.only in (None, "scorer"):
        scorer, scored = train_scorer(work, device, vocabulary)
    if options.only != "scorer":
        vae, encoded = train_vae(work, device)
    if options.only in (None, "denoiser"):
        both, ema, scale, denoised = train_denoiser(vae, tokenizer, work, device, vocabulary)
    if options.only in (None, "decoder"):  # last: the denoiser's latents were encoded before it
        decoded = train_decoder(vae, work, device)
    if options.only is None:
        export(options.out, vae, both, ema, scorer, scale, vocabulary)
        record = {"vae": encoded, "decoder": decoded, "scorer": scored, "denoiser": denoised, "scaling_factor": scale}
        (options.out / "training.json").write_text(json.dumps(record, indent=1) + "\n")
        print(f"Wrote the demo checkpoint to {options.out}.")


if __name__ == "__main__":
    main()
