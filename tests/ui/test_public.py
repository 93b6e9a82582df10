"""A public page: strangers see neither each other's runs nor this machine's folders, and write into no other's run."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from comparer.config import Config
from comparer.engine import eta
from comparer.errors import ComparerError
from comparer.reporting.exporters import EXPORTERS
from comparer.runs import index, store
from comparer.ui.app import Page
from helpers.pages import serving, start, view
from helpers.run_folders import kept
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


@pytest.fixture(scope="module")
def visitor(chromium, address):
    """Return a function that opens the page in a browser of its own, as another visitor does."""
    contexts = []

    def opened():
        context = chromium.new_context(viewport={"width": 1440, "height": 1000})
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(90_000)
        tab.goto(address)
        tab.get_by_role("button", name="Generate").wait_for()
        return tab

    yield opened
    for context in contexts:
        context.close()


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
        runs / eta.FILE, f"{runs}/{folder}/../{eta.FILE}",
        runs.parent / "secret.txt", f"{runs}/../secret.txt", f"{runs}/{folder}/../../secret.txt",
        runs.parent / "models" / "broken" / "model_index.json", "runs", "/etc/passwd", "README.md", "app.py",
        "comparer/config.py", "/proc/self/environ", f"file://{runs}/{folder}/run.json",
    ]  # fmt: skip
    assert (runs / eta.FILE).is_file()
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
    told = "The run folder cannot be created: [Errno 13] Permission denied: '/srv/my data/runs/2026_demo', see https://a.b/c."
    config = Config(runs=Path("/srv/my data/runs"))
    assert config.redact(ComparerError(told)) == told
    short = Config(runs=config.runs, public=True).redact(ComparerError(told))
    said = "The run folder cannot be created: [Errno 13] Permission denied: 'runs/2026_demo', see https://a.b/c."
    assert short == said
    public = Config(public=True, checkpoints=(Path("/models"),))
    assert public.redact(ComparerError("'x' is outside the checkpoint folders (/models, /data/b).")) == (
        "'x' is outside the checkpoint folders (models, b)."
    )
    here = Config(public=True, runs=Path())
    for text in ("'ck/../../etc' is gone.", "'../models/x' is gone.", "'./a/b' is gone.", "'~/a/b' is gone."):
        assert public.redact(ComparerError(text)) == text == here.redact(ComparerError(text))


def test_waiting_strangers_learn_no_prompt(address, runs, other):
    long = Client(address, verbose=False).submit(PROMPT, steps=100, seeds="1-100", warmups=0, api_name="/compare")
    try:
        next(update for update in long if update.get("state") == "running")
        waiting = Client(address, verbose=False).submit(PROMPT, steps=1, api_name="/compare")
        told = next(update for update in waiting if "ahead" in update.get("text", ""))
        assert re.fullmatch(r"1 ahead, now: demo, \d+ of 200 pictures", told["text"])
    finally:
        long.cancel()


def listed(tab):
    tab.get_by_role("tab", name="History").click()
    tab.locator(".past .run").first.wait_for()
    return tab.locator(".past .run")


def files(folder):
    """Return every file of a run folder with its bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_strangers_see_change_and_export_only_their_own_runs(visitor, address, runs):
    one, other = visitor(), visitor()
    for tab, seed in ((one, "1"), (other, "2")):
        start(tab, seed, "1")
        tab.get_by_text("Finished.").wait_for()
    rows = listed(one)
    assert rows.count() == 1 and "seed 1" in rows.locator(".worst").get_attribute("aria-label")
    name = rows.locator("[data-name]").first.get_attribute("data-name")
    assert len(name.rsplit("_", 1)[1]) == 32
    assert "seed 2" in listed(other).locator(".worst").get_attribute("aria-label")
    one.get_by_role("tab", name="Compare", exact=True).click()
    for name_of_view, offered in (("Export", "#take"), ("Extend this run", "#goon")):
        view(one, name_of_view)
        assert one.locator(offered).is_visible()
    # A link can be shared: it opens, but the run stays its maker's.
    with other.expect_request(
        lambda sent: "session_hash" in (sent.post_data or "") and name in sent.headers.get("referer", "")
    ) as joined:  # of the page with the link, not of the one that is left
        other.goto(f"{address}/?run={name}")
    session = joined.value.post_data_json["session_hash"]
    other.locator("#status", has_text="2 pictures made").wait_for()
    for name_of_view, hidden in (("Export", "#take"), ("Extend this run", "#goon")):
        view(other, name_of_view)
        assert other.locator(hidden).is_hidden()
    before = files(runs / name)
    view(other, "Evidence")
    other.get_by_role("button", name=re.compile(r"Run \d+ more seed")).click()
    other.get_by_text("This run belongs to another visitor").wait_for()
    # What the page of a stranger asks for, asked for another's run.
    component = other.evaluate("() => window.gradio_config.components.find(c => c.props.elem_id === 'kinds').id")
    dependency = other.evaluate(
        "id => window.gradio_config.dependencies.find(d => d.targets.some(([target]) => target === id)).id", component
    )
    for kind in EXPORTERS:
        asked = {"data": [True, None, str(runs / name), [], "", "", None, ["labels"], "full"],
                 "event_data": {"take": kind}, "fn_index": dependency, "session_hash": session}  # fmt: skip
        assert httpx.post(f"{address}/gradio_api/queue/join", json=asked).status_code == 200
        with httpx.stream("GET", f"{address}/gradio_api/queue/data", params={"session_hash": session}) as answer:
            told = next(line for line in answer.iter_lines() if "process_completed" in line)
        assert '"success":true' in told and "href" not in told
    assert files(runs / name) == before
    assert listed(other).count() == 1
    other.locator(".past .acts .danger").evaluate("(button, name) => { button.dataset.name = name }", name)
    other.locator(".past .acts .danger").first.click()
    other.get_by_role("dialog").get_by_role("button", name="Delete").click()
    other.get_by_text("This run belongs to another visitor: only its owner can delete it.").wait_for()
    assert files(runs / name) == before and store.load(runs / name).request.settings.seeds == (1,)
    listed(one).locator(".acts .danger").first.click()
    one.get_by_role("dialog").get_by_role("button", name="Delete").click()
    one.get_by_text("No runs yet.").wait_for()
    assert name not in [entry.name for entry in index.entries(runs)] and not (runs / name).exists()


@dataclass
class Press:
    """A press on a button, as gradio hands it to a handler."""

    _data: dict


def exported(page, seen, kind):
    """Press a button of "Take it with you" after ``seen`` was shown; return what the page says."""
    take = page.out.take
    options = [[0, 1], "", "", None, ["labels", "margins"], "reduced"]
    state = [seen[component] for component in (take.allowed, page.out.comparison, page.out.folder)]
    return list(take.take(Press({"take": kind}), *state, *options))


def test_only_who_made_a_run_exports_into_it(tmp_path):
    folder = kept(tmp_path)
    index.claim(folder, "its maker's secret")
    public, own = Page(Config(runs=tmp_path, public=True)), Page(Config(runs=tmp_path))
    for page in (public, own):
        page.build()
    before = files(folder)
    for secret in ("a stranger's", "", (folder / index.OWNER).read_text()):
        seen = public.opened(folder.name, secret, {})
        assert seen[public.out.take.column]["visible"] is False
        assert [exported(public, seen, kind) for kind in EXPORTERS] == [[]] * len(EXPORTERS) and files(folder) == before
    mine = public.opened(folder.name, "its maker's secret", {})
    assert mine[public.out.take.column]["visible"] is True
    made = {"grid": "grid.png", "report": "report.html", "tables": "pairs.csv", "record": "run.json"}
    for kind, name in made.items():
        assert f'download="{name}"' in exported(public, mine, kind)[-1] and (folder / name).is_file()
    # A page that is not public has one visitor.
    assert "download=" in exported(own, own.opened(folder.name, "", {}), "tables")[-1]
