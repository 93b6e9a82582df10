"""What the page says of a run before it begins."""

from dataclasses import replace

from comparer.ui.results.status import announce
from helpers.runs import ask


def test_what_is_planned_names_the_seconds_for_repeats():
    asked = replace(ask("DeepCache(interval=2)"), repeat_seconds=20.0)
    assert announce(asked) == "2 pictures in 2 timed calls; one call is repeated for up to 20 s"
    assert announce(ask("DeepCache(interval=2)")) == "2 pictures in 2 timed calls"
    assert announce(replace(asked, arms=asked.arms[:1])) == "1 picture in 1 timed call"
