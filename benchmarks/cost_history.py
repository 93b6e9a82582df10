"""How long a list of a thousand runs takes: without cards, with them, and until it is seen on the page.

    python benchmarks/cost_history.py [--runs 1000] [RUN_FOLDER]

Copies one real run (by default a new one of the demo checkpoint: five arms, 16 pairs, 4 steps) so many times, each with
another date and prompt, into a temporary folder.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, sleep

from common import ROOT, load_average

from comparer.config import Config
from comparer.runs import index

PLACES = ("top left", "top right", "bottom left", "bottom right")


def real(folder: Path) -> Path:
    """Make one run of five arms and 16 pairs."""
    from comparer.engine.compare import compare
    from comparer.request.build import FIVE, build_request

    config = Config(runs=folder)
    prompts = "\n".join(f"a large red star in the {place} on a blue background" for place in PLACES)
    request = build_request(config, prompts, accelerators=FIVE, steps=8, seeds="1-4", warmups=0, repeat_seconds=0)
    *_, last = compare(request, config)
    return last.folder


def copies(run: Path, runs: Path, number: int) -> None:
    """Copy a run so often, without its card; its pictures are linked hard, for the disk's sake."""
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for each in range(number):
        when = begin + timedelta(hours=each)
        folder = runs / f"{when:%Y-%m-%d_%H%M%S}_demo_{each:06x}"
        folder.mkdir(parents=True)
        record["created"] = when.isoformat(timespec="seconds")
        record["request"]["settings"]["prompts"][0] = f"a star number {each} on a blue background"
        (folder / "run.json").write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
        for picture in run.glob("*.png"):
            os.link(picture, folder / picture.name)


def timed(runs: Path) -> float:
    """Return the seconds of one listing."""
    begin = perf_counter()
    index.entries(runs)
    return perf_counter() - begin


def on_the_page(runs: Path, rounds: int = 5) -> tuple[list[float], list[float], list[int]]:
    """Return, of each opening in a browser: seconds until 50 runs are seen, seconds of a search, pictures loaded."""
    from playwright.sync_api import sync_playwright

    port, names = "7990", [entry.name for entry in index.entries(runs)]
    command = [sys.executable, "-u", "app.py", "--port", port, "--runs", str(runs)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        address = next(word for line in server.stdout for word in line.split() if word.startswith("http"))
        sleep(20)  # the libraries load behind the page
        opened, searched, loaded = [], [], []
        with sync_playwright() as playwright:
            path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            for number in range(rounds):
                tab, pictures = browser.new_context().new_page(), []
                tab.goto(address)
                tab.get_by_role("button", name="Generate").wait_for()
                tab.on("request", lambda r, seen=pictures: seen.append(r.url) if ".png" in r.url else None)
                begin = perf_counter()
                tab.get_by_role("tab", name="History").click()
                tab.locator(".past .run").nth(49).wait_for()
                opened.append(perf_counter() - begin)
                tab.wait_for_timeout(3000)
                loaded.append(len(pictures))
                begin = perf_counter()
                tab.get_by_label("Search the runs").fill(names[number])
                tab.get_by_text(f"1 of {len(names):,} runs").wait_for()
                searched.append(perf_counter() - begin)
                tab.context.close()
            browser.close()
        return opened, searched, loaded
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="How long a list of a thousand runs takes.")
    parser.add_argument("run", nargs="?", type=Path, help="a run folder to copy (a new one)")
    parser.add_argument("--runs", type=int, default=1000, help="how many runs (%(default)s)")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, {load_average()}")
    with tempfile.TemporaryDirectory() as folder:
        run, runs = options.run or real(Path(folder) / "one"), Path(folder) / "runs"
        copies(run, runs, options.runs)
        size = (run / "run.json").stat().st_size
        print(f"{options.runs} runs; each run.json has {size / 1000:.0f} kB")
        first = timed(runs)
        cards = sum(path.stat().st_size for path in runs.glob("*/card.json")) / options.runs
        print(f"listed without cards: {first:.1f} s; a card has {cards / 1000:.1f} kB")
        again = sorted(timed(runs) for _ in range(9))
        spread = f"{again[4]:.2f} s ({again[0]:.2f} to {again[-1]:.2f})"
        print(f"listed with cards: {spread}, {first / again[4]:.0f} times less")
        opened, searched, loaded = on_the_page(runs)
        print(f"History tab, from the press to 50 runs: {', '.join(f'{each:.2f}' for each in opened)} s")
        print(f"a search, from the last key to its result: {', '.join(f'{each:.2f}' for each in searched)} s")
        print(f"pictures loaded at opening: {', '.join(map(str, loaded))} of {2 * options.runs}")


if __name__ == "__main__":
    main()
