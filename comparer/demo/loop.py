"""One training loop for all three networks: seeded by step, saved often, resumable."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from comparer.atomic import replacing

SAVE_EVERY = 120  # seconds


@dataclass(frozen=True)
class TrainingPlan:
    """Length and learning rate schedule of one network's training.

    ``peak`` is the learning rate after ``warmup`` steps; it decays along a cosine to 2 % of itself over the
    last (1 − ``flat``) of the steps.
    """

    name: str
    steps: int
    batch: int
    peak: float
    warmup: int = 100
    flat: float = 0.4
    ema: float = 0.0  # decay of the averaged weights; 0 keeps none

    def rate(self, step: int) -> float:
        """Return the learning rate at this step."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        done = max(0.0, (step / self.steps - self.flat) / (1 - self.flat))
        return self.peak * (0.02 + 0.98 * (1 + math.cos(math.pi * min(done, 1.0))) / 2)


def autocast(device: str):  # noqa: ANN201
    """Compute in bfloat16 where the device has it: a CPU without it is ten times slower in it."""
    import torch

    native = device != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device, torch.bfloat16, enabled=native)


def fit(plan: TrainingPlan, module, loss_at: Callable, folder: Path, device: str):  # noqa: ANN001, ANN201
    """Train ``module`` in place and return (EMA state dict or None, record of the training).

    Args:
        plan: steps, batch and rates.
        module: the torch module whose parameters are trained.
        loss_at: step -> scalar loss; samples its batch from generators seeded with the step alone, so that
            a resumed training continues with the same batches.
        folder: where ``<name>.pt`` is saved every two minutes and at the end.
        device: recorded only.
    """
    import torch
    from tqdm import tqdm

    path = folder / f"{plan.name}.pt"
    optimizer = torch.optim.AdamW(module.parameters(), lr=plan.peak, betas=(0.9, 0.99), weight_decay=0.01)
    ema = {k: v.detach().clone() for k, v in module.state_dict().items()} if plan.ema else None
    start, spent, losses = 0, 0.0, []
    if path.exists():
        state = torch.load(path, map_location=device, weights_only=True)
        module.load_state_dict(state["module"])
        optimizer.load_state_dict(state["optimizer"])
        ema, start, spent, losses = state["ema"], state["step"], state["seconds"], state["losses"]

    began = saved = time.monotonic()

    def save(step: int) -> None:
        state = {"module": module.state_dict(), "optimizer": optimizer.state_dict(), "ema": ema, "step": step}
        state |= {"seconds": spent + time.monotonic() - began, "losses": losses}
        with replacing(path) as partial:
            torch.save(state, partial)

    module.train()
    bar = tqdm(range(start, plan.steps), initial=start, total=plan.steps, desc=plan.name, mininterval=5)
    recent: list[float] = []
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = plan.rate(step)
        torch.manual_seed(1_000_003 * (step + 1))
        loss = loss_at(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        if ema:
            decay = min(plan.ema, (1 + step) / (10 + step))
            for key, value in module.state_dict().items():
                if value.is_floating_point():
                    ema[key].lerp_(value, 1 - decay)
        recent.append(loss.item())
        if len(recent) == 100 or step + 1 == plan.steps:
            losses.append([step + 1, sum(recent) / len(recent)])
            bar.set_postfix(loss=f"{losses[-1][1]:.4f}")
            recent = []
        if time.monotonic() - saved > SAVE_EVERY:
            save(step + 1)
            saved = time.monotonic()
    if start < plan.steps:
        save(plan.steps)
    seconds = spent + (time.monotonic() - began if start < plan.steps else 0)
    record = {"steps": plan.steps, "batch": plan.batch, "seconds": round(seconds), "device": device}
    return ema, record | {"losses": losses}
