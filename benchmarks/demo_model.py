"""Measure the demo checkpoint: ``python benchmarks/demo_model.py`` prints Markdown for a README.

Four questions: how far the pixel judge can be trusted (drawn scenes, and the same through the checkpoint's
autoencoder); how often a generated picture shows what its caption says; how often the scorer picks a drawn
scene's caption out of 50; how long a picture takes. Every share is given with its 95 % Wilson interval.

The scorer's 50 captions are distinct texts: the right one, all that differ from it in exactly one attribute
(24, or 28 where the caption names a place), and as many that differ in two as fill up the 50. None of the
others is true of the picture.
"""

import argparse
import json
import statistics
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from comparer.demo import networks  # noqa: E402
from comparer.demo.judge import SceneVerdict, judge  # noqa: E402
from comparer.demo.scenes import EXAMPLES, Scene, held_out, one_attribute_away, random_scene  # noqa: E402
from comparer.models.catalog import CATALOG, DEMO  # noqa: E402
from comparer.stats.intervals import wilson  # noqa: E402

DRAWN = 1000  # scenes for the judge
SCORED = 500  # scenes for the scorer
CHOICES = 50  # captions the scorer chooses among
TIMED = 5  # pictures; the median counts
SHEET = 32  # pictures on the contact sheet
SEEDS = {"drawn": 101, "held-out": 102, "train": 103, "scored": 104}  # training draws from seeds [1..3, step]


def draw(count: int, pairs: str, seed: str) -> list[Scene]:
    """Draw the evaluation's scenes; the same ones each time."""
    rng = np.random.default_rng(SEEDS[seed])
    return [random_scene(rng, pairs) for _ in range(count)]


def share(right: Sequence[bool]) -> str:
    """Write a share and its interval, as in "97.5 % (94.3–98.9)"."""
    if not right:
        return "–"
    low, high = wilson(sum(right), len(right))
    return f"{100 * sum(right) / len(right):.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def agrees(scene: Scene, seen: SceneVerdict) -> tuple[bool, bool, bool, bool]:
    """Say whether the judge saw the scene's background, colour, kind, and all three."""
    (shape,) = scene.shapes
    parts = seen.background == scene.background, seen.colour == shape.colour, seen.kind == shape.kind
    return *parts, all(parts)


def judged_row(title: str, scenes: list[Scene], pictures: list[Image.Image]) -> str:
    """Judge pictures against their scenes: one row of the Markdown table."""
    found = [agrees(scene, judge(picture)) for scene, picture in zip(scenes, pictures, strict=True)]
    return f"| {title} | {len(scenes)} | " + " | ".join(share(column) for column in zip(*found, strict=True)) + " |"


def through_vae(vae: Any, pictures: list[Image.Image], batch: int) -> list[Image.Image]:
    """Encode pictures to the mode of their latents and decode them again."""
    import torch
    from tqdm import tqdm

    decoded = []
    for first in tqdm(range(0, len(pictures), batch), desc="autoencoder", mininterval=5):
        pixels = np.stack([np.asarray(picture) for picture in pictures[first : first + batch]])
        with torch.no_grad():
            latents = vae.encode(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1).latent_dist.mode()
            back = (vae.decode(latents).sample / 2 + 0.5).clamp(0, 1)
        decoded += [Image.fromarray(p) for p in (255 * back).round().byte().permute(0, 2, 3, 1).numpy()]
    return decoded


def load_pipeline(folder: Path, variant: str | None) -> Any:
    """Load the checkpoint in float32 with the scheduler it was saved with."""
    import torch
    from diffusers import StableDiffusionPipeline

    how = {"variant": variant, "dtype": torch.float32, "safety_checker": None}
    pipeline = StableDiffusionPipeline.from_pretrained(folder, **how)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generate(pipeline: Any, captions: list[str], steps: int, guidance: float, batch: int) -> list[Image.Image]:
    """Make one picture a caption; the seed of each is its number."""
    import torch
    from tqdm import tqdm

    pictures: list[Image.Image] = []
    with tqdm(total=len(captions), desc="pictures", mininterval=5) as bar:
        for first in range(0, len(captions), batch):
            some = captions[first : first + batch]
            noise = [torch.Generator("cpu").manual_seed(first + i) for i in range(len(some))]
            pictures += pipeline(some, num_inference_steps=steps, guidance_scale=guidance, generator=noise).images
            bar.update(len(some))
    return pictures


def choices(scene: Scene, rng: np.random.Generator) -> list[str]:
    """List 50 distinct captions, the scene's own first; see the module's docstring for the others."""
    near = one_attribute_away(scene)
    captions = list(dict.fromkeys([scene.caption(), *(other.caption() for other in near)]))
    farther = {far.caption() for other in near for far in one_attribute_away(other)} - set(captions)
    fill = rng.choice(sorted(farther), CHOICES - len(captions), replace=False)
    return captions + [str(caption) for caption in fill]


def load_scorer(folder: Path) -> tuple[Any, Any]:
    """Load the scorer in float32. Returns (open_clip model, tokenizer)."""
    from open_clip.model import CLIP
    from open_clip.tokenizer import SimpleTokenizer
    from safetensors.torch import load_file

    model = CLIP(**json.loads((folder / f"{networks.SCORER_NAME}.json").read_text()))
    model.load_state_dict({key: value.float() for key, value in load_file(folder / "model.safetensors").items()})
    return model.eval(), SimpleTokenizer(str(folder / "bpe.txt.gz"), context_length=networks.CONTEXT)


def scorer_picks(model: Any, tokenizer: Any, scenes: list[Scene], batch: int = 50) -> list[bool]:
    """Say for each drawn scene whether its own caption scores above the 49 others."""
    import torch
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    from tqdm import tqdm

    rng = np.random.default_rng(SEEDS["scored"])
    offered = [choices(scene, rng) for scene in scenes]
    texts = sorted({caption for captions in offered for caption in captions})
    number = {text: i for i, text in enumerate(texts)}
    mean, std = (torch.tensor(value)[:, None, None] for value in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))
    right = []
    with torch.no_grad():
        starts = tqdm(range(0, len(texts), 500), desc="captions", mininterval=5)
        known = torch.cat([model.encode_text(tokenizer(texts[i : i + 500]), normalize=True) for i in starts])
        for first in tqdm(range(0, len(scenes), batch), desc="scorer", mininterval=5):
            pixels = np.stack([np.asarray(scene.draw()) for scene in scenes[first : first + batch]])
            picture = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - mean) / std
            seen = model.encode_image(picture, normalize=True)
            for vector, captions in zip(seen, offered[first : first + batch], strict=True):
                scores = known[[number[caption] for caption in captions]] @ vector
                right.append(bool(scores[0] > scores[1:].max()))
    return right


def time_picture(pipeline: Any, steps: int, guidance: float) -> tuple[float, float]:
    """Time single pictures after a warm-up. Returns median seconds and the denoiser's median share of them."""
    spent: list[float] = []
    hooks = [
        pipeline.unet.register_forward_pre_hook(lambda *_: spent.append(-time.perf_counter())),
        pipeline.unet.register_forward_hook(lambda *_: spent.append(time.perf_counter())),
    ]
    whole, shares = [], []
    for _ in range(1 + TIMED):
        spent.clear()
        began = time.perf_counter()
        pipeline(EXAMPLES[0], num_inference_steps=steps, guidance_scale=guidance)
        whole.append(time.perf_counter() - began)
        shares.append(sum(spent) / whole[-1])
    for hook in hooks:
        hook.remove()
    return statistics.median(whole[1:]), statistics.median(shares[1:])


def contact_sheet(scenes: list[Scene], pictures: list[Image.Image], columns: int = 8) -> Image.Image:
    """Lay pictures out with their captions below, in red where the judge saw something else."""
    width, height, side = 140, 180, pictures[0].width
    sheet = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), "white")
    pen = ImageDraw.Draw(sheet)
    for i, (scene, picture) in enumerate(zip(scenes, pictures, strict=True)):
        x, y = i % columns * width + (width - side) // 2, i // columns * height + 6
        sheet.paste(picture, (x, y))
        ink = "black" if agrees(scene, judge(picture))[3] else "red"
        pen.multiline_text((x, y + side + 4), textwrap.fill(scene.caption(), 23), ink, spacing=1)
    return sheet


def main(arguments: list[str] | None = None) -> None:
    """Evaluate a checkpoint and print the tables."""
    parser = argparse.ArgumentParser(prog="python benchmarks/demo_model.py", description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, default=DEMO, help="its folder (default: assets/demo)")
    parser.add_argument(
        "--captions", type=int, default=200, help="held-out captions (%(default)s); half as many others"
    )
    parser.add_argument("--steps", type=int, default=25, help="sampling steps (%(default)s)")
    parser.add_argument("--guidance", type=float, default=CATALOG["demo"].guidance, help="guidance scale (%(default)s)")
    parser.add_argument("--batch", type=int, default=8, help="pictures a call (%(default)s)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    parser.add_argument("--variant", help="weights to load, such as non_ema (default: the averaged ones)")
    parser.add_argument("--sheet", type=Path, help=f"save the first {SHEET} held-out captions' pictures here, as PNG")
    options = parser.parse_args(arguments)
    if not (options.checkpoint / "model_index.json").exists():
        parser.error(f"there is no checkpoint in '{options.checkpoint}': make one with comparer.demo.train")

    from comparer.models.libraries import prepare

    prepare()
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    pipeline = load_pipeline(options.checkpoint, options.variant)
    rows = []
    # No held-out pair is a circle or a hexagon, the two that are hardest to tell apart: so all pairs as well.
    for pairs in ("held-out", "all"):
        scenes = draw(DRAWN, pairs, "drawn")
        drawn = [scene.draw() for scene in scenes]
        decoded = through_vae(pipeline.vae, drawn, options.batch)
        rows.append(judged_row(f"drawn, {pairs} pairs", scenes, drawn))
        rows.append(judged_row(f"drawn, {pairs} pairs, through the autoencoder", scenes, decoded))
    how = options.steps, options.guidance, options.batch
    for pairs, count, title in (
        ("held-out", options.captions, "generated, held-out pairs"),
        ("train", max(1, options.captions // 2), "generated, training pairs"),
    ):
        scenes = draw(count, pairs, pairs)
        pictures = generate(pipeline, [scene.caption() for scene in scenes], *how)
        rows.append(judged_row(title, scenes, pictures))
        if pairs == "held-out" and options.sheet:
            contact_sheet(scenes[:SHEET], pictures[:SHEET]).save(options.sheet)
    scored = draw(SCORED, "all", "scored")
    picks = scorer_picks(*load_scorer(options.checkpoint / "scorer"), scored)
    apart = [held_out(scene.shapes[0].colour, scene.shapes[0].kind) for scene in scored]
    groups = {"all pairs": picks}
    for title, out in (("training pairs", False), ("held-out pairs", True)):
        groups[title] = [pick for pick, is_out in zip(picks, apart, strict=True) if is_out == out]
    seconds, denoising = time_picture(pipeline, options.steps, options.guidance)
    sampler = f"{pipeline.scheduler.config._class_name.removesuffix('Scheduler')}, {options.steps} steps"
    weights = options.variant or "averaged"
    print(f"Pictures: {sampler}, guidance {options.guidance:g}, {weights} weights, float32; seed = caption's number.")
    print("Shares with 95 % Wilson intervals, read from the pixels by a judge that is no network. Held-out pairs of")
    print("colour and kind were never in training.\n")
    print("| pictures | n | background | colour | kind | all three |", "| --- " * 6 + "|", *rows, sep="\n")
    print(
        f"\nThe scorer's choice among {CHOICES} captions: the right one, all that differ from it in one attribute, and"
    )
    print("others that differ in two.\n\n| drawn scenes | n | right caption |\n| --- | --- | --- |")
    print("\n".join(f"| {title} | {len(group)} | {share(group)} |" for title, group in groups.items()))
    print(f"\nOne picture alone: {seconds:.2f} s, {100 * denoising:.0f} % of it in the denoiser (CPU, threads: "
          f"{torch.get_num_threads()}; median of {TIMED} after a warm-up).")  # fmt: skip


if __name__ == "__main__":
    main()
