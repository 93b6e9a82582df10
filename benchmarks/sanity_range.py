"""What healthy pictures measure: the range of the demo checkpoint, and the numbers behind the limits of ``check``.

    python benchmarks/sanity_range.py WORK

Makes the check's four prompts with 24 seeds that no check uses, and 48 other prompts with two, from both halves of the
demo; measures photographs that come with gradio, pictures decoded from noise, and noise. Writes
``comparer/sanity/demo.json`` and prints Markdown. Pictures are kept in ``WORK``: the same command goes on.
"""

import argparse
import importlib.util
import json
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, machine, table
from PIL import Image

from comparer.checkpoints.files.components import block_of
from comparer.checkpoints.files.scan import look
from comparer.checkpoints.files.tensors import reading
from comparer.checkpoints.find import resolve
from comparer.config import Config
from comparer.models.catalog import DEMO
from comparer.pipelines import loader
from comparer.request.prompt_files import read_prompt_file
from comparer.sanity import spectrum
from comparer.sanity.expectations import RANGE, base_of, settings_of
from comparer.sanity.image_measures import RULES, measure
from comparer.sanity.sampling import draw

SEEDS = range(1000, 1024)  # a check has 0 and 1
OTHERS = (1100, 1101)
SPREADS = 4
NOISE = 100
SIZE = 512  # of photographs, Stable Diffusion's

Measures = dict[str, float]


def demo(work: Path) -> tuple[list[dict[str, Any]], list[Measures]]:
    """Make the demo's pictures; return those of the check's prompts, with scores, and the measures of the others."""
    from comparer.metrics.clip import demo_scorer

    config, own, others = Config(), [], []
    checkpoint = resolve("demo", config)
    settings, scorer = settings_of(checkpoint, base_of(checkpoint)), demo_scorer(DEMO / "scorer")
    prompts = read_prompt_file(ROOT / "assets" / "prompts" / "demo.csv").prompts[:48]
    for half, variant in (("ema", None), ("raw", "non_ema")):
        loaded = loader.load(replace(checkpoint, variant=variant), config)
        for asked, seeds in ((settings, SEEDS), (replace(settings, prompts=tuple(prompts)), OTHERS)):
            for prompt, seed in [(p, seed) for seed in seeds for p in range(len(asked.prompts))]:
                kept = work / f"{half}_{len(asked.prompts)}_{prompt}_{seed}.json"
                if not kept.is_file():
                    picture, measures = draw(loaded, asked, prompt, seed)
                    (score,) = scorer.score([picture], [asked.prompts[prompt]])
                    kept.write_text(json.dumps({"half": half, "seed": seed, "clip": score, **measures}))
                found = json.loads(kept.read_text())
                (own if asked is settings else others).append(found)
    return own, others


def ranges(own: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the range of the means of checks: four prompts and two seeds each."""
    seeds, found = list(SEEDS), {}
    for name, sides in (("clip", (-1,)), ("detail", (1,))):
        means = [
            statistics.fmean(one[name] for one in own if one["half"] == half and one["seed"] in seeds[i : i + 2])
            for half in ("ema", "raw")
            for i in range(0, len(seeds), 2)
        ]
        mean, spread = statistics.fmean(means), statistics.stdev(means)
        low, high = (mean + side * SPREADS * spread if side in sides else None for side in (-1, 1))
        found[name] = {"mean": mean, "spread": spread, "checks": len(means), "low": low, "high": high}
    return found


def photographs() -> Iterator[Image.Image]:
    """Yield the middle squares of the photographs that come with gradio."""
    package = Path(importlib.util.find_spec("gradio").origin).parent
    for path in sorted((package / "media_assets" / "images").glob("*.jp*g")):
        picture = Image.open(path).convert("RGB")
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        yield picture.crop((left, top, left + side, top + side)).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def noise() -> tuple[list[Measures], list[Measures]]:
    """Measure pictures that the demo's VAE decodes from normal noise, and uniform noise."""
    import torch

    config = Config()
    vae = loader.load(resolve("demo", config), config).pipe.vae
    torch.manual_seed(0)
    decoded = []
    for _ in range(NOISE):
        with torch.no_grad():
            values = vae.decode(torch.randn(1, 4, 16, 16) / vae.config.scaling_factor).sample[0].permute(1, 2, 0)
        decoded.append(measure(Image.fromarray(_levels(values.numpy())), values.numpy()))
    rng = np.random.default_rng(0)
    white = [Image.fromarray(rng.integers(0, 256, (128, 128, 3), dtype=np.uint8)) for _ in range(NOISE)]
    return decoded, [measure(picture) for picture in white]


def _levels(decoded: np.ndarray) -> np.ndarray:
    return (255 * np.clip(decoded / 2 + 0.5, 0, 1)).round().astype(np.uint8)


def blocks() -> list[list[str]]:
    """Measure the largest singular values of every block of the demo, as they are and with their values shuffled."""
    import torch

    torch.manual_seed(0)
    rows = []
    for part in look(DEMO).parts:
        found: dict[str, list[tuple[float, float]]] = {}
        with reading(part.tensors) as read:
            for tensor in part.tensors:
                if spectrum.is_matrix(tensor):
                    value = read(tensor)
                    shuffled = value.flatten()[torch.randperm(value.numel())].reshape(value.shape)
                    both = spectrum.relative(value), spectrum.relative(shuffled)
                    found.setdefault(block_of(tensor.name), []).append(both)
        most = [tuple(map(max, zip(*inside, strict=True))) for inside in found.values()
                if len(inside) >= spectrum.MATRICES]  # fmt: skip
        least, highest = min(own for own, _ in most), max(other for _, other in most)
        rows.append([part.title, str(len(most)), f"{least:.2f}", f"{highest:.2f}"])
    return rows


def row(title: str, measured: list[Measures]) -> list[str]:
    """Write the least and the most of every measure."""
    told = [title, str(len(measured))]
    for name, rule in {**RULES, "detail": None}.items():
        values = [measures[name] for measures in measured if name in measures]
        form = rule.form if rule else ".2f"
        told.append(f"{min(values):{form}} to {max(values):{form}}" if values else "")
    return told


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="where what was measured is kept")
    work = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    own, others = demo(work)
    found = ranges(own)
    how = (
        f"DDIM, 25 steps, guidance 2, float32 on a CPU; the check's 4 prompts, seeds {SEEDS[0]} to {SEEDS[-1]}, "
        f"EMA and raw: {len(own)} pictures"
    )
    RANGE.write_text(json.dumps({"how": how, "ranges": found}, indent=1) + "\n")
    decoded, white = noise()
    rows = [
        row("demo, the check's prompts", own),
        row("demo, 48 other prompts", others),
        row(f"photographs at {SIZE} pixels", [measure(picture) for picture in photographs()]),
        row("decoded from noise", decoded),
        row("uniform noise", white),
    ]
    print(machine("cpu"), "", how, "", table(["pictures", "n", *RULES, "detail"], rows), "", sep="\n")
    told = [
        [name, f"{each['mean']:.2f}", f"{each['spread']:.3f}", str(each["checks"]),
         "; ".join(f"{side} {each[side]:.2f}" for side in ("low", "high") if each[side] is not None)]
        for name, each in found.items()
    ]  # fmt: skip
    head = ["component", "blocks", "as they are: least", "shuffled: most"]
    print(table(head, blocks()), "", sep="\n")
    print(table(["mean over a check's 8 pictures", "mean", "standard deviation", "checks", "limit"], told))


if __name__ == "__main__":
    main()
