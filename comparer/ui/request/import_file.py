"""The drop zone: restore every control from an image, a grid or a run.json, and report what cannot be restored."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from comparer.config import Config
from comparer.errors import ComparerError
from comparer.reporting.markup import join, markup
from comparer.request.request import Arm, Request
from comparer.request.restore import FOREIGN, GRID, PICTURE, RECORD, Restored, restore
from comparer.text import quote
from comparer.ui.gradio_options import PRIVATE
from comparer.ui.request.panel import Controls

MADE = {
    PICTURE: "Filled from a picture: the whole comparison that it was made in",
    GRID: "Filled from a grid",
    RECORD: "Filled from the record of a run",
    FOREIGN: "Filled from the settings of {}, whose starting noise is another",
}
FIELDS = {
    "warmups": "warm-ups", "noise": "starting noise", "repeats": "repeats",
    "repeat_seconds": "seconds for repeats", "extras": "what is measured also", "scorer": "score that decides",
}  # fmt: skip


class Drop:
    """The drop zone of the page, over its controls."""

    def __init__(self, config: Config, controls: Controls) -> None:
        """Create the zone."""
        self.config, self.controls = config, controls
        self.file = gr.File(label="Drop a picture, grid or run.json here", elem_id="drop", height=44)
        self.told = gr.HTML(elem_id="dropped", padding=False)

    def wire(self) -> None:
        """Fill the controls when a file is uploaded; its report is replaced with the next one."""
        inputs = [self.file, self.controls.arms.away, *self.controls.inputs()]
        outputs = [self.file, self.told, *self.controls.fillable()]
        self.file.upload(self.fill, inputs, outputs, trigger_mode="once", **PRIVATE)

    def fill(self, file: str, away: dict, *values: Any) -> dict:
        """Fill the controls from an uploaded file, then delete the file so that it is served to nobody else."""
        path = Path(file)
        try:
            found = restore(path, self.config)
        except ComparerError as error:
            return {self.file: None, self.told: _alert(self.config.redact(error))}
        finally:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # another file of the same name and content
                path.parent.rmdir()
        updates, said = self.updates(found, away, values)
        return updates | {self.file: None, self.told: _report(found, [*found.missing, *said, *found.notes])}

    def updates(self, found: Restored, away: dict, values: Sequence[Any]) -> tuple[dict, list[str]]:
        """Return updates that restore a request, and a list of what the controls cannot represent.

        Args:
            found: the request restored from a file.
            away: the arms' switches that are unavailable now.
            values: the controls' current values.
        """
        merged: dict[Any, dict] = {part: _update(new) for part, new in self.controls.refreshed().items()}
        for part, new in self.controls.fill(found.request, away).items():
            merged[part] = merged.get(part, {}) | _update(new)
        said = []
        for part, new in merged.items():
            if "value" in new and (why := _not_held(part, new)):
                said.append(why)
                del new["value"]
        after = [
            merged.get(part, {}).get("value", now) for part, now in zip(self.controls.inputs(), values, strict=True)
        ]
        try:
            said += different(found, self.controls.read(tuple(after)), tuple(said))
        except ComparerError as error:
            said += [] if found.missing else [self.config.redact(error)]  # what is missing was named
        return {part: gr.update(**new) for part, new in merged.items()}, said


def different(found: Restored, asked: Request, stays: Sequence[str] = ()) -> list[str]:
    """List how the request of the controls differs from the one that was found, one sentence each.

    Args:
        found: the request restored from a file.
        asked: the request of the controls.
        stays: remarks on controls that are not changed, by their labels.
    """
    request, said = found.request, []
    for name, value in vars(request.settings).items():
        title = name.replace("_", " ")
        if getattr(asked.settings, name) != value and not any(each.lower().startswith(title) for each in stays):
            said.append(f"The controls cannot show the {title} {quote(value)}.")
    for name, title in FIELDS.items():
        if getattr(asked, name) != getattr(request, name):
            said.append(f"The controls cannot show the {title} {quote(getattr(request, name))}.")
    wanted, now = ([_essence(each, arm) for arm in each.arms] for each in (request, asked))
    if found.kind == FOREIGN and len(request.arms) == 1:
        return said
    lost = [arm.name for arm, essence in zip(request.arms, wanted, strict=True) if essence not in now]
    more = [arm.name for arm, essence in zip(asked.arms, now, strict=True) if essence not in wanted]
    if lost:
        told = "; ".join(map(quote, lost))
        said.append(f"The controls cannot show {told}: use the command line with --from.")
    if more:
        said.append(f"The controls have {'; '.join(map(quote, more))} instead.")
    if not lost and not more and wanted != now:
        said.append("The arms are in another order.")
    return said


def _essence(request: Request, arm: Arm) -> tuple:
    """Return what makes an arm, whatever it is called."""
    return (
        arm.accelerators,
        arm.weights,
        arm.steps,
        arm.side,
        None if arm.matches_time_of is None else request.arms[arm.matches_time_of].accelerators,
    )


def _update(new: Any) -> dict:
    return {k: v for k, v in new.items() if k != "__type__"} if _is_update(new) else {"value": new}


def _is_update(new: Any) -> bool:
    return isinstance(new, dict) and new.get("__type__") == "update"


def _not_held(part: Any, new: dict) -> str:
    """Say why a component would refuse a value, "" where it takes it."""
    value = new["value"]
    if isinstance(part, gr.Dropdown) and not part.allow_custom_value and value is not None:
        choices = new.get("choices", part.choices)
        listed = [each[1] if isinstance(each, tuple | list) else each for each in choices]
        return "" if value in listed else f"{part.label} was not changed: {quote(value)} is not listed."
    if isinstance(part, gr.Slider) and not part.minimum <= value <= part.maximum:
        return f"{part.label} was not changed: {quote(value)} is not in {quote(part.minimum)} to {quote(part.maximum)}."
    return ""


def _report(found: Restored, said: Sequence[str]) -> str:
    request, listed = found.request, join(markup("<li>{}</li>", each) for each in dict.fromkeys(said))
    about = MADE[found.kind].format(found.program)
    if found.shot and len(request.items()) > 1:
        arm, _, seed = found.shot
        about += f" (it is {quote(request.arms[arm].name)}, seed {seed})"
    if found.kind == FOREIGN and len(request.arms) == 1:
        about += "; the arms were not changed"
    head = markup("<p><b>{}.</b></p>", about)
    return markup(
        '<div class="dropped" role="status">{}{}</div>', head, markup("<ul>{}</ul>", listed) if listed else ""
    )


def _alert(text: str) -> str:
    return markup('<div class="dropped wrong" role="alert"><p>{}</p></div>', text)
