"""Detect untrained blocks: compare the largest singular values of their matrices with random matrices.

The largest singular value of an m × n matrix of independent numbers of spread σ is about σ(√m + √n) (Marchenko and
Pastur 1967; Geman 1980, doi:10.1214/aop/1176994775). Training adds directions that stand out from it; shuffling the
values removes them.
"""

import math
from collections.abc import Iterable
from typing import Any

from comparer.checkpoints.files.components import block_of
from comparer.checkpoints.files.tensors import Tensor, reading

STANDS_OUT = 1.2  # random matrices of 32 × 32 numbers stay below 1.1, larger ones nearer to 1
LEAST, CUT = 32, 256  # rows and columns: fewer say little, more take long
MATRICES = 3  # of a block, at least


def unlearned(tensors: Iterable[Tensor]) -> dict[str, float]:
    """Find the blocks in which no matrix differs from random numbers.

    Args:
        tensors: one component's tensors; tensors with fewer than two dimensions or fewer than 32 rows or columns are
            ignored, and so are blocks with fewer than three remaining ones.

    Returns:
        For each such block, the largest singular value of all its matrices, relative to that of random ones.

    Raises:
        ComparerError: a tensor cannot be read.
    """
    blocks: dict[str, list[Tensor]] = {}
    for tensor in tensors:
        if is_matrix(tensor):
            blocks.setdefault(block_of(tensor.name), []).append(tensor)
    found = {}
    with reading(tensor for inside in blocks.values() for tensor in inside) as read:
        for block, inside in blocks.items():
            most = 0.0
            for tensor in inside if len(inside) >= MATRICES else ():
                most = max(most, relative(read(tensor)))
                if most >= STANDS_OUT:  # one is enough, and the rest need not be read
                    break
            if 0 < most < STANDS_OUT:
                found[block] = most
    return found


def is_matrix(tensor: Tensor) -> bool:
    """Return whether a tensor has enough rows and columns to be checked."""
    long = len(tensor.shape) >= 2 and tensor.shape[0] >= LEAST and math.prod(tensor.shape[1:]) >= LEAST
    return long and tensor.dtype.startswith(("float", "bfloat"))


def relative(value: Any) -> float:
    """Return a matrix's largest singular value relative to that of random numbers of the same spread.

    Args:
        value: a torch tensor of two or more dimensions, all but the first flattened into one; only the first 256 rows
            and columns are used.

    Returns:
        About 1 for random numbers; 0 where all are the same or one is not finite.
    """
    import torch

    matrix = value.detach().reshape(value.shape[0], -1)[:CUT, :CUT].float()
    matrix = matrix - matrix.mean()
    spread = float(matrix.square().mean().sqrt())
    if not math.isfinite(spread) or spread == 0:
        return 0.0
    rows, columns = matrix.shape
    return float(torch.linalg.matrix_norm(matrix, 2)) / (spread * (math.sqrt(rows) + math.sqrt(columns)))
