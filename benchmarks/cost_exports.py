"""What exports cost: a report's size and time, full and reduced, and a large grid's pages and memory.

    python benchmarks/cost_exports.py [--pictures 200] [--size 600] [--rows 64] [--cell 1024]

Pictures of noise, which compress least; each part runs in a process of its own, whose peak memory over that of
reading the run is printed.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from common import load_average

ARMS = 6


def made(folder: Path, rows: int, arms: int, pixels: int) -> None:
    """Write a run of so many rows and arms whose pictures are noise."""
    import numpy as np
    from PIL import Image

    from comparer.request.request import Arm, Request, Settings
    from comparer.results.comparison import Comparison
    from comparer.results.records import Call, Shot
    from comparer.runs.store import RunFolder

    draw = np.random.default_rng(0)
    settings = Settings(prompts=("noise",), width=pixels, height=pixels, seeds=tuple(range(rows)))
    request = Request(settings, tuple(Arm("Baseline" if not arm else f"Arm {arm}") for arm in range(arms)))
    seen = Comparison(request, "2026-01-01T00:00:00+00:00", "finished")
    stages = {"text": 0.1, "denoising": 0.8, "decoding": 0.1}
    folder.mkdir(parents=True)
    for seed in range(rows):
        for arm in range(arms):
            name = f"{arm}_{seed}.png"
            noise = draw.integers(0, 256, (pixels, pixels, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / name, compress_level=1)
            seen.calls.append(Call(arm, seed, 1, 1.0, stages, ()))
            seen.shots.append(Shot(arm, 0, seed, name, len(seen.calls) - 1, pixels=f"{arm}-{seed}"))
    RunFolder(folder).save(seen)


def _measured(what: str, folder: Path, given: object, told: multiprocessing.Queue) -> None:
    from comparer.reporting.grid.draw import GridOptions, save_grid
    from comparer.reporting.report.report import save_report
    from comparer.runs import store

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    seen = store.load(folder)
    before, begin = peak(), perf_counter()
    paths = [save_report(seen, folder, str(given))] if what == "report" else save_grid(seen, folder, GridOptions())
    seconds = perf_counter() - begin
    told.put((len(paths), sum(path.stat().st_size for path in paths), seconds, peak() - before))


def measured(what: str, folder: Path, given: object = None) -> tuple[int, int, float, int]:
    """Return files, bytes, seconds and bytes of memory that an export takes."""
    ways = multiprocessing.get_context("spawn")
    told = ways.Queue()
    process = ways.Process(target=_measured, args=(what, folder, given, told))
    process.start()
    found = told.get()
    process.join()
    return found


def main() -> None:
    """Make both runs and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", type=int, default=200, help="of the report (%(default)s)")
    parser.add_argument("--size", type=int, default=600, help="of these, pixels a side, a multiple of 8 (%(default)s)")
    parser.add_argument("--rows", type=int, default=64, help=f"of the grid of {ARMS} arms (%(default)s)")
    parser.add_argument("--cell", type=int, default=1024, help="of the grid, pixels (%(default)s)")
    options = parser.parse_args()
    print(f"{options.pictures} pictures of {options.size} px; {ARMS} arms × {options.rows} rows of {options.cell} px; "
          f"{load_average()}")  # fmt: skip
    print("| export | files | MB | of the pictures | seconds | MB of memory |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as temporary:
        runs = {"report": Path(temporary) / "report", "grid": Path(temporary) / "grid"}
        made(runs["report"], options.pictures // 2, 2, options.size)
        made(runs["grid"], options.rows, ARMS, options.cell)
        for what, given in (("report", "full"), ("report", "reduced"), ("grid", None)):
            pictures = sum(path.stat().st_size for path in runs[what].glob("*_*.png"))
            files, size, seconds, memory = measured(what, runs[what], given)
            name = f"{what}, {given}" if given else what
            cells = (name, files, f"{size / 1e6:.1f}", f"{size / pictures:.2f}×", f"{seconds:.1f}", round(memory / 1e6))
            print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
