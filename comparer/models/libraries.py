"""Import the heavy libraries once, in one thread at a time, and handle broken installations."""

import gc
import threading

_lock = threading.Lock()
_kept: list[object] = []


def prepare(scorer: bool = True) -> None:
    """Import torch, diffusers' pipelines and, for a scorer, open_clip; call this before using any of them.

    The page's background loading and the first Generate may call this at the same time: diffusers' lazy modules
    cannot be imported by two threads at once, so the second one waits. Later calls return immediately.
    """
    with _lock:
        first = not _kept
        if first:
            library = _mend_torchvision()
            from diffusers import StableDiffusionPipeline

            _kept.extend((StableDiffusionPipeline, library))
        if scorer:
            import open_clip  # noqa: F401
        if first:
            gc.freeze()  # a garbage collection, as after each load, need not look at what stays for ever


def _mend_torchvision() -> object:
    """Make a CPU-only torch beside PyPI's torchvision importable; do nothing on a sound installation.

    That torchvision is built for CUDA: its C++ operators do not load, ``import torchvision`` raises
    ``RuntimeError: operator torchvision::nms does not exist``, and with it every diffusers pipeline and
    open_clip fail to import. Declaring the two missing operator schemas is enough; nothing here calls them.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        from torch.library import Library

        library = Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision  # noqa: F401

        return library  # the declaration is valid as long as this object exists
    return None
