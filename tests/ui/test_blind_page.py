"""The blind test in a real browser, of a recorded run: by keyboard to the result, and nothing leaks on the way."""

import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from comparer.accelerators.registry import parse
from comparer.blind import sessions, trials
from comparer.request.request import Arm
from comparer.runs import store
from helpers.pages import Faults, view
from helpers.runs import PROMPT
from helpers.viewer_runs import comparison_in, of_arm


@pytest.fixture(scope="module")
def made(server, served_runs):
    """Write a run of four pairs; return the page's address and the run's folder."""
    folder = store.RunFolder.at(served_runs / "2026-11-01_120000_demo_000001")
    seen = comparison_in(folder.path, arms=2, prompts=(PROMPT,), seeds=(1, 2, 3, 4))
    for shot in seen.shots:
        Image.fromarray(of_arm(5 * shot.arm, 0, shot.seed)).save(folder.path / shot.file)
    accelerated = Arm("DeepCache(interval=3)", (parse("DeepCache"),))
    folder.save(replace(seen, request=replace(seen.request, arms=(Arm("Baseline"), accelerated))))
    return server, folder.path


@pytest.fixture
def folder(made):
    """Return the run's folder as it was made: nobody has judged."""
    (made[1] / "blind.json").unlink(missing_ok=True)
    return made[1]


@pytest.fixture
def opened(chromium, made, folder):
    """Return a function that opens the blind test of the run; nothing may go elsewhere or be logged as an error."""
    address, _ = made
    contexts, wrong = [], Faults(address)

    def at(width=1440, height=1000, **given):
        context = chromium.new_context(viewport={"width": width, "height": height}, **given)
        contexts.append(context)
        tab = context.new_page()
        wrong.watch(tab)
        tab.set_default_timeout(60_000)
        tab.goto(f"{address}/?run={folder.name}")
        enter(tab)
        return tab

    yield at
    for context in contexts:
        context.close()
    assert not wrong


def enter(tab):
    tab.locator("#status", has_text="8 pictures made").wait_for()
    tab.get_by_role("tab", name="Blind test").click()
    tab.get_by_text("Which would you choose").wait_for()


def begin(tab, seed=None):
    if seed is not None:
        tab.get_by_label("Seed of the order").fill(str(seed))
    tab.locator("[data-act=begin]").click()
    ready(tab, 1)


def ready(tab, number):
    tab.locator(f"#blind .judging[data-number='{number - 1}'] .stage[aria-busy=false]").wait_for()
    tab.wait_for_function("() => document.activeElement?.classList.contains('stage')")


def press(tab, keys):
    """Press a key for each pair; the last one ends in the result or in the next pair."""
    for number, key in enumerate(keys, 1):
        ready(tab, number)
        tab.keyboard.press(key)


def test_a_whole_blind_test_by_keyboard_ends_in_the_result_and_the_votes_are_in_the_run_folder(opened, folder):
    tab = opened()
    begin(tab, 41)
    (session,) = sessions.load(folder)
    assert session.seed == 41 and session.trials == trials.trials([(0, s) for s in (1, 2, 3, 4)], 1, 41)
    assert "Pair 1 of 4" in tab.locator(".pace").inner_text() and "Seed 41" in tab.locator(".pace").inner_text()
    keys = ["ArrowLeft" if session.trials[0].a else "ArrowRight", "a" if session.trials[1].a else "b", "t", "x"]
    press(tab, keys)
    card = tab.locator("#blind .verdict")
    card.wait_for()
    (found,) = sessions.result(folder)
    assert (found.wins, found.losses, found.ties, found.bad) == (2, 0, 1, 1)
    (session,) = sessions.load(folder)
    assert list(session.votes) == [
        {"ArrowLeft": "a", "ArrowRight": "b", "t": "tie", "x": "bad"}.get(k, k) for k in keys
    ]
    assert "Votes on 1 prompt are too few" in card.inner_text() and "Undecided" in card.inner_text()
    assert "2 votes for DeepCache(interval=3), 0 for Baseline" in card.inner_text() and session.looks == (4,)
    panel = tab.locator("#blind").inner_text()
    assert found.clip_sentence in panel and found.note in panel
    assert tab.get_by_role("img", name="Votes").count() == 1
    assert tab.locator(".chosen figure").count() == 4 and tab.locator(".chosen img.won").count() == 2
    alts = [image.get_attribute("alt") for image in tab.locator(".chosen img.won").all()]
    assert all(re.fullmatch(r"DeepCache\(interval=3\), seed \d, preferred", alt) for alt in alts)


def test_all_else_is_hidden_while_judging_and_comes_back(opened, folder):
    tab = opened()
    tab.get_by_role("tab", name="Viewer").click()
    tab.locator("#compare .stage[aria-busy=false]").wait_for()
    tab.locator("#compare").get_by_role("button", name="Difference", exact=True).click()
    tab.wait_for_function("() => location.hash.includes('mode=difference')")
    address = tab.url
    for name, words in (("Images", ("DeepCache", "Baseline", "CLIP")), ("Evidence", ("SSIM", "Every picture"))):
        view(tab, name)
        assert all(word in tab.locator("body").inner_text() for word in words)
    tab.get_by_role("tab", name="Blind test").click()
    begin(tab)
    seen = tab.locator("body").inner_text()
    for word in ("DeepCache", "Baseline", "CLIP", "SSIM", "Every picture", "Generate", " s ·", "×"):
        assert word not in seen, seen
    assert tab.locator("img:visible, .card:visible, [role=tab]:visible, select:visible, table:visible").count() == 0
    assert "#" not in tab.url and "A" in tab.locator(".judging .over").inner_text().split()
    tab.keyboard.press("z")
    for key in ("c", "m", "1", "2", "h", " ", "Shift+ArrowLeft"):  # of the viewer's keys none swaps or votes
        tab.keyboard.press(key)
    assert tab.evaluate("() => { const s = document.querySelector('.judging .viewer').viewer.state;"
                        " return [s.arms, s.mode] }") == [[0, 1], "side"]  # fmt: skip
    assert tab.locator(".judging").get_attribute("data-number") == "0"
    tab.get_by_role("button", name="Leave").click()
    tab.get_by_role("button", name="Go on: 0 of 4 judged").wait_for()
    assert tab.url == address
    view(tab, "Viewer")
    assert "DeepCache" in tab.locator("body").inner_text()
    view(tab, "Evidence")
    assert tab.locator(".card").first.is_visible()


@pytest.mark.full
def test_who_comes_back_goes_on_with_the_votes_that_are_kept(opened, folder):
    tab = opened()
    begin(tab, 7)
    press(tab, "ab")
    ready(tab, 3)
    assert [len(session.votes) for session in sessions.load(folder)] == [2]
    tab.reload()
    enter(tab)
    tab.get_by_role("button", name="Go on: 2 of 4 judged").click()
    ready(tab, 3)
    tab.keyboard.press("t")
    ready(tab, 4)
    tab.get_by_role("button", name="Finish now").click()
    tab.locator("#blind .verdict").wait_for()
    (session,) = sessions.load(folder)
    assert session.ended and session.votes == ("a", "b", "tie") and session.seed == 7
    # Another person is told no result before they ask for it or judge.
    other = opened()
    assert "preferred" not in other.locator("#blind").inner_text()
    other.get_by_role("button", name="Show the result of 3 votes").wait_for()
    begin(other, 8)
    press(other, "t")
    ready(other, 2)
    tab.get_by_role("button", name="Judge again").click()
    begin(tab, 9)
    press(tab, "aaaa")
    tab.get_by_text("3 votes on pairs that the same person had judged before: not counted").wait_for()
    tab.get_by_text("5 votes by 2 people").wait_for()


def test_a_key_that_is_held_and_a_damaged_file_do_no_harm(opened, folder):
    tab = opened()
    tab.get_by_label("Seed of the order").fill("-4")
    tab.get_by_role("button", name="Begin").click()
    tab.get_by_text("The seed '-4' is not a whole number from 0").wait_for()
    begin(tab, 1)
    tab.keyboard.down("a")
    for _ in range(5):
        tab.keyboard.down("a")  # held: it repeats
    ready(tab, 2)
    tab.keyboard.down("a")
    tab.wait_for_timeout(300)
    assert [len(session.votes) for session in sessions.load(folder)] == [1]
    tab.keyboard.up("a")
    (folder / "blind.json").write_text("{")
    tab.keyboard.press("a")
    tab.get_by_text("it was not changed. Move it away").wait_for()
    assert (folder / "blind.json").read_text() == "{"


def seeds_with_the_arm_on(side, count):
    """Return seeds of four digits whose first trial is of seed 1, with the arm on A (True) or on B."""
    items = [(0, seed) for seed in (1, 2, 3, 4)]
    firsts = ((seed, trials.trials(items, 1, seed)[0]) for seed in range(1000, 9999))
    fitting = (seed for seed, first in firsts if first == trials.Trial(0, 1, int(side)))
    return [next(fitting) for _ in range(count)]


def watched(tab, seed):
    """Begin a test and leave it again; return all that could be seen of it on the wire and in the page."""
    wire, answers = tab.context.new_cdp_session(tab), []
    wire.send("Network.enable")
    sizes, kinds = {}, {}
    wire.on("Network.responseReceived", lambda e: kinds.update({e["requestId"]: e["response"]["url"].split("?")[0]}))
    wire.on("Network.loadingFinished", lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]}))
    listen = lambda answer: answers.append(answer)  # noqa: E731
    tab.on("response", listen)
    begin(tab, seed)
    page = tab.locator("html").evaluate("e => e.outerHTML")
    pictures = tab.evaluate(
        "() => JSON.parse(document.querySelector('.judging .viewer template').content.textContent)"
        ".pairs[0].shots.map(shot => shot.url)"
    )
    found = {
        "page": re.sub(r"data:image/png;base64,[\w+/=]+", "PICTURE", page).replace(f"Seed {seed}", "Seed"),
        "lengths": [len(url) for url in pictures],
        "urls": [answer.url for answer in answers],
        "sent": [len(answer.request.post_data or "") for answer in answers],
        "address": tab.url,
        "storage": tab.evaluate("() => [Object.keys(localStorage), {...sessionStorage}, document.cookie]"),
        "names": [e.get_attribute("aria-label") for e in tab.locator(".judging [aria-label]").all()],
    }
    bodies = [json.loads(answer.body()) for answer in answers if "/run/predict" in answer.url]
    wire_sizes = [size for request, size in sizes.items() if "/run/predict" in kinds.get(request, "")]
    tab.remove_listener("response", listen)
    wire.detach()
    tab.get_by_role("button", name="Leave").click()
    tab.get_by_role("button", name="Begin anew").wait_for()
    return found, pictures, bodies, wire_sizes


def test_nothing_but_the_pixels_tells_the_sides_apart(opened, folder):
    """One flat and one noisy picture, whose files differ tenfold: what the browser gets does not depend on the side."""
    tab = opened()
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    files = {shot.arm: folder / shot.file for shot in store.load(folder).shots if shot.seed == 1}
    before = {path: path.read_bytes() for path in files.values()}
    Image.fromarray(noise).save(files[0])
    Image.new("RGB", (128, 128), "teal").save(files[1])
    assert files[0].stat().st_size > 100 * files[1].stat().st_size
    seeds = {side: seeds_with_the_arm_on(side, 3) for side in (True, False)}
    watched(tab, seeds[True][0])  # what a first time loads and keeps is the same for both
    ids = []
    found = {True: [], False: []}
    for number in (1, 2):
        for side in (True, False):
            seen, pictures, bodies, sizes = watched(tab, seeds[side][number])
            found[side].append((seen, sizes))
            assert seen["lengths"][0] == seen["lengths"][1]
            flat = [Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) for url in pictures]
            assert [not np.asarray(each).std(axis=(0, 1)).any() for each in flat] == [side, not side]
            assert [each.info for each in flat] == [{}, {}]
            ids += [session.id for session in sessions.load(folder)]
            # No name, no file, no session, no side is in what the server says; the state stays with it.
            text = re.sub(r"data:image/png;base64,[\w+/=]+", "PICTURE", json.dumps(bodies))
            assert bodies and not [
                w for w in (*ids, *(f.name for f in files.values()), "DeepCache", "Baseline") if w in text
            ]
    (one, wire_one), (other, wire_other) = found[True][0], found[False][0]
    assert one == other == found[True][1][0] == found[False][1][0]
    assert [name for name in one["names"] if name.endswith(", seed 1")] == [
        f"{side}: {PROMPT}, seed 1" for side in "AB"
    ]
    # Durations are told with more or fewer digits; the files would differ by 50 KB.
    assert wire_one and len(wire_one) == len(wire_other)
    assert abs(sum(wire_one) - sum(wire_other)) < 200
    for path, data in before.items():
        path.write_bytes(data)


@pytest.mark.parametrize(("scheme", "width"), [("dark", 390), pytest.param("light", 1440, marks=pytest.mark.full)])
def test_axe_finds_nothing_serious_and_a_phone_scrolls_nothing_sideways(opened, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    def serious(when):
        assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, when
        found = Axe().run(tab).response["violations"]
        said = [(when, v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found if v["impact"] != "minor"]
        assert not said, said

    tab = opened(width, 844, color_scheme=scheme, has_touch=width < 800, reduced_motion="reduce")
    serious("the way in")
    begin(tab)
    serious("a pair")
    box = tab.get_by_role("button", name=re.compile("^A is better")).bounding_box()
    assert box["height"] >= 44 and 0 <= box["y"] <= 844 - box["height"]
    tab.get_by_role("button", name=re.compile("^A is better")).click()
    ready(tab, 2)
    tab.get_by_role("button", name="Finish now").click()
    tab.locator("#blind .verdict").wait_for()
    serious("the result")
