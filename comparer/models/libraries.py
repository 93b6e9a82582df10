"""Make the installed libraries importable, before the first heavy import."""

_kept: list[object] = []


def prepare() -> None:
    """Mend a CPU-only torch beside PyPI's torchvision; do nothing on a sound installation.

    That torchvision is built for CUDA: its C++ operators do not load, ``import torchvision`` raises
    ``RuntimeError: operator torchvision::nms does not exist``, and with it every diffusers pipeline and
    open_clip fail to import. Declaring the two missing operator schemas is enough; nothing here calls them.
    Call it before importing diffusers, transformers or open_clip; a second call costs nothing.
    """
    if _kept:
        return
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        from torch.library import Library

        library = Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)
        import torchvision  # noqa: F401
    _kept.append(torchvision)
