"""The accelerators as their packages' own READMEs use them, without Comparer's layer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from comparer.accelerators.deepcache import DeepCache
from comparer.accelerators.registry import Accelerator
from comparer.accelerators.tgate import TGATE
from comparer.accelerators.tome import ToMe, attention_downsamples

LOADERS = {
    "StableDiffusionPipeline": "TgateSDLoader",
    "StableDiffusionXLPipeline": "TgateSDXLLoader",
    "PixArtAlphaPipeline": "TgatePixArtAlphaLoader",
    "PixArtSigmaPipeline": "TgatePixArtSigmaLoader",
}
WITH_DEEPCACHE = {
    "StableDiffusionPipeline": "TgateSDDeepCacheLoader",
    "StableDiffusionXLPipeline": "TgateSDXLDeepCacheLoader",
}


def exists(stack: Sequence[Accelerator]) -> bool:
    """Say whether packages do what the whole stack does: there is none for the guidance cutoff."""
    return all(isinstance(part, DeepCache | ToMe | TGATE) for part in stack)


@contextmanager
def applied(pipe: Any, stack: Sequence[Accelerator]) -> Iterator[Any]:
    """Apply a stack by its packages; yield what is called instead of the pipeline.

    What the packages can undo is undone; T-GATE's cannot, so the caller holds a guard.
    """
    import tgate
    import tomesd
    import torch
    from DeepCache import DeepCacheSDHelper

    named = {type(part): part for part in stack}
    tome, deep, gate = named.get(ToMe), named.get(DeepCache), named.get(TGATE)
    call, helper = pipe, None
    if isinstance(tome, ToMe):
        torch.manual_seed(tome.seed)  # tomesd forks the global generator; ours has one with this seed
        tomesd.apply_patch(
            pipe,
            ratio=tome.ratio,
            max_downsample=tome.max_downsample or attention_downsamples(pipe.unet.config)[0],
            use_rand=tome.use_rand,
            merge_crossattn=tome.merge_crossattn,
            merge_mlp=tome.merge_mlp,
        )
    if isinstance(deep, DeepCache) and gate:
        loader = getattr(tgate, WITH_DEEPCACHE[type(pipe).__name__])
        loader(pipe, cache_interval=deep.interval, cache_branch_id=deep.branch)
        helper = pipe.deepcache
    elif isinstance(deep, DeepCache):
        helper = DeepCacheSDHelper(pipe=pipe)
        helper.set_params(cache_interval=deep.interval, cache_branch_id=deep.branch)
        helper.enable()
    elif gate:
        getattr(tgate, LOADERS[type(pipe).__name__])(pipe)
    if isinstance(gate, TGATE):
        call = partial(
            pipe.tgate,
            gate_step=gate.gate_step,
            sp_interval=gate.sp_interval,
            fi_interval=gate.fi_interval,
            warm_up=gate.warm_up,
        )
    try:
        yield call
    finally:
        if helper:
            helper.disable()
        if tome:
            tomesd.remove_patch(pipe)
        for name in ("tgate", "deepcache"):
            pipe.__dict__.pop(name, None)
