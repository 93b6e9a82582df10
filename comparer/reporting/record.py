"""The record of a run as an export: ``run.json``, which is in its folder already."""

from comparer.reporting.exporter import Exporter

EXPORTER = Exporter(
    name="record",
    title="Record",
    formats="JSON",
    summary="The whole request and everything measured; drop it on a page to restore its settings",
    files=r"run\.json",
    export=lambda comparison, folder, options: [folder / "run.json"],
)
