"""Plant faults in the demo checkpoint and let ``check`` judge every copy without knowing which is which.

    python benchmarks/sanity_planted_faults.py WORK

Writes five healthy copies and three seeded variants of each of seven faults below ``WORK``, under names that mean
nothing; which is which stands in ``WORK/key.json``, outside the folder that is judged. ``check`` then judges folder
after folder in the order of their names, and only when all are judged is the key opened. Everything is kept: the same
command goes on where it was stopped.
"""

import argparse
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from common import machine, table
from sanity_early_training import LEARNED, PARTS, begun

from comparer.config import Config
from comparer.models.catalog import DEMO
from comparer.models.libraries import prepare

STEPS = (60, 100, 150)  # of the demo's 3300, for the weights early in training
KINDS = ("healthy", "suspicious", "broken")

Weights = dict[str, Any]


def weights(folder: Path, part: str, variant: str = "") -> Weights:
    """Read a component's weights."""
    from safetensors.torch import load_file

    return load_file(folder / part / f"{PARTS[part]}{variant}.safetensors")


def write(folder: Path, part: str, content: Weights, variant: str = "") -> None:
    """Write a component's weights."""
    from safetensors.torch import save_file

    content = {name: value.contiguous() for name, value in content.items()}
    save_file(content, folder / part / f"{PARTS[part]}{variant}.safetensors", {"format": "pt"})


def configure(folder: Path, name: str, **values: Any) -> None:
    """Change a configuration."""
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values, indent=2))


# The healthy ones.


def as_it_is(folder: Path) -> None:
    """Leave both halves in place."""


def raw_alone(folder: Path) -> None:
    """Make the raw half the only one."""
    for part in LEARNED:
        write(folder, part, weights(folder, part, ".non_ema"))
        (folder / part / f"{PARTS[part]}.non_ema.safetensors").unlink()


def ema_alone(folder: Path) -> None:
    """Take the raw half away."""
    for part in LEARNED:
        (folder / part / f"{PARTS[part]}.non_ema.safetensors").unlink()


def sharded(folder: Path) -> None:
    """Write the U-Net anew in shards of 2 MB."""
    from diffusers import UNet2DConditionModel

    ema_alone(folder)
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", dtype=_half(), use_safetensors=True)
    (folder / "unet" / f"{PARTS['unet']}.safetensors").unlink()
    unet.save_pretrained(folder / "unet", max_shard_size="2MB")


def single_precision(folder: Path) -> None:
    """Write everything in float32, another kind of file for the same values."""
    ema_alone(folder)
    for part in PARTS:
        write(folder, part, {name: value.float() for name, value in weights(folder, part).items()})


def _half() -> Any:
    import torch

    return torch.float16


HEALTHY: dict[str, Callable[[Path], None]] = {
    "as it is": as_it_is,
    "raw alone": raw_alone,
    "EMA alone": ema_alone,
    "in shards": sharded,
    "float32": single_precision,
}


# The faults: each with a generator of its own, on the EMA half alone.


def block_shuffled(folder: Path, rng: random.Random) -> None:
    """Shuffle the values of every tensor of one block of the U-Net."""
    import torch

    from comparer.checkpoints.files.components import block_of

    content = weights(folder, "unet")
    chosen = rng.choice([name for name in dict.fromkeys(map(block_of, content)) if "block" in name])
    torch.manual_seed(rng.randrange(2**31))
    for name, value in content.items():
        if block_of(name) == chosen:
            content[name] = value.flatten()[torch.randperm(value.numel())].reshape(value.shape)
    write(folder, "unet", content)


def scaling_factor(folder: Path, rng: random.Random) -> None:
    """Give the VAE another factor, between 1.4 and 8 times too small or too large."""
    own = json.loads((folder / "vae" / "config.json").read_text())["scaling_factor"]
    configure(folder, "vae/config.json", scaling_factor=own * 2 ** (rng.choice([-1, 1]) * rng.uniform(0.5, 3)))


def prediction_type(folder: Path, rng: random.Random) -> None:
    """Run the v-prediction as epsilon, half of the time with the raw weights, with one of three samplers."""
    if rng.random() < 0.5:
        for part in LEARNED:
            write(folder, part, weights(DEMO, part, ".non_ema"))
    chosen = rng.choice(["DDIMScheduler", "PNDMScheduler", "EulerDiscreteScheduler"])
    configure(folder, "scheduler/scheduler_config.json", prediction_type="epsilon", _class_name=chosen)
    index = json.loads((folder / "model_index.json").read_text())
    configure(folder, "model_index.json", scheduler=[index["scheduler"][0], chosen])


def keys_missing(folder: Path, rng: random.Random) -> None:
    """Leave half of the U-Net's tensors out."""
    content = weights(folder, "unet")
    kept = rng.sample(sorted(content), len(content) // 2)
    write(folder, "unet", {name: content[name] for name in kept})


def not_a_number(folder: Path, rng: random.Random) -> None:
    """Put one NaN into one tensor of one component."""
    part = rng.choice(sorted(PARTS))
    content = weights(folder, part)
    name = rng.choice(sorted(name for name, value in content.items() if value.is_floating_point()))
    flat = content[name].flatten().clone()
    flat[rng.randrange(flat.numel())] = float("nan")
    write(folder, part, content | {name: flat.reshape(content[name].shape)})


def text_encoder_random(folder: Path, rng: random.Random) -> None:
    """Draw the text encoder's weights anew, as its class begins with them."""
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(rng.randrange(2**31))
    CLIPTextModel(CLIPTextConfig.from_pretrained(folder / "text_encoder")).half().save_pretrained(
        folder / "text_encoder"
    )


def early(folder: Path, trained: Path) -> None:
    """Put the raw weights of a training that has just begun in place."""
    for part in LEARNED:
        shutil.copy(trained / f"{part}.raw.safetensors", folder / part / f"{PARTS[part]}.safetensors")


FAULTS: dict[str, Callable[[Path, random.Random], None]] = {
    "one block's weights shuffled": block_shuffled,
    "VAE scaling factor wrong": scaling_factor,
    "v-prediction run as epsilon": prediction_type,
    "half of the keys missing": keys_missing,
    "NaN in one tensor": not_a_number,
    "text encoder random": text_encoder_random,
}
EARLY = "raw weights early in training"


def plant(work: Path, seeds: Sequence[int]) -> Path:
    """Write every case that is not there yet; return the folder of all, whose names mean nothing."""
    prepare()
    cases: list[tuple[str, str, Callable[[Path], None]]] = [("healthy", name, make) for name, make in HEALTHY.items()]
    for fault, spoil in FAULTS.items():
        for seed in seeds:
            # Every fault has its own numbers; a string seeds random alike in every process.
            rng = random.Random(f"{fault} {seed}")
            cases.append((fault, f"seed {seed}", lambda folder, spoil=spoil, rng=rng: _spoil(folder, spoil, rng)))
    for seed, steps in zip(seeds, STEPS, strict=True):
        trained = begun(work / "early" / f"{steps}-steps-{seed}", seed, steps)
        cases.append(
            (EARLY, f"seed {seed}, {steps} steps", lambda folder, it=trained: (ema_alone(folder), early(folder, it))[0])
        )
    names = [f"{number:04x}" for number in random.Random(f"names {seeds}").sample(range(16**4), len(cases))]
    folders = work / "cases"
    for name, (_, _, make) in zip(names, cases, strict=True):
        if not (folders / name).is_dir():
            partial = work / "partial"
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(DEMO, partial, ignore=shutil.ignore_patterns("scorer", "README.md", "training.json"))
            make(partial)
            folders.mkdir(parents=True, exist_ok=True)
            partial.rename(folders / name)
    key = {name: {"fault": fault, "which": which} for name, (fault, which, _) in zip(names, cases, strict=True)}
    (work / "key.json").write_text(json.dumps(key, indent=1) + "\n")
    return folders


def _spoil(folder: Path, spoil: Callable[[Path, random.Random], None], rng: random.Random) -> None:
    ema_alone(folder)
    spoil(folder, rng)


def judge(folders: Path, judged: Path, runs: Path) -> None:
    """Let ``check`` judge every folder, in the order of their names; nothing here knows which is which."""
    from comparer.errors import ComparerError
    from comparer.sanity.check import check

    judged.mkdir(parents=True, exist_ok=True)
    for folder in sorted(folders.iterdir()):
        kept = judged / f"{folder.name}.json"
        if kept.is_file():
            continue
        try:
            (*_, report) = check(str(folder), Config(runs=runs, trusted=True))
            told = report.to_json() | {"card": None}
        except ComparerError as error:
            told = {"judgement": {"kind": "refused", "line": str(error), "why": []}, "seconds": 0.0}
        kept.write_text(json.dumps(told, indent=1) + "\n")
        print(f"{folder.name}: {told['judgement']['line'][:120]}", flush=True)


def opened(work: Path) -> str:
    """Open the key, and write the matrix and every line as Markdown."""
    key = json.loads((work / "key.json").read_text())
    counts: dict[str, Counter] = {}
    lines = []
    for name, case in key.items():
        told = json.loads((work / "judged" / f"{name}.json").read_text())
        said = told["judgement"]
        named = "yes" if any(finding["cause"] for finding in said["why"]) else ""
        counts.setdefault(case["fault"], Counter()).update([said["kind"], "named" if named else ""])
        line = said["line"].partition(": ")[2].replace("|", "/")
        lines.append([case["fault"], case["which"], said["kind"], named, f"{told['seconds']:.0f}", line])
    kinds = [*KINDS, *(["refused"] if any(counted["refused"] for counted in counts.values()) else [])]
    rows = [[fault, *(str(found[kind] or "") for kind in kinds), str(found["named"] or "")]
            for fault, found in counts.items()]  # fmt: skip
    matrix = table(["planted", *kinds, "cause named"], rows)
    return f"{matrix}\n\n" + table(["planted", "which", "judged", "cause named", "seconds", "why"], lines)


def main() -> None:
    """Plant, judge, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="where everything is kept")
    parser.add_argument("--plant", action="store_true", help="only write the cases")
    parser.add_argument("--seeds", type=int, nargs=3, default=[0, 1, 2], metavar="N", help="of the faults (0 1 2)")
    options = parser.parse_args()
    work = options.work.absolute()
    folders = plant(work, options.seeds)
    if options.plant:
        return
    judge(folders, work / "judged", work / "runs")
    print("", machine("cpu"), "", opened(work), sep="\n")


if __name__ == "__main__":
    main()
