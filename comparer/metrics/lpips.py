"""LPIPS with AlexNet, as computed by torchmetrics. Its weights are never downloaded by Comparer."""

from functools import cache
from pathlib import Path
from typing import Any

from comparer.metrics.base import Pair, PairMetric
from comparer.models.libraries import prepare

SIDE = 32
"""Pixels per side below which AlexNet's last layers have nothing left to look at."""
ALEXNET = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
ALEXNET_DIGEST = "7be5be79"
"""What the SHA-256 of AlexNet's weights begins with; torchvision has it in the file's name."""


def weights() -> Path:
    """Return where torchvision looks for AlexNet's weights before it would download them."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / ALEXNET.rsplit("/", 1)[1]


def _network() -> Any:
    """Return the network if its weights are on this machine, else the reason."""
    file = weights()
    if file.is_file():
        return _loaded(file, file.stat().st_mtime_ns)
    return (
        "LPIPS is not available: AlexNet's weights (244 MB) are not on this machine; fetch them with: "
        f"python -c \"import torch; torch.hub.load_state_dict_from_url('{ALEXNET}')\""
    )


@cache
def _loaded(file: Path, _changed: int) -> Any:
    from hashlib import file_digest

    with file.open("rb") as content:
        if not file_digest(content, "sha256").hexdigest().startswith(ALEXNET_DIGEST):
            return f"LPIPS is not available: {file.name} is damaged or another file: delete it and fetch it again."
    prepare()
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    metric = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)
    # The metric itself would accumulate over all images; its network does not.
    return lambda one, other: metric.net(one, other, normalize=True).squeeze()


def _lpips(pair: Pair) -> float:
    return float(_network()(*pair.tensors))


def _why_not(width: int, height: int, _scorer: Any) -> str:
    if min(width, height) < SIDE:
        return f"LPIPS is not available: its network needs {SIDE} pixels per side."
    found = _network()
    return found if isinstance(found, str) else ""


LPIPS = PairMetric(
    name="lpips",
    title="LPIPS",
    about="weighted distance of AlexNet's features ([Zhang et al. 2018](https://arxiv.org/abs/1801.03924))",
    digits=3,
    higher_is_closer=False,
    identical=0.0,
    compute=_lpips,
    low=0,
    needs=f"AlexNet's weights, {SIDE} pixels per side",
    why_not=_why_not,
)
