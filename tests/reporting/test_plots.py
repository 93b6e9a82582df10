"""The plots: every mark at its place, every text well-formed, whatever was measured and whatever it is called."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from comparer.metrics.latents import Step
from comparer.reporting.plots import charts
from comparer.reporting.plots import svg as drawing
from comparer.reporting.plots.curves import curve
from comparer.stats.intervals import Estimate, Interval

LONG = "DeepCache(interval=3)+T-GATE(gate_step=8)"
STRANGE = [
    "",
    "<b>&amp; \"quoted\" 'too' </text>]]>",
    'x" onload="alert(1)',
    'fill="var(--color-accent, #0d9488)"',
    drawing.PAGE + ">",
    "a\x00b\x01c\x08\x0b\x0c\x1b\x7f\x85d\ufffe\uffff\ud800",
    "مرحبا بالعالم \u202eשלום",
    "👩🏽‍🚀🐱 赤い丸と青い四角",
    "e" + "\u0301" * 500,
    "x" * 10_000,
    "赤" * 10_000,
    "word " * 2000,
    "two\nlines\tand a tab",
]


def tree(svg):
    """Parse it, and see that it holds nothing but a drawing."""
    root = ET.fromstring(svg)
    assert root.tag == "svg" and root.get("role") == "img"
    assert [child.tag for child in root][:2] == ["title", "desc"] and root.find("title").text and root.find("desc").text
    assert not {element.tag for element in root.iter()} - {"svg", "title", "desc", "g", "text", "path", "circle"}
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]
    return root


def rows(root):
    """Return the groups with a title: those of the rows."""
    return [group for group in root.iter("g") if group.find("title") is not None]


def dots(row):
    return [(float(dot.get("cx")), float(dot.get("cy"))) for dot in row.iter("circle")]


def words(element):
    return [text.text for text in element.iter("text")]


def places(root, axis="x"):
    """Return where each text stands."""
    return {text.text: float(text.get(axis)) for text in root.iter("text")}


def paths(row, kind=None):
    return [path for path in row.iter("path") if path.get("class") == kind]


def numbers(path):
    return [float(number) for number in re.findall(r"-?[\d.]+", path.get("d"))]


def translation(path):
    return tuple(float(number) for number in re.findall(r"-?[\d.]+", path.get("transform"))[:2])


def height(root):
    return float(root.get("viewBox").split()[3])


def estimate(low, value, high):
    return Estimate(value, Interval(low, high))


# --- times -----------------------------------------------------------------------------------------------------


def test_every_time_is_a_dot_at_its_seconds():
    measured = [("Baseline", [0.9, 1.0, 0.95]), ("Fast", [0.25, 0.5, 0.3, 0.26])]
    root = tree(charts.times(measured))
    for row, (_, seconds) in zip(rows(root), measured, strict=True):
        for (x, _), time in zip(dots(row), sorted(seconds), strict=True):
            assert x == pytest.approx(drawing.EDGE + time * (drawing.WIDTH - 2 * drawing.EDGE), abs=0.01)


def test_the_ticks_of_times_start_at_0_and_stand_where_their_dots_do():
    root = tree(charts.times([("Baseline", [0.2, 0.4, 0.6, 0.83])]))
    at = places(root)
    assert words(root)[2:-1] == ["0", "0.2", "0.4", "0.6", "0.8"]
    for (x, _), tick in zip(dots(root)[:3], ("0.2", "0.4", "0.6"), strict=True):
        assert at[tick] == pytest.approx(x, abs=0.01)


def test_the_median_is_marked_and_written_beside_its_share_of_the_baselines():
    root = tree(charts.times([("Baseline", [1.0, 1.2, 0.8]), ("Fast", [0.4, 0.9, 0.5, 0.6])]))
    base, fast = rows(root)
    assert words(base)[1] == "median 1.000 s" and words(fast)[1] == "median 0.550 s · 55 % of the baseline"
    (stroke,) = paths(fast)
    assert numbers(stroke)[0] == pytest.approx(drawing.EDGE + 0.55 / 1.2 * 456, abs=0.01)
    top, _, _, bottom = numbers(stroke)[1], *numbers(stroke)[2:5]
    assert top < min(y for _, y in dots(fast)) and bottom > max(y for _, y in dots(fast))
    assert "Fast: median 0.550 s · 55 % of the baseline; 4 times, 0.400 to 0.900 s." in root.find("desc").text


@pytest.mark.parametrize("count", [1, 2, 7, 200])
def test_equal_times_can_be_counted(count):
    root = tree(charts.times([("Baseline", [0.5] * count), ("Fast", [0.3])]))
    found, radius = dots(rows(root)[0]), float(next(root.iter("circle")).get("r"))
    heights = sorted(y for _, y in found)
    assert len(found) == count and len({x for x, _ in found}) == 1
    assert all(b - a >= 2 * radius - 0.01 for a, b in zip(heights, heights[1:], strict=False))


def test_dots_lie_on_no_other_dot_and_rows_in_the_picture():
    near = [0.5 + number % 17 * 0.003 for number in range(60)]
    root = tree(charts.times([("Baseline", [0.9]), ("Near", near)]))
    found, radius = dots(rows(root)[1]), float(next(root.iter("circle")).get("r"))
    assert len(found) == 60
    for number, (x, y) in enumerate(found):
        for other_x, other_y in found[:number]:
            assert abs(x - other_x) > 2 * radius - 0.02 or abs(y - other_y) > 2 * radius - 0.02
    below = translation(rows(root)[1].find("g"))[1] + max(y for _, y in found)
    assert below < height(root) - 30


def test_an_arm_without_times_is_named():
    root = tree(charts.times([("Baseline", []), ("Fast", [0.5]), ("Late", [])]))
    assert [words(row) for row in rows(root)] == [
        ["Baseline", "no times"],
        ["Fast", "median 0.500 s"],
        ["Late", "no times"],
    ]


def test_times_of_zero_are_drawn_without_a_share():
    root = tree(charts.times([("Baseline", [0.0, 0.0]), ("Fast", [0.0])]))
    assert len(dots(root)) == 3 and words(rows(root)[1])[1] == "median 0.000 s"


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -0.1])
def test_times_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError):
        charts.times([("Baseline", [1.0]), ("Fast", [0.5, wrong])])


# --- divergence ------------------------------------------------------------------------------------------------


def steps(*distances, skipped=()):
    return [Step(n, d, 1.0, ("deepcache",) if n in skipped else ()) for n, d in enumerate(distances, 1)]


def lines(root):
    return [group for group in root.iter("g") if group.get("class") == "line"]


def test_marks_stand_at_their_step_and_distance_and_are_filled_where_work_was_skipped():
    distances = (0.0, 0.1, 0.2, 0.05, 0.4)
    root = tree(charts.divergence([(LONG, steps(*distances, skipped=(2, 4, 5)))]))
    (line,) = lines(root)
    marks = [mark for mark in line.iter("path") if mark.get("class")]
    assert [mark.get("class") for mark in marks] == ["full", "skipped", "full", "skipped", "skipped"]
    assert [mark.get("fill") == mark.get("stroke") for mark in marks] == [False, True, False, True, True]
    found = [translation(mark) for mark in marks]
    x, y = places(lines_parent(root)), places(lines_parent(root), "y")
    assert [mark_x for mark_x, _ in found] == pytest.approx([x[str(n)] for n in range(1, 6)], abs=0.01)
    zero, forty = y["0 %"] - 5, y["40 %"] - 5
    assert [mark_y for _, mark_y in found] == pytest.approx(
        [zero + d / 0.4 * (forty - zero) for d in distances], abs=0.02
    )
    drawn = numbers(paths(line)[0])
    assert list(zip(drawn[::2], drawn[1::2], strict=True)) == found


def lines_parent(root):
    return next(group for group in root.iter("g") if any(child.get("class") == "line" for child in group))


@pytest.mark.parametrize("gap", [None, float("nan"), float("inf")])
def test_a_distance_that_is_not_known_breaks_the_line(gap):
    root = tree(charts.divergence([("Fast", steps(0.1, 0.2, gap, 0.3, 0.4))]))
    (line,) = lines(root)
    assert re.sub(r"[\d. ]", "", paths(line)[0].get("d")) == "MLML"
    assert len([mark for mark in line.iter("path") if mark.get("class")]) == 4


def test_lines_differ_in_colour_dashes_and_shape():
    arms = [(f"Arm {number}", steps(0.1, 0.2 + number / 10)) for number in range(4)]
    drawn = lines(tree(charts.divergence(arms)))
    for look in ("stroke", "stroke-dasharray"):
        assert len({paths(line)[0].get(look) for line in drawn}) == 4
    assert len({paths(line, "full")[0].get("d") for line in drawn}) == 4
    many = [(f"Arm {number}", steps(0.1, 0.2)) for number in range(20)]
    drawn = lines(tree(charts.divergence(many)))
    assert len({(paths(line)[0].get("stroke"), paths(line, "full")[0].get("d")) for line in drawn}) == 20


def test_the_key_names_the_arms_and_says_what_the_marks_mean():
    root = tree(charts.divergence([(LONG, steps(0.1, 0.2, skipped=(2,))), ("Gone", steps(None, None))]))
    assert {LONG, "Gone", "work skipped in the step", "full step", "sampler step"} <= set(words(root))
    told = root.find("desc").text
    assert f"{LONG}: 20 % in step 2, at most 20 % in step 2; work skipped in 1 of 2 steps." in told
    assert "Gone: no distances." in told


@pytest.mark.parametrize(
    "distances", [(0.0,), (0.3,), (0.0, 0.0), (0.2, 0.2), (1e-17, 2e-17), (50.0, 70.0), (0.1,) * 200]
)
def test_divergences_of_any_size_stay_in_the_picture(distances):
    root = tree(charts.divergence([("Fast", steps(*distances))]))
    marks = [translation(mark) for mark in paths(lines(root)[0], "full")]
    assert len(marks) == len(distances)
    assert all(drawing.EDGE < x <= drawing.WIDTH - drawing.EDGE and 0 <= y <= charts.TALL for x, y in marks)
    numbered = [int(text) for text in words(root) if text.isdigit()]
    assert numbered[0] == 1 and len(numbered) == len(set(numbered)) <= 7


# --- intervals -------------------------------------------------------------------------------------------------


def value_at(x, root):
    """Return the value that stands at x, by the lines of the first and the last tick."""
    grid = [numbers(path)[0] for path in root if path.get("stroke-opacity") == "0.16"]
    low, *_, high = (float(text[:-1]) for text in ticks(root))
    return low + (x - grid[0]) / (grid[-1] - grid[0]) * (high - low)


def ticks(root):
    """Return those labels that stand in the middle below their place."""
    return {t.text: float(t.get("x")) for t in root.iter("text") if t.get("text-anchor") == "middle"}


def test_points_intervals_and_lines_stand_at_their_values():
    given = [("One", estimate(1.4, 1.6, 1.9)), ("Two", estimate(0.5, 1.0, 2.5))]
    root = tree(charts.intervals(given, "Speed-up", "{:.2f}×", threshold=1.2, neutral=1.0))
    for row, (_, found) in zip(rows(root), given, strict=True):
        ((x, _),) = dots(row)
        assert value_at(x, root) == pytest.approx(found.value, abs=0.01)
        start, _, end = numbers(paths(row, "interval")[0])
        assert value_at(start, root) == pytest.approx(found.interval.low, abs=0.01)
        assert value_at(end, root) == pytest.approx(found.interval.high, abs=0.01)
        assert not paths(row, "beyond")
    (dashed,) = [path for path in root if path.get("stroke-dasharray")]
    (thin,) = [path for path in root if path.get("stroke-opacity") == "0.6"]
    assert value_at(numbers(dashed)[0], root) == pytest.approx(1.2, abs=0.01)
    assert value_at(numbers(thin)[0], root) == pytest.approx(1.0, abs=0.01)
    assert words(rows(root)[0]) == ["One", "1.60× (1.40× to 1.90×)"]
    assert "Two: 1.00× (0.50× to 2.50×)." in root.find("desc").text
    assert words(root)[-1] == "Speed-up, 95 % intervals · line: 1.00× · dashed: 1.20×"


def test_lines_over_the_height_pass_no_text():
    given = [(LONG, estimate(1.4, 1.6, 1.9)), (f"{LONG} of two lines", Estimate()), ("Two", estimate(0.5, 1.0, 2.5))]
    root = tree(charts.intervals(given, "Speed-up", "{:.2f}×", threshold=1.2, neutral=1.0))
    written = [float(text.get("y")) for text in root.iter("text")]
    for path in (path for path in root if path.tag == "path"):
        for _, start, end in zip(*[iter(numbers(path))] * 3, strict=True):
            assert start < end and not [y for y in written if start - 4 < y < end + 8]
    for row in (rows(root)[0], rows(root)[2]):
        assert passes(path, translation(row.find("g"))[1])


def passes(path, y):
    """Return whether the line passes the marks at that height."""
    return any(start < y - 8 and y + 8 < end for _, start, end in zip(*[iter(numbers(path))] * 3, strict=True))


def test_a_form_may_be_a_function():
    root = tree(
        charts.intervals([("One", estimate(0.01, 0.02, 0.03))], "CLIP loss", lambda share: f"{100 * share:.1f} %")
    )
    assert words(rows(root)[0])[1] == "2.0 % (1.0 % to 3.0 %)" and words(root)[-1] == "CLIP loss, 95 % interval"
    assert list(ticks(root)) == ["1.0 %", "1.5 %", "2.0 %", "2.5 %", "3.0 %"]


def test_what_is_undefined_is_written():
    given = [
        ("None", Estimate(why_not="there are no calls of both arms")),
        ("Point", Estimate(1.5, None, "one call has no spread")),
        ("All", estimate(1.0, 1.2, 1.4)),
    ]
    root = tree(charts.intervals(given, "Speed-up", "{:.2f}×"))
    none, point, whole = rows(root)
    assert words(none) == ["None", "undefined"] and not dots(none) and not paths(none)
    assert words(point) == ["Point", "1.50×"] and len(dots(point)) == 1 and not paths(point, "interval")
    assert len(paths(whole, "interval")) == 1
    told = root.find("desc").text
    assert "None: undefined: there are no calls of both arms." in told
    assert "Point: 1.50×; no interval: one call has no spread." in told


def test_a_huge_interval_ends_in_arrows_and_squashes_no_other():
    small = [
        (f"Arm {number}", estimate(1.5 + number / 10, 1.6 + number / 10, 1.7 + number / 10)) for number in range(4)
    ]
    root = tree(charts.intervals([*small, ("Huge", estimate(-8.0, 1.7, 12.0))], "Speed-up", "{:.2f}×", neutral=1.0))
    *others, huge = rows(root)
    assert len(paths(huge, "beyond")) == 2 and not any(paths(row, "beyond") for row in others)
    start, _, end = numbers(paths(huge, "interval")[0])
    assert (start, end) == (charts.ASIDE, drawing.WIDTH - charts.ASIDE)
    for row in others:
        start, _, end = numbers(paths(row, "interval")[0])
        assert end - start > 40
    assert words(huge)[1] == "1.70× (-8.00× to 12.00×)"
    one_sided = tree(charts.intervals([*small, ("Huge", estimate(1.5, 1.7, 12.0))], "Speed-up", "{:.2f}×"))
    assert len(paths(rows(one_sided)[-1], "beyond")) == 1


def test_an_interval_that_is_as_wide_as_the_others_is_whole():
    given = [("One", estimate(-8.0, 1.7, 12.0)), ("Two", estimate(-6.0, 2.0, 10.0))]
    root = tree(charts.intervals(given, "Difference", "{:.2f} "))
    assert not any(paths(row, "beyond") for row in rows(root))
    alone = tree(charts.intervals(given[:1], "Difference", "{:.2f} ", threshold=1.0, neutral=1.1))
    assert not paths(rows(alone)[0], "beyond")


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0, 1e-12, 1e12])
def test_one_value_without_spread_stands_in_the_middle(value):
    root = tree(charts.intervals([("One", estimate(value, value, value))], "Any", "{:g}"))
    ((x, _),) = dots(root)
    assert x == pytest.approx(drawing.WIDTH / 2) and 2 <= len(ticks(root)) <= 7


def test_sixty_rows_stand_below_each_other_between_two_axes():
    given = [(f"guidance 4, steps {number}: {LONG}", estimate(1.0, 1.1 + number / 100, 2.0)) for number in range(60)]
    root = tree(charts.intervals(given, "Speed-up", "{:.2f}×", 1.05, 1.0))
    heights = [translation(row.find("g"))[1] for row in rows(root)]
    assert len(heights) == 60 and all(b - a > 50 for a, b in zip(heights, heights[1:], strict=False))
    assert words(root).count("1.20×") == 2 and heights[-1] < height(root) - 40


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("where", ["value", "low", "high", "threshold", "neutral"])
def test_estimates_that_are_no_numbers_are_refused(wrong, where):
    parts = {"low": 1.0, "value": 1.1, "high": 1.2, "threshold": 1.05, "neutral": 1.0} | {where: wrong}
    found = estimate(parts["low"], parts["value"], parts["high"])
    with pytest.raises(ValueError, match="not a finite number"):
        charts.intervals([("One", found)], "Any", "{}", parts["threshold"], parts["neutral"])


# --- all -------------------------------------------------------------------------------------------------------


def all_three(name):
    return (
        charts.times([("Baseline", [1.0]), (name, [0.5, 0.6])]),
        charts.divergence([(name, steps(0.1, 0.2, 0.3, skipped=(2,)))]),
        charts.intervals([(name, estimate(1.0, 1.1, 1.2)), (name, Estimate(why_not=name))], name, "{:.2f}×", 1.05, 1.0),
    )


@pytest.mark.parametrize("name", STRANGE, ids=range(len(STRANGE)))
def test_any_name_makes_a_well_formed_picture(name):
    for svg in all_three(name or "-"):
        tree(svg)
        ET.fromstring(charts.standalone(svg).encode())
    for svg in all_three(name)[:2]:
        tree(svg)


def test_names_are_written_as_they_are():
    name = "<b>&amp; \"quoted\" 'too'"
    for svg in all_three(name):
        assert name in words(tree(svg)) and "<b>" not in svg


@pytest.mark.parametrize("name", STRANGE[8:12], ids=range(4))
def test_long_names_are_cut_and_told_whole(name):
    shown = [text for text in words(rows(tree(charts.times([(name, [1.0])])))[0]) if text[0] == name[0] or "…" in text]
    assert len(shown) == 2 and shown[1].endswith("…")
    assert all(drawing.width(text, drawing.NAME) <= drawing.WIDTH - 2 * drawing.EDGE for text in shown)
    for svg in all_three(name):
        assert name.strip() in tree(svg).find("desc").text


def test_a_name_of_two_lines_is_whole_and_breaks_between_words():
    name = f"guidance 4, steps 20, DPM++ 2M Karras: {LONG}"
    shown = words(rows(tree(charts.times([(name, [1.0])])))[0])[:2]
    assert " ".join(shown) == name
    assert words(rows(tree(charts.times([(LONG, [1.0])])))[0])[0] == LONG


@pytest.mark.parametrize(
    "svg", [charts.times([]), charts.times([("a", [])]), charts.divergence([]), charts.intervals([], "a", "{}")]
)
def test_nothing_makes_nothing(svg):
    assert svg == charts.standalone(svg) == ""


def test_divergences_of_nothing_make_nothing():
    assert charts.divergence([("Fast", [])]) == charts.divergence([("Fast", steps(None, float("nan")))]) == ""


def test_estimates_of_nothing_are_rows_without_an_axis():
    root = tree(charts.intervals([("Fast", Estimate())], "Speed-up", "{:.2f}×"))
    assert words(root) == ["Fast", "undefined", "Speed-up"] and not dots(root)


def test_a_file_of_its_own_takes_nothing_from_a_page():
    for svg in all_three("Fast"):
        assert "var(--color-accent, #" in svg or "var(--body-background-fill, #" in svg
        alone = charts.standalone(svg)
        root = ET.fromstring(alone)
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and "var(" not in alone and "max-width" not in alone
        assert "prefers-color-scheme:dark" in root.find("{*}style").text
        assert root.find("{*}rect").attrib == {"width": "100%", "height": "100%", "fill": "#ffffff"}
        assert root.get("width") == str(drawing.WIDTH) and root.get("viewBox")


def test_a_name_is_the_same_on_a_page_and_in_a_file():
    name = 'fill="var(--color-accent, #0d9488)" ' + drawing.PAGE + ">"
    alone = ET.fromstring(charts.standalone(charts.times([(name, [1.0])])))
    assert alone.find("{*}desc").text.startswith(f"{name}: median")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.83), (0.98, 2.61), (-3e-5, 7e-5), (0, 3e9), (-0.021, 0.003)])
def test_ticks_are_round_and_few_and_inside(low, high):
    x, found = drawing.scale(low, high, 0, 100)
    gaps = {round((b - a) / (high - low), 9) for a, b in zip(found, found[1:], strict=False)}
    assert 3 <= len(found) <= 6 and len(gaps) == 1
    assert f"{found[1] - found[0]:.3e}"[:5] in ("1.000", "2.000", "5.000")
    assert all(-0.001 <= x(tick) <= 100.001 for tick in found)


def test_it_is_all_plain():
    heavy = "('torch', 'gradio', 'matplotlib', 'numpy')"
    code = f"import sys, comparer.reporting.plots.charts; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_curve_breaks_where_a_value_is_not_finite():
    broken = curve("w<", [1.0, float("nan"), 0.25, 0.0])
    path = [part.split('"')[0] for part in broken.split('<path d="')[1:]][-1]
    assert path.count("M") == 2 and path.count("L") == 1 and "w&lt;" in broken
    assert curve("w", [float("nan")] * 3) == ""
