"""How long people wait: ``python benchmarks/cost_startup.py``.

Each round starts three fresh processes: one that imports the libraries, ``speed_bare_script.py``, and the
real server, of which a client asks for the same comparison twice (two arms, a warm-up and a call each). Every
time is counted from the start of its process, but the second comparison's from its request. Prints seconds and
ratios of times of one round: geometric mean and range of the middle half of the rounds. One run, one machine, no
absolute claim. The server also loads its scorer, scores and writes its run folder; the bare script does not. An
untimed round comes first, so that files are in the page cache.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from common import PROMPT, ROOT, alternate, load_average, middle, table
from gradio_client import Client

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
TIMES = {
    "import": "importing the libraries",
    "page": "answering page",
    "bare first picture": "first picture of the bare script",
    "first picture": "first picture",
    "bare second": "second comparison of the bare script",
    "second": "second comparison",
}


def importing() -> dict:
    """Time a process until it has imported the libraries."""
    script = "from comparer.models.libraries import prepare; prepare(); print('done', flush=True)"
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        return {"import": time.perf_counter() - began}


def bare() -> dict:
    """Time the bare script, the start of its interpreter included."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        script = [sys.executable, ROOT / "benchmarks" / "speed_bare_script.py", folder]
        with subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            process.stdout.readline()
            first = time.perf_counter() - began
            told = json.loads(process.stdout.readlines()[-1])
    return {"bare first picture": first, "bare second": told["second"], "machine": told["machine"]}


def served(port: int) -> dict:
    """Time the server: its page, its first picture, its second comparison."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        began = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-u", "app.py", "--port", str(port), "--runs", str(runs)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            address = next((found[1] for line in server.stdout if (found := re.search(r"(http://\S+)", line))), None)
            if address is None:
                sys.exit("app.py did not start")
            threading.Thread(target=server.stdout.read, daemon=True).start()
            with urllib.request.urlopen(address) as answer:
                answer.read()
            page = time.perf_counter() - began
            client = Client(address, verbose=False)
            ask = {"accelerators": ["DeepCache(interval=3)"], "api_name": "/compare"}
            job = client.submit(PROMPT, seeds="0", **ask)
            while not any(runs.glob("*/*.png")) and not job.done():
                time.sleep(0.005)
            first = time.perf_counter() - began
            job.result()
            asked = time.perf_counter()
            client.predict(PROMPT, seeds="1", **ask)
            return {"page": page, "first picture": first, "second": time.perf_counter() - asked}
        finally:
            server.terminate()
            server.wait()


def main() -> None:
    """Alternate the three and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="of all three (%(default)s)")
    parser.add_argument("--port", type=int, default=8300, help="the server's, or the next free one (%(default)s)")
    options = parser.parse_args()
    os.chdir(ROOT)
    steps = (importing, bare, lambda: served(options.port))
    load, rounds = load_average(), []
    for results in alternate(steps, options.rounds):
        rounds.append({name: value for result in results for name, value in result.items()})
    print(f"{options.rounds} rounds; {rounds[0]['machine']}; {load}\n")
    rows = []
    for name, title in TIMES.items():
        over = ("" if name in ("import", "second", "bare second") else "import", f"bare {name}")
        ratios = [middle([seen[name] / seen[other] for seen in rounds]) if other in TIMES else "–" for other in over]
        rows.append([title, f"{middle([seen[name] for seen in rounds])} s", *ratios])
    print(table(("what is waited for", "time", "/ importing", "/ the bare script's"), rows))


if __name__ == "__main__":
    main()
