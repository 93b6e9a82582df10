"""Take it with you: every export from the page and from the command line, with prompts that mean harm."""

import csv
import json
import re
from dataclasses import replace

import pytest
from PIL import Image

from comparer.cli.main import main
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.reporting.grid import selection
from comparer.request.png_write import read_request
from helpers.pages import view
from helpers.runs import PROMPT, ask, finish

HARM = "<script>window.harmed = 1</script><img src=x onerror=window.harmed=1> \"'` a red star"
PROMPTS = (
    "=cmd|' /C calc'!A1 a red star",
    HARM,
    "</template></style>‮drowkcab‬ a blue ring 🦊👩‍👩‍👧 --></title>",
    "a green hexagon " + "on and on " * 198,
)


@pytest.fixture(scope="module")
def run(served_runs):
    """Make a comparison of two accelerated arms with prompts that mean harm; return what it ended with."""
    config = Config(runs=served_runs)
    request = ask("DeepCache(interval=2)", "ToMe(ratio=0.5)", prompts=(PROMPT, *PROMPTS), seeds=(5,), steps=2)
    return finish(replace(request, settings=replace(request.settings, negative_prompt="=1+1 </script>")), config)


@pytest.fixture
def page(run, server, blank):
    """Yield a tab that shows the run; it fails on any error of the page and on a prompt that did harm."""
    dialogs = []
    blank.on("dialog", lambda dialog: dialogs.append(dialog.message))
    blank.goto(f"{server}/?run={run.folder.name}#pair=2:5&arm=2")
    blank.locator("#compare .stage[aria-busy=false]").wait_for()
    yield blank
    assert not dialogs and not blank.evaluate("window.harmed")


def taken(page, name, number=1):
    """Press a button and return the paths of the files that the browser saves."""
    files, keep = [], lambda download: files.append(download)
    page.on("download", keep)
    page.get_by_role("button", name=name).click()
    for _ in range(600):
        if len(files) >= number:
            break
        page.wait_for_timeout(100)
    page.remove_listener("download", keep)
    assert len(files) == number, page.locator("#taken").inner_text()
    return [(file.suggested_filename, file.path()) for file in files]


def test_everything_is_taken_from_the_page_and_no_prompt_does_harm(page, run):
    seen = run.comparison
    view(page, "Export")
    ((name, path),) = taken(page, "Record JSON")
    assert name == "run.json" and json.loads(path.read_text())["request"]["settings"]["prompts"] == [PROMPT, *PROMPTS]
    ((name, path),) = taken(page, "Report HTML")
    assert name == "report.html" and "<script>window.harmed" not in path.read_text()
    tables = dict(taken(page, re.compile("^Tables"), 2))
    assert set(tables) == {"pairs.csv", "summary.md"}
    rows = list(csv.DictReader(tables["pairs.csv"].open(newline="")))
    assert len(rows) == 2 * 5 and not any(value.startswith(("=", "@", "\t")) for row in rows for value in row.values())
    assert any("cmd|" in row["prompt"] for row in rows) and "<script>" not in tables["summary.md"].read_text()
    ((name, path),) = taken(page, "Script Python")
    assert name.startswith("reproduce-2-tome") and name.endswith("_p003_s5.py")  # of the pair that the viewer shows
    compile(path.read_text(), name, "exec")
    page.get_by_role("button", name="Export options").click()
    page.get_by_role("checkbox", name="DeepCache(interval=2)").last.uncheck()
    page.get_by_label("Its prompts").fill("1,3")
    page.get_by_label("Cell width (px)").fill("128")
    for look in ("Labels", "Margins"):
        page.get_by_role("checkbox", name=look).uncheck()
    ((name, path),) = taken(page, "Grid PNG")
    with Image.open(path) as grid, Image.open(run.folder / seen.shot(2, 2, 5).file) as shot:
        assert name == "grid.png" and grid.size == (2 * 128, 2 * 128)
        assert grid.crop((128, 128, 256, 256)).tobytes() == shot.convert("RGB").tobytes()
    assert read_request(path) == seen.request
    page.get_by_label("Its prompts").fill("77")
    page.get_by_role("button", name="Grid PNG").click()
    page.get_by_role("alert").filter(has_text="There is no prompt 77 in this comparison.").wait_for()
    assert all(re.fullmatch(r"[\w.-]+", file.name, re.ASCII) for file in run.folder.iterdir())


def test_the_command_line_takes_the_same(run, capsys):
    folder = str(run.folder)
    assert main(["export", folder, "--grid", "--arms", "0,2", "--prompts", "2-3", "--transpose", "--cell", "64"]) == 0
    assert main(["export", folder, "--report", "reduced", "--tables", "--script", "1:1:5"]) == 0
    made = [line.rsplit("/", 1)[1] for line in capsys.readouterr().out.split()]
    assert made[:2] == ["grid.png", "report.html"] and {"pairs.csv", "summary.md"} <= set(made)
    assert any(name.startswith("reproduce-1-deepcache") for name in made)
    for wrong in (["--script", "1:0:5"], ["--script", "9:1:5"], ["--arms", "7", "--grid"], ["--arms", "x", "--grid"]):
        assert main(["export", folder, *wrong]) == 2
    assert main(["export", "../elsewhere"]) == 2
    assert capsys.readouterr().err.count("comparer: ") == 5
    with pytest.raises(SystemExit) as ended:
        main(["export", "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0 and "--transpose" in told and "--device" not in told


def test_rows_are_chosen_as_people_write_them(run):
    request = run.comparison.request
    assert selection.rows(request) is None and selection.rows(request, "2-3") == ((1, 5), (2, 5))
    assert selection.rows(request, " 4 ,1", "5") == ((0, 5), (3, 5))
    for prompts, seeds, told in (("6", "", "no prompt 6"), ("", "4", "no seed 4"), ("-1", "", "numbers, such as")):
        with pytest.raises(ComparerError, match=told):
            selection.rows(request, prompts, seeds)
