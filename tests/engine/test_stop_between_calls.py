"""Stop between two calls: the next one does not begin."""

import threading

from comparer.engine.events import Emit, Finished, Progress, Updated
from comparer.engine.runner import Run
from comparer.request.validate import validate
from comparer.results.comparison import Comparison
from helpers.runs import ask


class StopsAt(Emit):
    """Press Stop in the thread of the run, in the moment in which something is seen; nobody waits for events."""

    def __init__(self, stop, moment):
        super().__init__(stop)
        self.moment, self.events, self.after = moment, [], 0

    def __call__(self, event):
        self.events.append(event)
        if not self.stop.is_set() and self.moment(event):
            self.stop.set()
            self.after = len(self.events)

    def settled(self):
        pass


def stopped(request, config, moment):
    stop = threading.Event()
    emit = StopsAt(stop, moment)
    run = Run(
        Comparison(request, "2026-11-01T12:00:00+00:00"), config, validate(request, config), stop, emit, None, print
    )
    run.run()
    return emit.events, emit.events[emit.after :]


def test_stop_after_a_call_is_noticed_before_the_next_one_begins(config):
    events, after = stopped(
        ask("DeepCache(interval=2)", seeds=(1, 2), steps=2), config,
        lambda event: isinstance(event, Updated) and len(event.comparison.calls) == 1,
    )  # fmt: skip
    assert not [event.text for event in after if isinstance(event, Progress)]
    last = events[-1]
    assert isinstance(last, Finished) and last.comparison.state == "stopped"
    assert [(shot.arm, shot.seed) for shot in last.comparison.shots] == [(0, 1)]
    assert last.comparison.shots[0].clip_score is not None


def test_stop_while_a_pair_is_scored_ends_the_run_with_that_pair(config):
    events, after = stopped(
        ask("DeepCache(interval=2)", seeds=(1, 2), steps=2), config,
        lambda event: isinstance(event, Progress) and event.phase == "scoring",
    )  # fmt: skip
    assert not [event.text for event in after if isinstance(event, Progress)]
    assert events[-1].comparison.state == "stopped" and len(events[-1].comparison.shots) == 2
    assert events[-1].comparison.shots[1].similarity
