"""Check this checkpoint, on the page."""

ALERT = "[role=alert]"


def check(page):
    page.get_by_role("button", name="Check", exact=True).click()


def test_the_demo_is_checked_in_one_press(page):
    check(page)
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
    page.get_by_role("button", name="Generate").click()  # the next thing takes its place
    page.get_by_text("Finished.").wait_for(timeout=60_000)
    assert "Check of demo: healthy" in report.inner_text() and not pictures.first.is_visible()


def test_a_check_can_be_stopped(page):
    check(page)
    page.locator("[role=progressbar]").wait_for(timeout=60_000)
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped before the check had ended.").wait_for(timeout=60_000)
    assert not page.locator(".checked").count()


def test_what_cannot_be_checked_is_said(page):
    page.get_by_role("button", name="EMA or raw, base, VAE").click()
    page.get_by_label("Base", exact=True).first.wait_for()
    page.get_by_label("LoRA weight").first.fill("99")
    page.get_by_label("LoRA", exact=True).first.fill("none.safetensors")
    page.keyboard.press("Enter")
    check(page)
    page.locator(f"#status {ALERT}").wait_for(timeout=60_000)
    assert "out of range" in page.locator("#status").inner_text()
