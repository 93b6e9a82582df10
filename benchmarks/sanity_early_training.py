"""Train a denoiser for a while with the demo's own code, and let ``check`` judge both halves on the way.

    python benchmarks/sanity_early_training.py WORK --steps 300 600 1000

One training, stopped at each of these numbers of steps; the demo's has 3300. Everything is kept in ``WORK``: the same
command goes on where it was stopped.
"""

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path

from common import machine, table

from comparer.config import Config
from comparer.models.catalog import DEMO
from comparer.models.libraries import prepare

PARTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
LEARNED = ("unet", "text_encoder")  # what has an EMA and a raw half
LATENTS = 2000  # scenes that it learns from


def begun(kept: Path, seed: int, steps: int) -> Path:
    """Train denoiser and text encoder with the demo's own code; keep raw and averaged weights in a folder.

    The learning rate is that of the demo's plan until it would begin to fall. A training of fewer steps in the same
    folder goes on.
    """
    prepare()
    from diffusers import AutoencoderKL
    from safetensors.torch import save_file
    from transformers import CLIPTokenizer

    from comparer.demo.train import PLANS, train_denoiser

    done = kept / f"{steps}.done"
    if done.is_file():
        return kept
    kept.mkdir(parents=True, exist_ok=True)
    vae, tokenizer = AutoencoderKL.from_pretrained(DEMO / "vae"), CLIPTokenizer.from_pretrained(DEMO / "tokenizer")
    vocabulary = json.loads((DEMO / "text_encoder" / "config.json").read_text())["vocab_size"]
    plan = replace(PLANS["denoiser"], steps=steps, flat=0.9999)
    both, ema, _, _ = train_denoiser(vae.float().eval(), tokenizer, kept, "cpu", vocabulary, plan, seed, LATENTS)
    for part in LEARNED:
        averaged = {name.partition(".")[2]: value for name, value in ema.items() if name.startswith(f"{part}.")}
        for half, content in (("raw", both[part].state_dict()), ("ema", averaged)):
            halves = {name: value.detach().half().contiguous() for name, value in content.items()}
            save_file(halves, kept / f"{part}.{half}.safetensors", {"format": "pt"})
    done.touch()
    return kept


def later(work: Path, listed: list[int]) -> str:
    """Train one denoiser further and further, check both halves each time; return what was measured as Markdown."""
    from comparer.sanity.check import check

    rows = []
    for steps in sorted(listed):
        trained = begun(work / "later", 0, steps)
        folder = work / f"later-{steps}"
        if not folder.is_dir():
            shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("scorer", "README.md", "training.json"))
            for part in LEARNED:
                shutil.copy(trained / f"{part}.raw.safetensors", folder / part / f"{PARTS[part]}.non_ema.safetensors")
                shutil.copy(trained / f"{part}.ema.safetensors", folder / part / f"{PARTS[part]}.safetensors")
        (*_, report) = check(str(folder), Config(runs=work / "runs", trusted=True))
        for half in report.halves:
            told = [str(steps), half.half, f"{half.score:.1f}", f"{half.wins} of {len(half.own)}", f"{half.detail:.2f}"]
            rows.append([*told, report.judgement.kind])
    return table(["steps", "half", "CLIP score", "own prompt highest", "bits a pixel", "judged, both halves"], rows)


def main() -> None:
    """Train, judge, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="where everything is kept")
    parser.add_argument("--steps", type=int, nargs="+", default=[300, 600, 1000], metavar="N")
    options = parser.parse_args()
    print(machine("cpu"), "", later(options.work.absolute(), options.steps), sep="\n")


if __name__ == "__main__":
    main()
