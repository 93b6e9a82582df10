"""A public page: strangers see neither each other's runs nor this machine's folders."""

import re
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from comparer.config import Config
from comparer.errors import ComparerError
from comparer.timing import pace
from helpers.pages import serving
from helpers.runs import PROMPT


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("public") / "all runs"


@pytest.fixture(scope="module")
def address(runs):
    folder = runs.parent / "models"
    (folder / "broken").mkdir(parents=True)
    (folder / "broken" / "model_index.json").write_text("{}")
    (runs.parent / "secret.txt").write_text("secret")
    with serving(runs, "--public", "--checkpoints", str(folder)) as address:
        yield address


@pytest.fixture(scope="module")
def other(address, tmp_path_factory):
    """Another visitor's record."""
    client = Client(address, verbose=False, download_files=tmp_path_factory.mktemp("other"))
    return client.predict(f"{PROMPT}\na small blue circle on a white background", steps=2, api_name="/compare")


def get(address, path):
    return httpx.get(f"{address}/gradio_api/file={quote(str(path))}")


def test_a_run_folder_cannot_be_guessed_and_its_own_visitor_reads_it(address, runs, other):
    assert re.fullmatch(r"[\d-]{10}_\d{6}_demo_[0-9a-f]{32}", other["folder"])
    assert Path(other["grid"]).is_file()
    record = get(address, runs / other["folder"] / "run.json")
    assert record.status_code == 200 and record.json()["request"] == other["request"]


def test_nothing_lists_or_guesses_the_runs_of_others(address, runs, other):
    folder, (picture, *_) = other["folder"], [shot["file"] for shot in other["shots"]]
    known = folder[:-32]  # the time and the checkpoint can be known
    tries = [
        runs, f"{runs}/", runs / folder, f"{runs}/{folder}/", f"{runs}/{folder}/.", f"{runs}/*/run.json",
        runs / known / "run.json", runs / (known + "0" * 32) / "run.json", runs / (known + "*") / picture,
        runs / f"{known}????????????????????????????????" / "grid.png", f"{runs}/{folder}/../", runs / "run.json",
        runs / pace.FILE, f"{runs}/{folder}/../{pace.FILE}",
        runs.parent / "secret.txt", f"{runs}/../secret.txt", f"{runs}/{folder}/../../secret.txt",
        runs.parent / "models" / "broken" / "model_index.json", "runs", "/etc/passwd", "README.md", "app.py",
        "comparer/config.py", "/proc/self/environ", f"file://{runs}/{folder}/run.json",
    ]  # fmt: skip
    assert (runs / pace.FILE).is_file()
    for path in tries:
        answer = get(address, path)
        assert answer.status_code >= 400, path
        assert folder in str(path) or folder[-32:] not in answer.text, path
    for page in ("monitoring", "monitoring/summary", "gradio_api/runs", "gradio_api/monitoring/summary"):
        assert httpx.get(f"{address}/{page}").status_code >= 400, page


def test_nothing_that_a_stranger_can_ask_for_tells_of_another_run(address, runs, other):
    client = Client(address, verbose=False)
    pages = ("", "config", "gradio_api/info", "gradio_api/startup-events")
    seen = [httpx.get(f"{address}/{page}").text for page in pages]
    seen += [str(client.predict(api_name=name)) for name in ("/checkpoints", "/accelerators")]
    seen.append(str(client.predict(PROMPT, steps=1, api_name="/compare")))
    for text in seen:
        assert other["folder"][-32:] not in text and "small blue circle" not in text
        assert str(runs) not in text and str(runs.parent) not in text


@pytest.mark.parametrize("name", ["/etc", "models/broken", "models/none", "../secret.txt", "~"])
def test_a_refusal_names_no_folder_of_this_machine(address, runs, name):
    with pytest.raises(AppError) as refused:
        Client(address, verbose=False).predict(PROMPT, checkpoint=name, api_name="/compare")
    told = str(refused.value)
    assert told and "/" not in told.replace("models/broken", "").replace("models/none", "").replace("../secret.txt", "")


def test_messages_are_shortened_for_strangers_only():
    told = (
        "The run folder cannot be made: [Errno 13] Permission denied: '/srv/my data/runs/2026_demo', see https://a.b/c."
    )
    config = Config(runs=Path("/srv/my data/runs"))
    assert config.tell(ComparerError(told)) == told
    short = Config(runs=config.runs, public=True).tell(ComparerError(told))
    assert short == "The run folder cannot be made: [Errno 13] Permission denied: 'runs/2026_demo', see https://a.b/c."
    public = Config(public=True, checkpoints=(Path("/models"),))
    assert public.tell(ComparerError("'x' is outside the checkpoint folders (/models, /data/b).")) == (
        "'x' is outside the checkpoint folders (models, b)."
    )
    here = Config(public=True, runs=Path())
    for text in ("'ck/../../etc' is gone.", "'../models/x' is gone.", "'./a/b' is gone.", "'~/a/b' is gone."):
        assert public.tell(ComparerError(text)) == text == here.tell(ComparerError(text))


def test_waiting_strangers_learn_no_prompt(address, runs, other):
    long = Client(address, verbose=False).submit(PROMPT, steps=100, seeds="1-100", warmups=0, api_name="/compare")
    try:
        next(update for update in long if update.get("state") == "running")
        waiting = Client(address, verbose=False).submit(PROMPT, steps=1, api_name="/compare")
        told = next(update for update in waiting if "ahead" in update.get("text", ""))
        assert re.fullmatch(r"1 ahead, now: demo, \d+ of 200 pictures", told["text"])
    finally:
        long.cancel()
