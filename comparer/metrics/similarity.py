"""Similarity of two images: PSNR, SSIM, MS-SSIM and LPIPS as computed by torchmetrics.

All metrics compare two images of equal size, RGB from 0 to 1, on the CPU in float32. None of them uses the prompt:
they measure how far an image moved, not whether it became worse.
"""

from functools import cache
from pathlib import Path
from typing import Any

from comparer.errors import ComparerError
from comparer.metrics.similarity_data import Similarity
from comparer.models.libraries import prepare

MS_SSIM_SIDE = 176
"""Pixels a side that MS-SSIM needs: its fifth scale, a sixteenth of the side, must hold the 11 pixels of the window."""
LPIPS_SIDE = 32
"""Pixels a side below which AlexNet's last layers have nothing left to look at."""
ALEXNET = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
ALEXNET_DIGEST = "7be5be79"
"""What the SHA-256 of AlexNet's weights begins with; torchvision has it in the file's name."""


def similarity(one: Any, other: Any, scorer: Any = None) -> Similarity:
    """Compute the similarity of two images; unavailable metrics are None, and ``not_available`` explains why.

    Args:
        one: a PIL image, or the path of an image file.
        other: the same; the order does not matter.
        scorer: a ``ClipScorer``, whose embeddings give the cosine.

    Raises:
        ComparerError: the images differ in size.
    """
    one, other = opened(one), opened(other)
    if one.size != other.size:
        raise ComparerError(
            f"Pictures of {one.width}×{one.height} and {other.width}×{other.height} pixels cannot be compared: one "
            "evaluation has one size."
        )
    largest, mean = differences(one, other)
    lacking = not_available(one.width, one.height, scorer)
    if not largest:
        same = {"ms_ssim": 1.0, "lpips": 0.0, "clip_cosine": 1.0}
        return Similarity(True, 0, 0.0, None, 1.0, **{k: None if k in lacking else v for k, v in same.items()})
    prepare()
    import torch
    from torchmetrics.functional import image

    with torch.no_grad():
        pair = _tensor(one), _tensor(other)
        return Similarity(
            False,
            largest,
            mean,
            psnr=float(image.peak_signal_noise_ratio(*pair, data_range=1.0)),
            ssim=float(image.structural_similarity_index_measure(*pair, data_range=1.0)),
            ms_ssim=None
            if "ms_ssim" in lacking
            else float(image.multiscale_structural_similarity_index_measure(*pair, data_range=1.0)),
            lpips=None if "lpips" in lacking else float(_lpips()(*pair)),
            clip_cosine=None if scorer is None else scorer.cosine(one, other),
        )


def not_available(width: int, height: int, scorer: Any = None) -> dict[str, str]:
    """List similarity metrics that are unavailable here and how to enable each."""
    told = {}
    if min(width, height) < MS_SSIM_SIDE:
        told["ms_ssim"] = f"MS-SSIM is not available: its five scales need {MS_SSIM_SIDE} pixels a side."
    if min(width, height) < LPIPS_SIDE:
        told["lpips"] = f"LPIPS is not available: its network needs {LPIPS_SIDE} pixels a side."
    elif isinstance(found := _lpips(), str):
        told["lpips"] = found
    if scorer is None:
        told["clip_cosine"] = "The CLIP cosine is not available: the pictures were not scored."
    return told


def opened(picture: Any) -> Any:
    """Open an image, given as a PIL image or a file, as RGB."""
    from PIL import Image

    if not isinstance(picture, str | Path):
        return picture.convert("RGB")
    with Image.open(picture) as file:
        return file.convert("RGB")


def differences(one: Any, other: Any) -> tuple[int, float]:
    """Return the largest and the mean absolute difference of two RGB images' colour values, 0 to 255."""
    import numpy as np

    apart = np.abs(np.asarray(one, dtype=np.int16) - np.asarray(other, dtype=np.int16))
    return int(apart.max()), float(apart.mean())


def _tensor(picture: Any) -> Any:
    import numpy as np
    import torch

    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def _weights() -> Path:
    """Return where torchvision looks for AlexNet's weights before it would fetch them."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / ALEXNET.rsplit("/", 1)[1]


def _lpips() -> Any:
    """Return LPIPS where its weights are on this machine, else the reason; nothing is ever fetched."""
    file = _weights()
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
            return f"LPIPS is not available: {file.name} is damaged or another file: delete it and fetch it anew."
    prepare()
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    metric = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)
    # The metric itself would accumulate over all images; its network does not.
    return lambda one, other: metric.net(one, other, normalize=True).squeeze()
