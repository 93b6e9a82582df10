"""The printed matrix is the truth: every cell that works is run, and every other one refuses."""

from dataclasses import replace

import pytest

from comparer.accelerators import stack
from comparer.accelerators.base import denoiser_of
from comparer.errors import ComparerError
from comparer.models import samplers
from comparer.models.families.registry import FAMILIES as REGISTERED
from comparer.request import compatibility
from comparer.request.request import Arm
from helpers import tiny_pipelines as tiny
from helpers.tiny_pipelines import FAMILIES, UNETS, ask, run, same


def tiny_cells(family):
    denoiser = dict(denoiser_of(tiny.pipeline(family)).config)
    return denoiser, compatibility.cells(family, denoiser, ask())


def counted(cells):
    """Count the cells of the four accelerators whose matrix is written down below, and of no further one."""
    known = {"DeepCache", "ToMe", "T-GATE", "Guidance cutoff"}
    return sum(known.issuperset(accelerator.title for accelerator in cell.accelerators) for cell in cells)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_cell_that_works_is_run(family):
    """With the cell's own sampler and guidance, each on one of the U-Nets or PixArts; the picture is another than
    the baseline's. The whole product: ``test_full_matrix``.
    """
    import torch

    plain = {}
    works = [cell for cell in tiny_cells(family)[1] if cell.reason is None]
    alike = UNETS if family in UNETS else [other for other in FAMILIES if other not in UNETS]
    for cell in works[alike.index(family) :: len(alike)]:
        settings, reports = cell.request.settings, {}
        baseline = plain[settings] = plain[settings] if settings in plain else run(family, "", settings)
        made = run(family, cell.accelerators, settings, reports)
        assert torch.isfinite(made).all() and not same(made, baseline), cell
        assert not [why for a in cell.accelerators if (why := a.no_effect(reports[a.title]))], cell
    assert counted(works) == (24 if family in UNETS else 3)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_cell_that_does_not_refuses(family):
    """Before anything runs, and for the same reason as the published model of the family."""
    denoiser, cells = tiny_cells(family)
    refused = [cell for cell in cells if cell.reason]
    for cell in refused:
        with pytest.raises(ComparerError) as told:
            stack.check(
                replace(cell.request, arms=(Arm("Baseline"), Arm("other", cell.accelerators))), family, denoiser
            )
        assert str(told.value) == cell.reason
    assert counted(refused) == counted(cells) - (24 if family in UNETS else 3)
    model = REGISTERED[family].largest
    real = compatibility.cells(family, model.denoiser, ask(width=model.size, height=model.size))
    assert [cell.reason for cell in real] == [cell.reason for cell in cells]


def test_the_printed_matrix():
    """Which cells work is written down here once more, by hand."""
    printed = compatibility.text().split("\n\n")[0].splitlines()
    families, *rows = [line.rsplit(maxsplit=len(REGISTERED)) for line in printed]
    assert families == list(REGISTERED)
    columns = [families.index(family) for family in FAMILIES]
    works = {label.strip(): ["".join("+" if mark == "+" else "-" for mark in rest[column]) for column in columns]
             for label, *rest in rows}  # fmt: skip
    expected = {
        "DeepCache": ["++++"] * 3 + ["----"] * 2,
        "ToMe": ["++++"] * 3 + ["----"] * 2,
        "T-GATE": ["+---"] * 5,
        "Guidance cutoff": ["+-+-"] * 5,
        "ToMe + DeepCache": ["++++"] * 3 + ["----"] * 2,
        "ToMe + T-GATE": ["+---"] * 3 + ["----"] * 2,
        "ToMe + T-GATE(sp_interval=5, warm_up=2)": ["----"] * 5,
        "ToMe + Guidance cutoff": ["+-+-"] * 3 + ["----"] * 2,
        "ToMe + DeepCache + T-GATE": ["+---"] * 3 + ["----"] * 2,
        "ToMe + DeepCache + Guidance cutoff": ["+-+-"] * 3 + ["----"] * 2,
        "DeepCache + T-GATE": ["+---"] * 3 + ["----"] * 2,
        "DeepCache + T-GATE(sp_interval=5, warm_up=2)": ["----"] * 5,
        "DeepCache + Guidance cutoff": ["+-+-"] * 3 + ["----"] * 2,
        "T-GATE + Guidance cutoff": ["----"] * 5,
    }
    assert {label: works[label] for label in expected} == expected


def test_every_mark_has_its_reason():
    table, legend = compatibility.text().split("\n\n")
    marks = {
        mark for line in table.splitlines()[1:] for word in line.rsplit(maxsplit=len(REGISTERED))[1:] for mark in word
    }
    reasons = dict(line.split("  ", 1) for line in legend.splitlines()[2:])
    assert marks - {"+"} == set(reasons)
    assert all(reason.endswith(".") for reason in reasons.values())


@pytest.mark.parametrize("name", samplers.SAMPLERS)
def test_the_order_of_every_sampler_is_diffusers(name):
    """The rules about second-order samplers rest on it."""
    assert samplers.find(name).order == tiny.scheduler("sd1", name).order
