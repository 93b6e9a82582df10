"""What ``start.py`` compares with: the same calls in a bare script.

``python benchmarks/speed_bare_script.py`` loads the demo checkpoint with diffusers alone and makes two comparisons'
calls: untimed ones and kept ones, without and with the DeepCache package. It says "picture" when one is saved, and ends
with a line of JSON: the seconds of the second comparison, and the machine. It neither scores nor records anything.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from common import PROMPT, ROOT, machine

from comparer.models.catalog import CATALOG
from comparer.models.libraries import prepare


def load() -> Any:
    """Load the demo checkpoint on the fastest device, as its users would."""
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline
    from diffusers.utils import logging

    logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.float16 if device == "cuda" else torch.float32
    pipe = StableDiffusionPipeline.from_pretrained(ROOT / "assets" / "demo", dtype=dtype, safety_checker=None)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


def main() -> None:
    """Make the calls, save the pictures and tell when."""
    folder = Path(sys.argv[1])
    prepare()
    import torch
    from DeepCache import DeepCacheSDHelper

    demo, pipe = CATALOG["demo"], load()
    helper = DeepCacheSDHelper(pipe=pipe)
    helper.set_params(cache_interval=3)

    def call(seed: int, fast: bool) -> Any:
        if fast:
            helper.enable()
        made = pipe(
            PROMPT,
            num_inference_steps=demo.steps,
            guidance_scale=demo.guidance,
            width=demo.size,
            height=demo.size,
            generator=torch.Generator("cpu").manual_seed(seed),
        )
        if fast:
            helper.disable()
        return made.images[0]

    for seed in range(2):
        began = time.perf_counter()
        for kept in (False, True):
            for fast in (False, True):
                picture = call(seed, fast)
                if kept:
                    picture.save(folder / f"{seed}-{fast}.png")
                    print("picture", flush=True)
    print(json.dumps({"second": time.perf_counter() - began, "machine": machine(str(pipe.device))}))


if __name__ == "__main__":
    main()
