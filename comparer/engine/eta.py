"""Estimate how long a run takes, from earlier times of this machine and from the current run. No torch.

The seconds per call are stored in ``times.json`` of the runs folder: the time outside the denoising, and the time
per step. Only estimates depend on this file.
"""

import json
import logging
import platform
from collections.abc import Sequence
from pathlib import Path

from comparer.atomic import write_text
from comparer.config import Config
from comparer.engine.repeats import ExtraTurnPlanner
from comparer.engine.schedule import Planned, RemainingWork, plan
from comparer.request.request import Request, Settings
from comparer.results.comparison import Comparison

log = logging.getLogger(__name__)
FILE, KEPT = "times.json", 2000


def estimate(request: Request, config: Config) -> float | None:
    """Estimate the seconds of a run without loading and scoring; None if the baseline was never timed here.

    Of the extra turns, those up to the fifth are counted; how many follow depends on the spread of their times.

    An accelerated arm that was never timed is assumed to be as slow as the baseline.
    """
    times = _read(config.runs)
    seconds = [expected(times, request, config, call.arm, len(call.items)) for call in plan(request)]
    if not seconds or any(s is None for s in seconds):
        return None
    extra = ExtraTurnPlanner(Comparison(request), RemainingWork.of(request))
    turn = sum(expected(times, request, config, arm, extra.size) or 0.0 for arm in extra.arms)
    return sum(s for s in seconds if s is not None) + turn * extra.ahead(turn)


def expected(times: dict, request: Request, config: Config, arm: int, size: int) -> float | None:
    """Estimate the seconds of one call of an arm at a batch size, from the arm's own times or the baseline's."""
    like = request.arms[arm].matches_time_of
    accelerators = request.arms[arm if like is None else like].accelerators
    own = (request.settings_of(arm), accelerators), (request.settings, accelerators), (request.settings, ())
    for settings, applied in own:
        known = times.get(_key(settings, config, applied, size))
        if known:
            return known[0] + known[1] * request.settings.steps
    return None


def remember(comparison: Comparison, config: Config) -> None:
    """Store the times of a run's calls for later estimates; a write error is logged and ignored."""
    request, times = comparison.request, _read(config.runs)
    for call in comparison.calls:
        if request.arms[call.arm].steps is not None:
            continue  # times with few steps do not transfer to many, and the arm with all steps has its own entry
        key = _key(request.settings_of(call.arm), config, request.arms[call.arm].accelerators, call.pictures)
        times.pop(key, None)  # newest entries last
        step = call.stages["denoising"] / request.settings.steps
        times[key] = [call.seconds - call.stages["denoising"], step]
    try:
        config.runs.mkdir(parents=True, exist_ok=True)
        write_text(config.runs / FILE, json.dumps(dict(list(times.items())[-KEPT:]), indent=0))
    except OSError as error:
        log.warning("the times were not kept: %s", error)


def _read(runs: Path) -> dict[str, list[float]]:
    try:
        found = json.loads((runs / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _key(settings: Settings, config: Config, accelerators: Sequence[object], size: int) -> str:
    what = (settings.weights.text(), f"{settings.width}x{settings.height}", f"batch {size}", settings.sampler)
    guided = "guided" if settings.guidance > 1 else "unguided"
    where = (platform.node(), config.device, config.dtype, config.offload, config.vae)
    return "|".join([*where, *what, guided, "+".join(map(str, accelerators))])


class Pace:
    """Estimate the remaining seconds of a run in progress."""

    def __init__(
        self, request: Request, config: Config, steps: int, calls: list[Planned], extra: ExtraTurnPlanner | None = None
    ) -> None:
        """Start from the times stored for this machine.

        Args:
            request: the request being run.
            config: the installation's configuration.
            steps: progress steps per call.
            calls: the plan; extra turns may be added to it.
            extra: plans the extra turns; None for none.
        """
        self.plan, self.steps, self.extra = calls, steps, extra
        kinds, times = {(call.arm, len(call.items)) for call in calls}, _read(config.runs)
        self.known = {kind: expected(times, request, config, *kind) for kind in kinds}
        self.seen: dict[tuple[int, int], list[float]] = {}
        self.begin(0, set())

    def ended(self, position: int, seconds: float) -> None:
        """Record the seconds of the call at this position of the plan."""
        self.seen.setdefault(self._kind(position), []).append(seconds)

    def begin(self, position: int, skipped: set[int]) -> None:
        """Precompute the remaining time before a call begins, so that ``left`` is cheap during the timed call.

        Args:
            position: the call that begins; the plan's length if no call is left.
            skipped: arms that are no longer run.
        """
        rest = [i for i in range(position, len(self.plan)) if self.plan[i].arm not in skipped]
        self.this = self._seconds(rest[0]) if rest else 0.0
        later = [self._seconds(i) for i in rest[1:]]
        self.later, self.unknown = sum(s for s in later if s is not None), later.count(None)
        further, turn = self._extra(skipped)
        self.total, self.later = len(self.plan) + further, self.later + turn
        every = [seconds for kind in self.seen.values() for seconds in kind]
        self.mean = sum(every) / len(every) if every else None

    def left(self, step: int, since: float) -> float | None:
        """Estimate the seconds until the end of the plan; None if unknown.

        Args:
            step: finished steps of the current call.
            since: seconds since the current call began.
        """
        # For a call of unknown length, use the mean of the other calls or extrapolate the current one.
        usual = self.mean or (since / step * self.steps if step else None)
        this = usual if self.this is None else self.this
        if this is None or (self.unknown and usual is None):
            return None
        return max(this * (1 - step / self.steps) + self.later + self.unknown * (usual or 0), 0)

    def _extra(self, skipped: set[int]) -> tuple[int, float]:
        """Estimate the number of calls in extra turns that the plan does not have yet, and their seconds."""
        arms = [arm for arm in self.extra.arms if arm not in skipped] if self.extra else []
        known = [each for arm in arms if self.extra and (each := self._of((arm, self.extra.size))) is not None]
        if not self.extra or not arms or len(known) < len(arms):
            return 0, 0.0
        turns = self.extra.ahead(sum(known))
        return turns * len(arms), turns * sum(known)

    def _kind(self, position: int) -> tuple[int, int]:
        return self.plan[position].arm, len(self.plan[position].items)

    def _seconds(self, position: int) -> float | None:
        return self._of(self._kind(position))

    def _of(self, kind: tuple[int, int]) -> float | None:
        return sum(self.seen[kind]) / len(self.seen[kind]) if kind in self.seen else self.known[kind]
