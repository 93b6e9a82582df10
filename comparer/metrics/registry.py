"""Registry of similarity metrics: page, tables, report, record, assertions and documentation take them from here."""

from comparer.metrics.base import PairMetric
from comparer.metrics.clip_cosine import CLIP_COSINE
from comparer.metrics.differences import LARGEST, MEAN
from comparer.metrics.lpips import LPIPS
from comparer.metrics.ms_ssim import MS_SSIM
from comparer.metrics.psnr import PSNR
from comparer.metrics.ssim import SSIM

METRICS: dict[str, PairMetric] = {
    metric.name: metric for metric in (LARGEST, MEAN, PSNR, SSIM, MS_SSIM, LPIPS, CLIP_COSINE)
}
