"""Pipeline pool of a run: groups arms that fit in memory together and loads the rest on demand."""

import json
from collections.abc import Callable, Sequence
from itertools import combinations

from comparer.checkpoints.inspection.fingerprint import Hashes
from comparer.checkpoints.read import Checkpoint
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.pipelines.loader import Loaded
from comparer.request.request import Request
from comparer.results.comparison import Comparison

SPARE = 0.6  # share of the free memory that weights may take; calls take the rest
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


class PipelinePool:
    """Pool of the arms' pipelines.

    Attributes:
        blocks: groups of arms that are loaded together, in run order; the first contains the baseline.
    """

    def __init__(self, request: Request, config: Config, checkpoints: Sequence[Checkpoint]) -> None:
        """Store the arguments; pipelines are loaded in ``begin``."""
        self.request, self.config, self.checkpoints = request, config, checkpoints
        self.loaded: dict[int, Loaded] = {}
        self.held: dict[int, tuple] = {}
        self.blocks: list[list[int]] = [list(range(len(request.arms)))]

    def begin(self, tell: Callable[[str], None]) -> None:
        """Load the baseline and every other arm that fits in memory with it.

        Raises:
            ComparerError: a checkpoint cannot be loaded, or two arms that should differ have equal weights.
        """
        first, later = [0], []
        self._load(0, tell)
        for arm in range(1, len(self.request.arms)):
            if self._as_loaded(arm) or (self.config.offload == "none" and self._fits(arm)):
                self._load(arm, tell)
                first.append(arm)
            else:
                later.append([arm])
        self.blocks = [first, *later]
        for one, other in combinations(first, 2):
            if told := self.duplicate_error(one, other):
                raise ComparerError(f"{told} Nothing was run.")

    def close(self) -> None:
        """Release the run's pipelines; keep ``cached_pipelines`` of them, the baseline first."""
        from comparer.pipelines import loader

        first, self.loaded = self.loaded.get(0), {}
        loader.trim(self.config.cached_pipelines, first)

    def of(self, arm: int, tell: Callable[[str], None], comparison: Comparison) -> Loaded:
        """Return an arm's pipeline; if not loaded, release the other blocks and load the arm's block.

        Raises:
            ComparerError: the pipeline cannot be loaded, or its weights equal those of an arm that should differ.
        """
        if arm not in self.loaded:
            self.loaded = {}
            for each in next(block for block in self.blocks if arm in block):
                self._load(each, tell)
            self.keep(comparison)
            for other in self.held:
                if other != arm and (told := self.duplicate_error(other, arm)):
                    raise ComparerError(told)
        return self.loaded[arm]

    def keep(self, comparison: Comparison, because: Sequence[str] = ()) -> None:
        """Store the weights card of the baseline and of every loaded arm with its own weights.

        Args:
            comparison: the run.
            because: what differs from the process that began the run, such as its dtype; for the message.

        Raises:
            ComparerError: a resumed run has other weights than it began with.
        """
        from comparer.pipelines.weights_card import weights_card

        hashes = Hashes(self.config.runs / "cache" / "hashes.json")
        for arm, loaded in self.loaded.items():
            if arm and self.request.arms[arm].weights is None:
                continue
            card = json.loads(json.dumps(weights_card(loaded, hashes)))  # as JSON returns it: tuples become lists
            before = comparison.variants.get(arm, {}) if arm else comparison.checkpoint
            if "components" in before and (was := _values(before)) != (now := _values(card)):
                part = next(name for name in {**was, **now} if was.get(name) != now.get(name))
                reason = f" ({'; '.join(because)})" if because else ""
                raise ComparerError(
                    f"The run cannot be resumed: the weights of {self.request.arms[arm].name}'s {part} were "
                    f"{was.get(part, 'missing')} and are now {now.get(part, 'missing')}{reason}."
                )
            if arm:
                comparison.variants[arm] = card
            else:
                comparison.checkpoint = card

    def duplicate_error(self, one: int, other: int) -> str:
        """Return a sentence if two arms with different specs have equal weights; "" if they differ or are unknown."""
        asked = [self.request.settings_of(arm) for arm in (one, other)]
        if asked[0].weights == asked[1].weights or self.held.get(one, one) != self.held.get(other, other):
            return ""
        names = [self.request.arms[arm].name for arm in (one, other)]
        return (
            f"{names[0]} and {names[1]} have the same weights: every tensor of their {self._components(one)} is "
            "equal, so their pictures would be equal, too."
        )

    def _load(self, arm: int, tell: Callable[[str], None]) -> None:
        from comparer.pipelines import loader
        from comparer.pipelines.assemble import configuration

        checkpoint = self.checkpoints[arm]
        tell(f"Loading {checkpoint.model.title}")
        loaded = self._as_loaded(arm) or loader.load(checkpoint, self.config, list(self.loaded.values()))
        self.loaded[arm] = loaded
        values = tuple(
            (name, each.filled.named, configuration(each.module)) for name, each in loaded.components.items()
        )
        self.held[arm] = (values, loaded.dtype, sorted(loaded.scheduler_config.items(), key=str))

    def _as_loaded(self, arm: int) -> Loaded | None:
        """Return the pipeline of an arm with the same weights."""
        return next(
            (each for other, each in self.loaded.items() if self.checkpoints[other] == self.checkpoints[arm]), None
        )

    def _components(self, arm: int) -> str:
        return ", ".join(name for name, *_ in self.held[arm][0])

    def _fits(self, arm: int) -> bool:
        """Say whether an arm's weights find room beside what is loaded; shared components that are known need none."""
        from comparer.checkpoints.sources import sources
        from comparer.pipelines.memory import free

        checkpoint, first = self.checkpoints[arm], self.loaded[0]
        dtype = checkpoint.weights.dtype or first.dtype
        held = [each for loaded in self.loaded.values() for each in loaded.components.values()]
        known = [each.source.part for each in held if each.filled.dtype == dtype]
        parts = [source.part for source in sources(checkpoint).values()]
        needed = sum(part.parameters * BYTES[dtype] for part in parts if part not in known)
        return needed <= SPARE * free(first.device)


def _values(card: dict) -> dict[str, str]:
    return {name: each["named"] for name, each in card["components"].items()}
