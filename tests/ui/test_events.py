"""How the page's events are connected: an event never starts itself again."""

from collections import Counter

from comparer.ui.app import Page


def test_no_event_has_two_handlers_that_wait_for_each_other(config):
    """Gradio repeats the event, for all its handlers, when one that was busy has ended: two would go on for ever."""
    page = Page(config).build()
    waiting = Counter(
        tuple(target)
        for handler in page.config["dependencies"]
        for target in handler["targets"]
        if handler["backend_fn"] and handler["trigger_mode"] == "always_last"
    )
    assert waiting and max(waiting.values()) == 1, waiting.most_common(3)
