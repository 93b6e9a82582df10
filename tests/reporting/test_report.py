"""The report in a real browser, from disk, with the network off: nothing is asked for and nothing goes wrong."""

import json
import re
import shlex
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from comparer.accelerators.registry import parse
from comparer.cli.main import _parser
from comparer.config import Config, Limits
from comparer.errors import ComparerError
from comparer.models.catalog import DEMO
from comparer.reporting.chip import chip
from comparer.reporting.report import image_sheet
from comparer.reporting.report.report import report, save_report
from comparer.reporting.report.sections import command
from comparer.request.build import build_request as door
from comparer.request.png_write import save_png
from comparer.request.request import Arm, Request, Settings
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.records import NotRun, Scorer
from comparer.stats.verdict import Thresholds
from helpers.runs import ask, finish
from helpers.viewer_runs import NAMES, SIZE, SPOT, STEP, comparison_in, of_arm, ready, screen
from helpers.viewer_runs import ask as of_viewer

HOSTILE = (
    "</template><script>window.hurt=1</script>",
    '"\' onmouseover="window.hurt=1" {{script}} <img src=x onerror=window.hurt=1>',
    "\u202egnp.esrever \u05e9\u05dc\u05d5\u05dd \u2066 \U0001f9d1\u200d\U0001f680 \u2028",
    "=HYPERLINK(1)" + "wide" * 2500,
)
PLAIN = ("one", "two", "three", "four")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make a run folder of six arms, two prompts and two seeds, with its report."""
    folder = tmp_path_factory.mktemp("report") / "a run & more"
    save_report(comparison_in(folder), folder)
    return folder


@pytest.fixture
def opened(chromium):
    """Return a function that opens a report from disk; nothing may be asked for, nothing may go wrong."""
    contexts, wrong = [], []

    def at(path, hash_="", width=1000, height=800, **given):
        def stop(route):
            wrong.append(route.request.url)
            route.abort()

        context = chromium.new_context(viewport={"width": width, "height": height}, **given)
        contexts.append(context)
        context.set_offline(True)
        tab = context.new_page()
        tab.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
        tab.on("pageerror", lambda e: wrong.append(str(e)))
        tab.on("request", lambda r: wrong.append(r.url) if not r.url.startswith((path.as_uri(), "data:")) else None)
        tab.route(re.compile("^(?!data:)(?!" + re.escape(path.as_uri()) + ")"), stop)
        tab.goto(path.as_uri() + hash_)
        if given.get("java_script_enabled", True) and tab.locator(".stage").count():
            ready(tab)
        return tab

    yield at
    for context in contexts:
        context.close()
    assert not wrong


def written(folder, comparison, name="other.html", **given):
    """Write a report beside the others."""
    path = folder / name
    path.write_text(report(comparison, folder, **given), encoding="utf-8")
    return path


BOXES = """selector => [...document.querySelectorAll(selector)].map(each => {
  const at = each.getBoundingClientRect(); return [at.left, at.top, at.right, at.bottom] })"""


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
@pytest.mark.parametrize("arms", [2, 6])
def test_it_opens_with_the_answer_the_chips_and_the_first_row_of_images(opened, tmp_path, width, height, arms):
    run = comparison_in(tmp_path / "run", arms=arms)
    tab = opened(save_report(run, tmp_path / "run"), width=width, height=height)
    chips, images = tab.evaluate(BOXES, ".chip"), tab.evaluate(BOXES, ".sheet img")[:arms]
    assert len(chips) == len(images) == arms
    seen = [number for number, image in enumerate(images) if image[2] <= width]
    assert len(seen) >= 2 and all(image[3] <= height for image in images), images
    for head, image in zip(chips, images, strict=True):  # a chip is the head of its column
        assert 0 <= head[1] < head[3] <= image[1]
        assert (head[0], head[2]) == pytest.approx((image[0], image[2]), abs=1)
    assert images[0][2] - images[0][0] > 140  # of a size to be looked at
    tables = tab.evaluate(BOXES, "table:not(.sheet), svg.plot, .viewer, dl")
    tables = [table for table in tables if table[3] > table[1]]  # the others are folded
    assert len(tables) > 3 and all(table[1] >= images[0][3] for table in tables)
    (answer,) = tab.evaluate(BOXES, ".answer")
    assert answer[3] <= chips[0][1]
    cut = """() => [...document.querySelectorAll('.chip, .chip :not(i, .axis)')]
      .filter(each => each.clientWidth && each.scrollWidth > each.clientWidth + 1).map(each => each.outerHTML)"""
    assert tab.evaluate(cut) == []


def test_the_bars_stand_where_the_figures_are(opened, folder):
    # The policy of a report forbids style attributes: without rules of their own all bars would start at 0.
    tab = opened(folder / "report.html", width=1440)
    axes = tab.evaluate(BOXES, ".chip .axis")
    found = {kind: tab.evaluate(BOXES, f".chip .axis .{kind}") for kind in ("zero", "value")}
    bars = [bar for each in Analysis(comparison_in(folder)).arms for bar in chip(each).bars]
    assert len(bars) == len(axes) == len(found["value"]) > 5
    for bar, axis, zero, value in zip(bars, axes, found["zero"], found["value"], strict=True):
        whole = axis[2] - axis[0]
        assert zero[0] - axis[0] == pytest.approx(bar.zero * whole, abs=1)
        end = min(max(bar.value, 0), 1)
        assert value[0] - axis[0] == pytest.approx(min(bar.zero, end) * whole, abs=1)
        assert value[2] - value[0] == pytest.approx(max(abs(end - bar.zero) * whole, 2), abs=1)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "style=" not in text.split("</style>")[1].split("<script>")[0]


def test_an_open_result_has_not_the_accent(opened, folder):
    tab = opened(folder / "report.html")
    colour = "selector => getComputedStyle(document.querySelector(selector)).color"
    named = """name => { const mine = document.body.appendChild(document.createElement('i'))
      mine.style.setProperty('color', `var(--${name})`); return getComputedStyle(mine).color }"""
    looks = {name: tab.evaluate(named, name) for name in ("good", "bad", "open", "ink")}
    assert len(set(looks.values())) == 4
    assert tab.evaluate(colour, ".chip.open b") == looks["open"]


def test_many_rows_are_folded_after_the_first(opened, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(image_sheet, "OPEN", 1)
    tab = opened(written(folder, comparison_in(folder)), java_script_enabled=False)
    for shown in (1, 4):
        assert sum(image.is_visible() for image in tab.locator(".sheet img").all()) == shown * len(NAMES)
        tab.locator("summary", has_text="3 more rows").click()


def test_the_viewer_works_in_every_mode_and_identical_pictures_have_an_exactly_zero_map(opened, folder):
    tab = opened(folder / "report.html", "#pair=0:3&arm=1&mode=flicker&zoom=3&x=0.5&y=0.5")
    of_viewer(tab, "v.set({auto: false, flipped: false})")
    seen, rect = screen(ready(tab)), of_viewer(tab, "v.rect")
    drawn = seen[rect["y"] : rect["y"] + rect["h"], rect["x"] : rect["x"] + rect["w"]]
    assert np.array_equal(drawn, of_arm(0, 0, 3).repeat(3, 0).repeat(3, 1))
    for change in ("flipped: true", "mode: 'slider', share: 0.3", "mode: 'overlay', opacity: 0.4"):
        of_viewer(tab, f"v.set({{{change}, auto: false}})")
        assert np.array_equal(screen(ready(tab)), seen), change
    of_viewer(tab, "v.set({mode: 'difference', gain: 32})")
    mapped = screen(ready(tab))[rect["y"] : rect["y"] + rect["h"], rect["x"] : rect["x"] + rect["w"]]
    assert np.array_equal(np.unique(mapped.reshape(-1, 3), axis=0), [[0, 0, 4]])
    assert "Identical: no pixel differs" in tab.locator(".prompted").inner_text()
    of_viewer(tab, "v.choose(1, 2)")
    ready(tab)
    told = tab.locator(".prompted strong").inner_text()
    assert told.startswith(f"Largest {STEP} of 255 at ({SPOT[0]}, {SPOT[1]})")
    of_viewer(tab, "v.set({mode: 'side', zoom: null})")
    assert len(of_viewer(ready(tab), "v.shown.filter(Boolean)")) == 2


def test_a_link_opens_its_pair_and_a_press_on_a_picture_does(opened, folder):
    tab = opened(folder / "report.html", "#pair=1:17&arm=4&mode=slider")
    assert of_viewer(tab, "[v.data.pairs[v.state.pair].prompt, v.state.arms[1], v.state.mode]") == [1, 4, "slider"]
    at = "() => document.querySelector('.viewer').getBoundingClientRect().top"
    assert abs(tab.evaluate(at)) < 200
    picture = tab.get_by_alt_text("Mirrored, seed 17").first
    picture.click()
    ready(tab)
    assert tab.url.split("#")[1].startswith("pair=0:17&arm=4") and abs(tab.evaluate(at)) < 200
    assert of_viewer(tab, "[v.data.pairs[v.state.pair].prompt, v.state.arms[1]]") == [0, 4]
    tab.locator("nav a[href='#experiment']").click()
    tab.locator("#experiment dl").wait_for()


def test_every_picture_is_held_once_and_identical_ones_halve_the_file(opened, folder, tmp_path):
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 4 * (len(NAMES) - 1)  # the arm "Same" is the baseline, bit for bit
    tab = opened(folder / "report.html")
    sizes = "() => [...document.querySelectorAll('.sheet img')].map(image => [image.complete, image.naturalWidth])"
    assert tab.evaluate(sizes) == [[True, SIZE]] * 4 * len(NAMES)
    sizes = {}
    for arm in (1, 5):  # "Same" and "Noise"
        run = comparison_in(tmp_path / NAMES[arm], arms=2)
        for shot in run.shots:
            seed = [shot.arm * (arm == 5), shot.prompt, shot.seed]
            picture = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (320, 320, 3), np.uint8))
            # Every shot carries its own settings, so that no two files are equal.
            save_png(picture, tmp_path / NAMES[arm] / shot.file, {"parameters": f"of arm {shot.arm}"})
        sizes[arm] = save_report(run, tmp_path / NAMES[arm]).stat().st_size
    assert 0.45 < sizes[1] / sizes[5] < 0.6


def test_reduced_pictures_say_so_are_smaller_and_have_no_difference_map(opened, folder, tmp_path):
    run = comparison_in(tmp_path / "large", arms=2)
    for shot in run.shots:
        ramp = np.linspace(0, 255, 1024)[:, None, None] * np.ones((1, 768, 3))
        speckled = ramp + np.random.default_rng(len(shot.file)).normal(0, 4, ramp.shape)
        Image.fromarray(np.clip(speckled, 0, 255).astype(np.uint8)).save(tmp_path / "large" / shot.file)
    sizes = [len(report(run, tmp_path / "large", kind).encode()) for kind in ("full", "reduced")]
    assert sizes[1] < sizes[0] / 5
    tab = opened(written(tmp_path / "large", run, pictures="reduced"), "#pair=0:3&arm=1&mode=difference")
    said = tab.locator(".held").inner_text()
    assert "reduced: lossy WebP" in said and "512 pixels" in said and "no difference map" in said
    assert of_viewer(tab, "[v.state.mode, v.shown[0].width, v.shown[0].height]") == ["side", 384, 512]
    button = tab.get_by_role("button", name="Difference")
    assert button.is_disabled() and "reduced" in button.get_attribute("title")
    assert "pixel for pixel" in opened(folder / "report.html").locator(".held").inner_text()


def test_hostile_prompts_are_text_and_break_no_layout(opened, tmp_path):
    run = comparison_in(tmp_path / "run", arms=2, prompts=PLAIN, seeds=(3,))
    settings = replace(run.request.settings, prompts=HOSTILE, negative_prompt=HOSTILE[1])
    names = (Arm(HOSTILE[0]), Arm(HOSTILE[2], (parse("DeepCache"),)))
    run.request = Request(settings, names, limits=Limits(prompt=20_000))
    run.checkpoint = {
        "title": HOSTILE[1],
        "components": {},
        "files": {HOSTILE[0]: {"size": 1, "sha256": "0", "fills": []}},
    }
    run.not_run = [NotRun(1, HOSTILE[0])]
    run.environment = {HOSTILE[0]: HOSTILE[1], "versions": {"torch": HOSTILE[0]}}
    text = report(run, tmp_path / "run")
    assert text.count("<script") == text.count("</script>") == 1 and text.count("<template") == 1
    assert "<img src=x" not in text
    for width in (1280, 390):
        tab = opened(written(tmp_path / "run", run), width=width)
        tab.evaluate("() => document.querySelectorAll('details').forEach(fold => { fold.open = true })")
        assert tab.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        assert tab.evaluate("() => window.hurt") is None
        heights = "() => [...document.querySelectorAll('b.prompt')].map(each => each.offsetHeight)"
        assert len(found := tab.evaluate(heights)) == 4 and max(found) < 200
        # Each prompt stands by itself: what is written from right to left turns nothing around it.
        isolated = "() => [...document.querySelectorAll('.prompt, .long li')].every(e => e.dir === 'auto')"
        assert tab.evaluate(isolated)
        assert HOSTILE[3] in tab.locator("#experiment .long").inner_text()


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 1280),
        ("dark", 390),
        pytest.param("light", 390, marks=pytest.mark.full),
        pytest.param("dark", 1280, marks=pytest.mark.full),
    ],
)
def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(opened, folder, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    tab = opened(folder / "report.html", width=width, color_scheme=scheme)
    tab.evaluate("() => document.querySelectorAll('details').forEach(fold => { fold.open = true })")
    assert tab.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(tab).response["violations"]
    assert not [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")]


def test_pictures_and_figures_are_there_on_paper_and_without_javascript(opened, folder):
    tab = opened(folder / "report.html", java_script_enabled=False)
    picture = tab.get_by_alt_text("Noise, seed 17").first
    picture.scroll_into_view_if_needed()
    assert picture.is_visible() and picture.evaluate("image => image.naturalWidth") == SIZE
    tab = opened(folder / "report.html")
    tab.emulate_media(media="print")
    assert tab.locator(".viewer").is_hidden() and tab.get_by_alt_text("Noise, seed 17").first.is_visible()
    tab.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert tab.locator("#experiment dl").is_visible()


def test_a_whole_comparison_has_every_part(config, opened):
    done = finish(replace(ask("DeepCache(interval=2)", seeds=(1, 2)), extras=("divergence",)), config)
    path = save_report(done.comparison, done.folder)
    assert path == done.folder / "report.html" and not list(done.folder.glob("*.partial"))
    tab = opened(path)
    parts = tab.evaluate("() => [...document.querySelectorAll('main > :is(section, details)[id]')].map(e => e.id)")
    wanted = "pictures look figures intervals times likeness latents notes experiment environment weights reproduce"
    assert parts == wanted.split()
    for plot in ("intervals", "times", "latents"):
        assert tab.locator(f"#{plot} svg.plot").bounding_box()["height"] > 100
    assert Analysis(done.comparison).arms[1].verdict.headline in tab.locator(".chip b").all_inner_texts()
    text = path.read_text(encoding="utf-8")
    for file in ("unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"):
        assert sha256((DEMO / file).read_bytes()).hexdigest() in text
    record = json.loads((done.folder / "run.json").read_text())
    assert all(each["fingerprint"] in text for each in record["checkpoint"]["components"].values())
    assert record["environment"]["versions"]["torch"] in tab.locator("#environment").text_content()
    assert "DeepCache(interval=2, branch=0)" in tab.locator("#experiment").text_content()


@pytest.mark.parametrize("case", ("running", "stopped", "failed", "alone", "not run", "not scored", "wide", "empty"))
def test_unusual_runs_have_a_report(opened, tmp_path, case):
    folder, many = tmp_path / "run", case in ("running", "stopped", "failed", "not run")
    given = {} if many else {"prompts": PLAIN[:1], "seeds": (3,)}
    run = comparison_in(folder, arms={"alone": 1, "not run": 3}.get(case, 2), **given)
    if case in ("running", "stopped", "failed"):
        run.state, run.shots, run.message = case, run.shots[:-1], "<b>why</b>"
    elif case == "not run":
        run.shots = [shot for shot in run.shots if shot.arm != 1]
        run.calls = [call if call.arm != 1 else replace(call, arm=2, batch=9) for call in run.calls]
        run.not_run = [NotRun(1, "out of memory")]
    elif case == "not scored":
        run.shots = [replace(shot, clip_score=None, similarity=None) for shot in run.shots]
        run.scorer = Scorer(why_not="no scorer is here")
    elif case == "wide":
        run.request = replace(run.request, settings=replace(run.request.settings, width=192))
        for shot in run.shots:
            Image.fromarray(np.tile(of_arm(shot.arm, 0, 3), (1, 3, 1))).save(folder / shot.file)
    elif case == "empty":
        run = Comparison(Request(Settings(("a",))))
        folder.mkdir(exist_ok=True)
    tab = opened(save_report(run, folder))
    said = tab.locator("body").inner_text()
    expected = {
        "failed": "Failed. 7 of 8 images are here. <b>why</b>",
        "running": "Not finished. 7 of 8 images", "stopped": "Stopped. 7 of 8 images", "alone": "it/s · CLIP",
        "not run": "Same was not run: out of memory.", "not scored": "Not scored: no scorer is here.",
        "wide": "192 × 64", "empty": "There is no picture yet.",
    }  # fmt: skip
    assert expected[case] in said
    assert tab.locator(".chip").count() == {"alone": 1, "empty": 0, "not run": 3}.get(case, 2)
    if case == "wide":
        shape = tab.locator(".sheet img").first.bounding_box()
        assert shape["width"] / shape["height"] == pytest.approx(3, rel=0.02)
    if case in ("running", "stopped", "failed"):
        assert "not made" in tab.locator(".sheet").last.inner_text()


def by(comparison, *limits):
    return replace(comparison, request=replace(comparison.request, thresholds=Thresholds(*limits)))


def test_verdicts_are_by_the_thresholds_of_the_request(folder):
    text = report(by(comparison_in(folder), 2, 0.5), folder)
    assert text.count("<b>Not faster</b>") == len(NAMES) - 1
    assert "faster from 2×, quality kept below a CLIP loss of 50 %" in text
    assert "<b>Not faster</b>" not in report(by(comparison_in(folder), 1.01, 0.9), folder)


def test_what_cannot_be_written_leaves_the_report_that_was_there(tmp_path):
    run = comparison_in(tmp_path / "run", arms=2)
    before = save_report(run, tmp_path / "run").read_text(encoding="utf-8")
    (tmp_path / "run" / run.shots[3].file).unlink()
    with pytest.raises(ComparerError, match=f"'{run.shots[3].file}' is not in the run folder 'run'"):
        save_report(run, tmp_path / "run")
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8") == before
    assert not list((tmp_path / "run").glob("*.partial"))
    with pytest.raises(ComparerError, match="'tiny' is not a choice .* of a report: choose full or reduced"):
        save_report(run, tmp_path / "run", "tiny")
    (tmp_path / "run" / run.shots[3].file).write_bytes(b"no picture")
    with pytest.raises(ComparerError, match="cannot be read"):
        save_report(run, tmp_path / "run", "reduced")


@pytest.mark.parametrize(
    "given",
    (
        {"accelerators": ["DeepCache(interval=5)", "ToMe(ratio=0.3)+DeepCache"], "also": ["equal-time", "divergence"]},
        {"variants": ["weights=raw", "dtype=bfloat16"], "accelerators": ["DeepCache(interval=2)"]},
        {"checkpoint": "demo; weights=raw", "variants": ["weights=ema"], "batch_size": 2, "noise": "device"},
        {
            "guidance_rescale": 0.3,
            "repeats": 2,
            "repeat_seconds": 2.5,
            "warmups": 0,
            "negative_prompt": 'it\'s "red"; $HOME',
            "size": "64x128",
        },
    ),
)
def test_the_command_line_asks_for_the_same(given):
    prompts = "a blue ring\n--help\n=1+1; rm 'x'"
    request = door(Config(), prompts, seeds="1-3", steps=12, sampler="Euler", **given)
    words = shlex.split(command(request).replace("\\\n", ""))
    assert words[:4] == ["python", "-m", "comparer", "compare"]
    o = _parser().parse_args(words[3:])
    again = door(
        Config(), "\n".join(o.prompt), o.checkpoint, o.accelerator or None, o.negative_prompt, o.sampler, o.steps,
        o.guidance, o.size, o.seeds, o.batch_size, o.warmups, o.noise, o.guidance_rescale, o.repeats, o.also, o.scorer,
        o.variant, repeat_seconds=o.repeat_seconds,
    )  # fmt: skip
    assert again == request
