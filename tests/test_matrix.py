"""The printed matrix is the truth: every cell that works is run, and every other one refuses."""

import pytest
import tiny
from tiny import FAMILIES, ask, run, same

from comparer.accelerators import matrix, stack
from comparer.accelerators.base import denoiser_of
from comparer.errors import ComparerError
from comparer.models import samplers
from comparer.request import Arm, Request


@pytest.mark.parametrize("family", FAMILIES)
def test_every_cell(family):
    import torch

    denoiser = dict(denoiser_of(tiny.pipeline(family)).config)
    cells = matrix.cells(family, denoiser, steps=4)
    plain = {}
    for cell in cells:
        asked = cell.request.settings
        settings = ask(sampler=asked.sampler, guidance=asked.guidance)
        if cell.reason is None:
            key = (settings.sampler, settings.guidance)
            baseline = plain[key] = plain[key] if key in plain else run(family, "", settings)
            made = run(family, cell.accelerators, settings)
            assert torch.isfinite(made).all() and not same(made, baseline), cell
        else:
            request = Request(settings, (Arm("Baseline"), Arm("other", cell.accelerators)))
            with pytest.raises(ComparerError) as told:
                stack.check(request, family, denoiser)
            assert str(told.value) == cell.reason
    real = matrix.cells(family, matrix.DENOISERS[family], steps=4)
    assert [cell.reason for cell in real] == [cell.reason for cell in cells]


def test_the_printed_matrix():
    """Which cells work is written down here once more, by hand."""
    printed = [line.rsplit(maxsplit=5) for line in matrix.text().split("\n\n")[0].splitlines()]
    families, *rows = printed
    assert families == list(FAMILIES)
    works = {label.strip(): ["".join("+" if mark == "+" else "-" for mark in marks) for marks in rest]
             for label, *rest in rows}  # fmt: skip
    expected = {
        "DeepCache": ["++++"] * 3 + ["----"] * 2,
        "T-GATE": ["+---"] * 5,
        "Guidance cutoff": ["+-+-"] * 5,
        "DeepCache + T-GATE": ["+---"] * 3 + ["----"] * 2,
        "DeepCache + T-GATE(sp_interval=5, warm_up=2)": ["----"] * 5,
        "DeepCache + Guidance cutoff": ["+-+-"] * 3 + ["----"] * 2,
        "T-GATE + Guidance cutoff": ["----"] * 5,
    }
    assert {label: works.get(label) for label in expected} == expected


def test_every_mark_has_its_reason():
    table, legend = matrix.text().split("\n\n")
    marks = {mark for line in table.splitlines()[1:] for word in line.rsplit(maxsplit=5)[1:] for mark in word}
    reasons = dict(line.split("  ", 1) for line in legend.splitlines()[2:])
    assert marks - {"+"} == set(reasons)
    assert all(reason.endswith(".") for reason in reasons.values())


@pytest.mark.parametrize("name", samplers.SAMPLERS)
def test_the_order_of_every_sampler_is_diffusers(name):
    """The rules about second-order samplers rest on it."""
    assert samplers.find(name).order == tiny.scheduler("sd1", name).order
