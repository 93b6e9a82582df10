"""The grid: one picture of a whole comparison, a column an arm, a row for every prompt and seed.

It knows what to say and where; how text is measured and drawn is in ``lettering``.
"""

from pathlib import Path

from PIL import Image, ImageDraw

from comparer.errors import ComparerError
from comparer.export import lettering, png_text
from comparer.export.lettering import Style
from comparer.held import incomplete
from comparer.notes import loss
from comparer.results import Comparison
from comparer.shots import Shot
from comparer.verdict import signed

PAPER, INK, GREY, RULE, EMPTY, ACCENT = "#fcfbf9", "#1d1d1f", "#6f6e73", "#e3e1dc", "#f2f0ec", "#0b6e69"
RED = "#b42318"
SMALLEST = 256  # pixels: narrower pictures are enlarged by a whole factor until they reach it
NARROWEST = 540  # pixels: so that a single column still leaves room for its prompt


def draw_grid(comparison: Comparison, folder: Path) -> Image.Image:
    """Draw the grid.

    Pictures keep their pixels: they are shown 1:1, or enlarged by a whole factor without smoothing, and then
    the grid says so. What was not made is an empty cell.

    Args:
        comparison: finished or not.
        folder: its run folder, with the pictures.

    Raises:
        ComparerError: a picture of the comparison is not in the folder.
    """
    return _Grid(comparison, folder).draw()


def save_grid(comparison: Comparison, folder: Path) -> Path:
    """Write the grid as ``grid.png`` into the run folder, with the request as text, and return its path.

    Raises:
        ComparerError: as ``draw_grid``.
        OSError: the file cannot be written.
    """
    request = comparison.request
    title = comparison.checkpoint.get("name", request.settings.checkpoint)
    texts = {
        "parameters": png_text.parameters_line(request, 0, *request.items()[0], title),
        png_text.CHUNK: png_text.request_text(request),
    }
    path = folder / "grid.png"
    png_text.save_png(draw_grid(comparison, folder), path, texts)
    return path


def factor(pixels: int) -> int:
    """Return the smallest whole factor that makes a picture of this width at least 256 pixels wide.

    >>> [factor(pixels) for pixels in (64, 128, 200, 256, 512)]
    [4, 2, 2, 1, 1]
    """
    return max(1, -(-SMALLEST // pixels))


def format_seconds(seconds: float) -> str:
    """Write a time with three digits or two decimals, whichever says more.

    >>> [format_seconds(s) for s in (0.01234, 0.4, 2.345, 83.2)]
    ['0.0123 s', '0.40 s', '2.35 s', '83.20 s']
    """
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds:.3g} s"


def format_speed_up(ratio: float) -> str:
    """Say a speed-up, also where it is none.

    >>> [format_speed_up(ratio) for ratio in (1.6243, 1.003, 0.8)]
    ['1.62× as fast', '1.00×, no faster', '0.80×, slower']
    """
    said = f"{ratio:.2f}"
    return f"{said}× as fast" if float(said) > 1 else f"{said}×, {'no faster' if float(said) == 1 else 'slower'}"


class _Grid:
    """Lay everything out from the top down, then draw it: the height is known only at the end."""

    def __init__(self, comparison: Comparison, folder: Path) -> None:
        self.comparison, self.folder, self.request = comparison, folder, comparison.request
        settings = self.request.settings
        self.factor = factor(settings.width)
        self.cell = (settings.width * self.factor, settings.height * self.factor)
        # Large pictures are looked at from further away: the type grows with them.
        self.scale = max(1.0, self.cell[0] / 400)
        self.margin, self.gutter = self._px(44), self._px(28)
        arms = len(self.request.arms)
        self.width = max(arms * self.cell[0] + (arms - 1) * self.gutter, self._px(NARROWEST))
        self.texts: list[tuple[int, int, str, Style]] = []
        self.rules: list[int] = []
        self.shots: list[tuple[int, int, Shot | None]] = []

    def draw(self) -> Image.Image:
        y = self._title(self.margin)
        y = self._header(y + self._px(34))
        prompt_before = None
        for prompt, seed in self.request.items():
            if prompt != prompt_before:
                y = self._prompt(prompt, y + self._px(26))
            y = self._row(prompt, seed, y + self._px(14 if prompt != prompt_before else 22))
            prompt_before = prompt
        return self._paint(round(self._footer(y + self._px(30)) + self.margin * 0.8))

    def _title(self, y: int) -> int:
        settings, comparison = self.request.settings, self.comparison
        title = comparison.checkpoint.get("title", settings.checkpoint)
        y = self._text(self.margin, y, title, self._style(23, INK, bold=True), self.width)
        facts = [
            settings.sampler,
            f"{settings.steps} steps" if settings.steps > 1 else "1 step",
            f"guidance {settings.guidance:g}",
            f"{settings.width} × {settings.height}",
        ]
        if settings.batch_size > 1:
            facts.append(f"batches of {settings.batch_size}")
        if device := comparison.environment.get("device_name") or comparison.environment.get("device"):
            facts.append(device)
        if self.factor > 1:
            facts.append(f"pictures shown {self.factor}×")
        y = self._facts(y + self._px(5), facts)
        if settings.negative_prompt:
            said = f"Negative prompt: {settings.negative_prompt}"
            y = self._text(self.margin, y + self._px(2), said, self._style(13, GREY), self._measure())
        if comparison.state != "finished":
            total = len(self.request.items()) * len(self.request.arms)
            said = f"{comparison.state.capitalize()}: {len(comparison.shots)} of {total} pictures"
            y = self._text(self.margin, y + self._px(10), said, self._style(15, ACCENT, bold=True), self.width)
        return y

    def _facts(self, y: int, facts: list[str]) -> int:
        """Write the facts with dots between them; a fact stays whole wherever a line can hold it."""
        style, line = self._style(13, GREY), facts[0]
        for fact in facts[1:]:
            joined = f"{line} · {fact}"
            if lettering.width(joined, style) > self.width:
                y, joined = self._text(self.margin, y, line, style, self.width), fact
            line = joined
        return self._text(self.margin, y, line, style, self.width)

    def _header(self, y: int) -> int:
        name = self._style(18, INK, bold=True)
        bottom = max(self._named(i, y, name) for i in range(len(self.request.arms)))
        return max([bottom, *(self._speed(arm, bottom + self._px(6)) for arm in range(1, len(self.request.arms)))])

    def _named(self, arm: int, y: int, style: Style) -> int:
        x, random = self._x(arm), incomplete(self.comparison, arm)
        y = self._text(x, y, self.request.arms[arm].name, style, self.cell[0])
        return self._text(x, y, random, self._style(14, RED, bold=True), self.cell[0]) if random else y

    def _speed(self, arm: int, y: int) -> int:
        x, figures, calls = (
            self._x(arm),
            self.comparison.figures(arm),
            len({c.batch for c, _ in self.comparison.call_pairs(arm)}),
        )
        if figures.speed_up is None:
            return self._text(x, y, "not measured", self._style(14, GREY), self.cell[0])
        if self.request.arms[arm].weights:
            return self._score(arm, y)
        colour = ACCENT if round(figures.speed_up, 2) > 1 else INK
        y = self._text(x, y, format_speed_up(figures.speed_up), self._style(18, colour, bold=True), self.cell[0])
        said = f"n = {calls} call{'s' if calls > 1 else ''}"
        y = self._text(x, y, said, self._style(14, GREY), self.cell[0])
        if figures.clip_loss is not None:
            said = f"CLIP loss {loss(figures.clip_loss)}, n = {figures.scored} pair{'s' if figures.scored > 1 else ''}"
            y = self._text(x, y, said, self._style(14, GREY), self.cell[0])
        said = " ".join(self.comparison.no_effect(arm))
        did = f"No effect: {said}" if said else self.comparison.did(arm)
        return self._text(x, y + self._px(4), did, self._style(12, INK if said else GREY), self.cell[0]) if did else y

    def _score(self, arm: int, y: int) -> int:
        """Say of an arm with other weights how its CLIP score differs; its time is no question."""
        found = self.comparison.evidence(arm).clip_difference()
        if found.value is None:
            return self._text(self._x(arm), y, "not scored", self._style(14, GREY), self.cell[0])
        y = self._text(self._x(arm), y, f"CLIP {signed(found.value)}", self._style(18, INK, bold=True), self.cell[0])
        said = f"{self.comparison.verdict(arm).kind}, n = {found.n} pair{'s' if found.n > 1 else ''}"
        return self._text(self._x(arm), y, said, self._style(14, GREY), self.cell[0])

    def _prompt(self, prompt: int, y: int) -> int:
        self.rules.append(y)
        text = self.request.settings.prompts[prompt]
        return self._text(self.margin, y + self._px(22), text, self._style(17, INK), self._measure())

    def _row(self, prompt: int, seed: int, y: int) -> int:
        y = self._text(self.margin, y, f"Seed {seed}", self._style(13, GREY), self.width) + self._px(5)
        bottom = y + self.cell[1]
        for arm in range(len(self.request.arms)):
            shot = self.comparison.shot(arm, prompt, seed)
            self.shots.append((self._x(arm), y, shot))
            caption = self._caption(shot) if shot else ""
            under = y + self.cell[1] + self._px(7)
            bottom = max(bottom, self._text(self._x(arm), under, caption, self._style(14, INK), self.cell[0]))
        return bottom

    def _caption(self, shot: Shot) -> str:
        call = self.comparison.calls[shot.call]
        said = format_seconds(call.seconds / call.pictures)
        return said if shot.clip_score is None else f"{said} · CLIP {shot.clip_score:.2f}"

    def _footer(self, y: int) -> int:
        self.rules.append(y)
        said = ["Seconds: the whole pipeline call, divided by its pictures."]
        if len(self.request.arms) > 1:
            baseline = self.request.arms[0].name
            what = "CLIP differences" if self.request.variants() else "Speed-up and CLIP loss"
            said.append(f"{what} are against {baseline}, over what both have made.")
        if self.comparison.scorer.name:
            said.append(f"CLIP scores by {self.comparison.scorer.name}.")
        said.append("Made with Comparer" + (f" on {day}." if (day := self.comparison.created[:10]) else "."))
        return self._text(self.margin, y + self._px(16), " ".join(said), self._style(12, GREY), self._measure())

    def _paint(self, height: int) -> Image.Image:
        picture = Image.new("RGB", (self.width + 2 * self.margin, height), PAPER)
        canvas = ImageDraw.Draw(picture)
        for y in self.rules:
            canvas.rectangle((self.margin, y, self.margin + self.width - 1, y + self._px(1) - 1), fill=RULE)
        for x, y, shot in self.shots:
            if shot:
                picture.paste(self._picture(shot), (x, y))
                continue
            canvas.rectangle((x, y, x + self.cell[0] - 1, y + self.cell[1] - 1), fill=EMPTY, outline=RULE)
            style = self._style(14, GREY)
            middle = x + (self.cell[0] - lettering.width("not made", style)) / 2
            lettering.draw(picture, middle, y + (self.cell[1] - style.line) / 2, "not made", style)
        for x, y, line, style in self.texts:
            lettering.draw(picture, x, y, line, style)
        return picture

    def _picture(self, shot: Shot) -> Image.Image:
        try:
            with Image.open(self.folder / shot.file) as picture:
                return picture.convert("RGB").resize(self.cell, Image.Resampling.NEAREST)
        except FileNotFoundError as error:
            raise ComparerError(f"The picture '{shot.file}' is not in the run folder '{self.folder.name}'.") from error

    def _text(self, x: int, y: int, text: str, style: Style, limit: float) -> int:
        """Put a text on the page, wrapped; return where it ends."""
        for line in lettering.wrap(text, style, limit):
            self.texts.append((x, y, line, style))
            y += style.line
        return y

    def _style(self, size: int, colour: str, bold: bool = False) -> Style:
        return Style(self._px(size), colour, bold)

    def _measure(self) -> int:
        """Longest line that is still easy to read."""
        return min(self.width, self._px(960))

    def _x(self, arm: int) -> int:
        return self.margin + arm * (self.cell[0] + self.gutter)

    def _px(self, size: float) -> int:
        return round(size * self.scale)
