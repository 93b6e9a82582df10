"""Take the pictures of the page that the README and docs show: ``python scripts/screenshots.py``.

Starts the real app on a free port with a run folder of its own, drives it with Playwright in the system's
Chromium, and writes ``assets/screenshots/page.png`` and ``assets/screenshots/``, each as a palette PNG under 200 KB.
"""

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "assets"
LARGEST = 200_000  # bytes
PROMPTS = "a large red star in the top left on a blue background\na large green hexagon on a white background"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
WIDE, PHONE = {"width": 1440, "height": 1180}, {"width": 390, "height": 844}


@contextmanager
def server(port: int) -> Iterator[str]:
    """Serve the real app with a run folder of its own; yield its address."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-u", "app.py", "--port", str(port), "--runs", str(Path(folder) / "runs")],
            cwd=ROOT,
            env=os.environ | {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if found := re.search(r"Comparer is at (http://\S+)", line):
                    break
            else:
                sys.exit("app.py did not start:\n" + "".join(said))
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield found[1]
        finally:
            process.terminate()
            process.wait()


@contextmanager
def tab(browser: Browser, address: str, **options: object) -> Iterator[Page]:
    """Open the page in a context of its own."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(90_000)
    page.goto(address)
    button(page).wait_for()
    yield page
    context.close()


def button(page: Page) -> object:
    """Return the button that starts a comparison."""
    return page.get_by_role("button", name="Generate")


def start(page: Page, prompts: str, seeds: str, steps: int = 25) -> None:
    """Ask for a comparison."""
    page.get_by_role("textbox", name=re.compile("^Prompt")).fill(prompts)
    page.get_by_role("textbox", name=re.compile("^Seed")).fill(seeds)
    page.get_by_role("spinbutton", name=re.compile("Steps")).first.fill(str(steps))
    button(page).click()
    page.wait_for_function("() => !document.querySelector('#status').innerText.startsWith('Finished')")


def finish(page: Page) -> None:
    """Wait for the end, and until every picture in sight is drawn."""
    page.get_by_text(re.compile(r"^Finished")).first.wait_for()
    settle(page)


def settle(page: Page) -> None:
    """Wait until pictures are drawn and nothing moves; leave no focus ring and no pointer behind."""
    # Those that are hidden or far away are loaded when someone looks at them.
    page.wait_for_function(
        "() => [...document.images].filter(i => i.offsetParent && i.getBoundingClientRect().top < innerHeight)"
        ".every(i => i.complete && i.naturalWidth)"
    )
    page.evaluate("document.activeElement?.blur()")
    page.mouse.move(0, 0)


def save(page: Page, path: Path) -> None:
    """Write what is in sight as a small PNG."""
    taken = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    for colours in (256, 128, 64):
        small = taken.quantize(colours, dither=Image.Dither.NONE)
        written = io.BytesIO()
        small.save(written, "PNG", optimize=True)
        if written.tell() < LARGEST:
            break
    else:
        sys.exit(f"{path.name} is {written.tell()} bytes: more than {LARGEST}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written.getvalue())
    print(f"{path.relative_to(ROOT)}: {small.width}×{small.height}, {written.tell() // 1000} KB", flush=True)


def keep(page: Page, path: Path) -> None:
    """Save the grid that the page offers."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Grid PNG").click()
    download.value.save_as(path)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} KB", flush=True)


def take(browser: Browser, address: str) -> None:
    """Make a comparison for each picture and save it."""
    folder = ASSETS / "screenshots"
    with tab(browser, address, viewport=WIDE) as page:
        settle(page)
        save(page, folder / "first-visit.png")
        page.get_by_role("button", name="Compare all five").click()
        page.locator("#expected li").nth(4).wait_for()
        start(page, PROMPTS.split("\n")[0], "1,2")
        finish(page)
        page.evaluate("scrollTo(0, 0)")
        settle(page)
        save(page, ASSETS / "screenshots" / "page.png")
        keep(page, ASSETS / "screenshots" / "five.png")
        accelerators = page.locator("#accelerators")
        accelerators.evaluate("heading => heading.scrollIntoView({block: 'start'})")
        settle(page)
        save(page, folder / "accelerators.png")
    with tab(browser, address, viewport=WIDE, color_scheme="dark") as page:
        start(page, PROMPTS, "1,2")
        finish(page)
        page.evaluate("scrollTo(0, 0)")
        settle(page)
        save(page, folder / "dark.png")
    with tab(browser, address, viewport={"width": 1440, "height": 1700}) as page:
        page.get_by_text("More settings").click()
        for label in ("Fewer steps in each arm's time", "Latents, step by step"):
            page.get_by_label(label).check()
        start(page, PROMPTS, "1-4")
        finish(page)
        for fold in ("How sure the figures are", "Times", "How alike", "How the latents part"):
            page.locator("summary", has_text=fold).click()
        page.locator("#figures").evaluate("figures => figures.scrollIntoView({block: 'start'})")
        settle(page)
        save(page, folder / "details.png")
    with tab(browser, address, viewport=PHONE, device_scale_factor=2, is_mobile=True, has_touch=True) as page:
        start(page, PROMPTS.split("\n")[0], "1,2")
        finish(page)
        page.locator("#status").evaluate("line => line.scrollIntoView({block: 'start'})")
        page.wait_for_timeout(500)  # a phone's picture is pieced together while it scrolls
        save(page, folder / "phone.png")
    with tab(browser, address, viewport=WIDE) as page:
        start(page, PROMPTS, "1-8", steps=50)
        page.locator("#compare .stage[aria-busy=false]").wait_for()
        page.get_by_role("progressbar").first.wait_for()
        settle(page)
        save(page, folder / "running.png")


def checkpoints(browser: Browser, address: str) -> None:
    """Lay EMA beside raw weights, with the weights card and what was loaded."""
    with tab(browser, address, viewport={"width": 1440, "height": 1250}) as page:
        page.get_by_role("radio", name="Checkpoints").check()
        page.get_by_role("button", name="EMA beside raw").click()
        page.locator("#plan .plan", has_text="2 pictures").wait_for()
        page.get_by_role("button", name="Inspect").click()
        page.locator(".weights").wait_for()
        settle(page)
        save(page, ASSETS / "screenshots" / "inspect.png")
        start(page, PROMPTS, "1-4")
        finish(page)
        page.locator("summary", has_text="Which weights").click()
        page.evaluate("scrollTo(0, 0)")
        settle(page)
        save(page, ASSETS / "screenshots" / "checkpoints.png")
    with tab(browser, address, viewport={"width": 1440, "height": 1250}) as page:
        page.get_by_role("button", name="Check", exact=True).click()
        page.locator(".checked").wait_for()
        settle(page)
        save(page, ASSETS / "screenshots" / "check.png")


def looking(browser: Browser, address: str) -> None:
    """Look closely: the viewer's modes, the report, the blind test, the history."""
    folder = ASSETS / "screenshots"
    with tab(browser, address, viewport=WIDE) as page, tempfile.TemporaryDirectory() as reports:
        page.get_by_role("button", name="Compare all five").click()
        page.locator("#expected li").nth(4).wait_for()
        start(page, PROMPTS, "1-3")
        finish(page)
        page.locator("#all button").nth(3).click()
        viewer = page.locator("#compare")
        viewer.locator(".stage[aria-busy=false]").wait_for()
        viewer.get_by_role("button", name="Slider", exact=True).click()
        viewer.get_by_label("Position").fill("0.3")
        page.locator("#views").evaluate("views => views.scrollIntoView({block: 'start'})")
        settle(page)
        save(page, folder / "viewer.png")
        viewer.get_by_role("button", name="Difference", exact=True).click()
        viewer.get_by_label("Gain").fill("2")
        settle(page)
        save(page, folder / "difference.png")
        with page.expect_download() as download:
            page.get_by_role("button", name="Report HTML").click()
        download.value.save_as(Path(reports) / "report.html")
        report = page.context.new_page()
        report.set_viewport_size({"width": 1280, "height": 1300})
        report.goto((Path(reports) / "report.html").as_uri())
        report.locator(".stage[aria-busy=false]").wait_for()
        settle(report)
        save(report, folder / "report.png")
        report.close()
        page.get_by_role("tab", name="Judge blind").click()
        page.get_by_role("button", name="Begin", exact=True).click()
        page.locator("#blind .stage[aria-busy=false]").wait_for()
        settle(page)
        save(page, folder / "blind.png")
        for key in "abbtab":
            page.locator("#blind .stage[aria-busy=false]").wait_for()
            page.keyboard.press(key)
            page.wait_for_timeout(1500)
        page.locator("#blind .verdict").wait_for()
        page.get_by_role("radio", name="Checkpoints").check()
        page.get_by_role("button", name="EMA beside raw").click()
        page.locator("#plan .plan", has_text="12 pictures").wait_for()
        start(page, "a small yellow ring in the bottom right on a black background", "4-6")
        finish(page)
        page.set_viewport_size({"width": 1440, "height": 620})
        page.get_by_role("tab", name="History").click()
        page.locator(".past li").first.wait_for()
        page.evaluate("scrollTo(0, 0)")
        settle(page)
        save(page, folder / "history.png")


PARTS = {"accelerators": take, "checkpoints": checkpoints, "looking": looking}


def main() -> None:
    """Take all of them, or those of one part."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=8320, help="the server's, or the next free one (%(default)s)")
    parser.add_argument("--only", choices=PARTS, help="take the pictures of this part alone")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no Chromium here: install it ('apt-get install chromium', 'brew install --cask chromium').")
    with server(options.port) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*QUIET, "--disable-sync"])
        for name, part in PARTS.items():
            if options.only in (None, name):
                part(browser, address)
        browser.close()


if __name__ == "__main__":
    main()
