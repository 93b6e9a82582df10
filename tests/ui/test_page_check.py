"""Check this checkpoint, on the page."""

import gradio
import pytest

from comparer.ui.app import Page
from helpers.pages import start


@pytest.mark.full
def test_the_demo_is_healthy_and_the_next_run_takes_the_place_of_the_report(page):
    page.get_by_role("button", name="Check", exact=True).click()
    report = page.locator(".checked")
    report.wait_for(timeout=120_000)
    assert "Healthy" in report.locator(".card").inner_text()
    pictures = report.locator("figure img")
    assert pictures.count() == 16
    pictures.last.scroll_into_view_if_needed()
    page.wait_for_function("[...document.querySelectorAll('.made img')].at(-1).naturalWidth === 128")
    assert pictures.first.get_attribute("alt").startswith("Check, EMA: a large red star")
    text = report.inner_text()
    assert "8 of 8 highest with their own prompt" in text and "at least 59.8" in text
    report.get_by_text("Every measure and its limit").click()
    assert report.get_by_role("table", name="Measures, raw").is_visible()
    assert "coarse (noise-like)" in report.inner_text()
    start(page, "1", "2")  # the next thing takes its place
    page.get_by_text("Finished.").wait_for()
    assert "Check of demo: healthy" in report.inner_text() and not pictures.first.is_visible()


def test_what_cannot_be_checked_is_said(config):
    page = Page(config)
    page.build()
    which = page.controls.which
    changed = {which.loras: ["none.safetensors"], which.scale: 99}
    values = [changed.get(part, part.value) for part in page.controls.inputs()]
    *_, told = page.check(gradio.Request(session_hash="a tab"), *values)
    assert 'role="alert"' in told[page.out.status] and "out of range" in told[page.out.status]
    assert page.out.inspect.shown not in told
