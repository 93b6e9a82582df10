"""Earlier runs: what is listed, found and deleted, whatever lies in the folder. No model and no browser."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from PIL import Image

from comparer.errors import ComparerError
from comparer.results import side_by_side
from comparer.results.analysis import Analysis
from comparer.results.sorting import LIKENESS, SCORE
from comparer.runs import card as run_card
from comparer.runs import index, store
from comparer.runs.lock import being_made, hold
from comparer.ui import permalink
from comparer.ui.history import entry as entries_html
from helpers.run_folders import NAME, kept, spoil
from helpers.runs import ROOT
from helpers.similar import alike
from helpers.viewer_runs import HOSTILE, comparison_in


def names(runs, **more):
    return [entry.name for entry in index.entries(runs, **more)]


def test_runs_are_listed_newest_first_with_what_is_said_of_each(tmp_path):
    for day in (2, 3, 1):
        kept(tmp_path, day)
    first, *_ = found = index.entries(tmp_path)
    assert [entry.name for entry in found] == [NAME.format(day=day) for day in (3, 2, 1)]
    card, seen = first.card, store.load(tmp_path / first.name)
    assert (card.state, card.pictures, card.prompts) == ("finished", 24, seen.request.settings.prompts)
    for number, arm in enumerate(card.arms[1:], 1):
        verdict = Analysis(seen).arms[number].verdict
        assert (arm.headline, arm.sentence, arm.look) == (verdict.headline, verdict.sentence, verdict.look)
        found = verdict.speed.estimate
        assert (arm.value, arm.low, arm.high) == (found.value, found.interval.low, found.interval.high)
    assert first.title == "Demo: coloured shapes (runs anywhere)"
    assert index.entries(tmp_path / "nowhere") == []


@pytest.mark.parametrize("order", [SCORE, LIKENESS])
def test_the_worst_pair_is_the_one_that_lost_most(order, tmp_path):
    folder = store.RunFolder.at(tmp_path / NAME.format(day=1))
    seen = comparison_in(folder.path)
    shots = [replace(shot, clip_score=25.0 if order == SCORE else None, similarity=None) for shot in seen.shots]
    at = next(n for n, s in enumerate(shots) if (s.arm, s.prompt, s.seed) == (3, 1, 17))
    similarity = alike(0.5)
    shots[at] = replace(shots[at], **{"clip_score": 24.0} if order == SCORE else {"similarity": similarity})
    folder.save(replace(seen, created="2026-11-01T12:00:00+00:00", shots=shots))
    (entry,) = index.entries(tmp_path)
    assert entry.card.worst == (3, 1, 17)
    assert entry.card.files == ("0-arm_p002_s17.png", "3-arm_p002_s17.png")


def test_small_pictures_are_made_of_large_ones_alone(tmp_path):
    folder = store.RunFolder.at(tmp_path / NAME.format(day=1))
    seen = comparison_in(folder.path)
    for shot in seen.shots:
        Image.new("RGB", (800, 400), (200, 30, 40)).save(folder.path / shot.file)
    settings = replace(seen.request.settings, width=800, height=400)
    folder.save(replace(seen, created="2026-11-01T12:00:00+00:00", request=replace(seen.request, settings=settings)))
    small = run_card.read(folder.path, run_card.key((folder.path / "run.json").stat())).thumbs
    assert [Image.open(folder.path / name).size for name in small] == [(192, 96)] * 2
    assert Image.open(folder.path / small[0]).getpixel((90, 40)) == pytest.approx((200, 30, 40), abs=4)
    assert index.entries(kept(tmp_path / "other").parent)[0].card.thumbs == ()


SPOILT = ["cut", "gone", "a folder", "deep", "bytes", "a link", "empty", "no calls", "another way", "no date",
          "an arm too many", "times of text"]  # fmt: skip


ODD = ["20260101T000523+00:00", "2026-01-01T00:05:23.123456+00:00", "2026-01-01T02:05:23+02:00", "2026-01-01 00:05:23",
       "2026-W01-4T00:05:23Z", "20260101T000523Z", "2026-01-01", "0001-01-01T00:00:00+14:00",
       "9999-12-31T23:59:59-14:00", "", "yesterday", "<script>alert(1)</script>", "2026-01-01T<b>", 5,
       None, ["x"], {}]  # fmt: skip


def test_no_odd_date_breaks_the_list(tmp_path):
    for number, created in enumerate(ODD, 1):
        folder = kept(tmp_path, name=f"run-{number:02}")
        record = folder / "run.json"
        record.write_text(json.dumps(json.loads(record.read_text()) | {"created": created}))
        if number == 1:  # as an earlier version kept it
            card = json.loads((folder / "card.json").read_text()) | {"of": run_card.key(record.stat())}
            card["card"]["created"] = created
            (folder / "card.json").write_text(json.dumps(card))
    kept(tmp_path, name="9999-12-31_235959_demo_aaaaaa").joinpath("run.json").unlink()
    for _ in range(2):
        listed = index.entries(tmp_path)
        dates = {entry.name: entry.card.created for entry in listed if not entry.card.damaged}
        assert [dates[f"run-{number:02}"] for number in range(1, 7)] == ["2026-01-01T00:05:23+00:00"] * 6
        assert dates.pop("run-07") == "2026-01-01T00:00:00+00:00" and len(dates) == 6 and len(listed) == len(ODD) + 1
        drawn = entries_html.draw(listed, tmp_path, (), set())
        assert drawn.count('<li class="run') == len(listed) and drawn.count("<h2>1 January 2026</h2>") == 1
        assert "<b>2026" not in drawn and "<script>" not in drawn


@pytest.mark.parametrize("how", SPOILT)
def test_a_damaged_run_is_listed_as_such_and_breaks_nothing_else(how, tmp_path):
    runs = tmp_path / "runs"
    kept(runs, 1), kept(runs, 3)
    spoil(kept(runs, 2), how)
    for _ in range(2):  # also from the card that says so
        newest, damaged, oldest = index.entries(runs)
        assert newest.card.state == oldest.card.state == "finished"
        assert damaged.name == NAME.format(day=2) and damaged.card.state == "damaged" and damaged.card.damaged
        assert str(tmp_path) not in damaged.card.damaged and len(damaged.card.damaged) < 500
    if how in ("a folder", "a link"):  # Comparer wrote none
        with pytest.raises(ComparerError, match="that Comparer did not write: 'run.json'"):
            index.delete(runs, damaged.name)
        return
    index.delete(runs, damaged.name)
    assert names(runs) == [newest.name, oldest.name] and not (runs / damaged.name).exists()


def test_a_card_is_of_one_record_and_made_anew_for_another(tmp_path):
    folder = kept(tmp_path)
    (before,) = index.entries(tmp_path)
    data = json.loads((folder / "run.json").read_text())
    data["state"] = "stopped"
    (folder / "run.json").write_text(json.dumps(data))
    (after,) = index.entries(tmp_path)
    assert (before.card.state, after.card.state) == ("finished", "stopped")


def test_a_record_of_the_same_length_is_another_when_it_was_written_later(tmp_path):
    folder = kept(tmp_path)
    (before,), record = index.entries(tmp_path), folder / "run.json"
    text, written = record.read_text(), record.stat()
    record.write_text(text.replace("large red star", "small red star"))
    os.utime(record, ns=(written.st_atime_ns, written.st_mtime_ns + 1_000_000))
    assert record.stat().st_size == written.st_size
    (after,) = index.entries(tmp_path)
    assert [entry.card.prompts[0].split()[1] for entry in (before, after)] == ["large", "small"]


@pytest.mark.parametrize(
    "change",
    [
        lambda card: "",
        lambda card: card[: len(card) // 2],
        lambda card: "[]",
        lambda card: "[" * 100_000,
        lambda card: card.replace('"pictures": 24', '"pictures": "<script>"'),
        lambda card: card.replace('"pictures": 24', '"pictures": 24, "more": 1'),
        lambda card: card.replace('"state": "finished"', '"state": null'),
        lambda card: card.replace("0-arm_p002_s3.png", "../../../secret.png"),
        lambda card: card.replace('"worst": [', '"worst": [1, 2, '),
        lambda card: card.replace('"name": "Baseline"', '"name": ["Baseline"]'),
    ],
)
def test_a_broken_or_hostile_card_is_made_anew(change, tmp_path):
    folder = kept(tmp_path)
    (whole,) = index.entries(tmp_path)
    text = (folder / "card.json").read_text()
    assert change(text) != text
    (folder / "card.json").write_text(change(text))
    assert index.entries(tmp_path) == [whole]
    assert (folder / "card.json").read_text() == text


def test_a_card_is_really_what_is_read(tmp_path):
    folder = kept(tmp_path)
    text = (folder / "card.json").read_text()
    (folder / "card.json").write_text(text.replace('"pictures": 24', '"pictures": 25'))
    assert index.entries(tmp_path)[0].card.pictures == 25


def test_what_is_no_run_and_what_lies_behind_a_link_is_not_listed(tmp_path):
    runs = tmp_path / "runs"
    mine, outside = kept(runs), kept(tmp_path / "outside", 2)
    (runs / NAME.format(day=5)).symlink_to(outside)
    (runs / "cache").mkdir()
    (runs / "times.json").write_text("{}")
    check = store.RunFolder.create(runs, "check-demo").path
    (check / "check.json").write_text("{}")
    assert names(runs) == [mine.name]
    with pytest.raises(ComparerError, match="There is no run"):
        store.find(runs, NAME.format(day=5))
    with pytest.raises(ComparerError, match="There is no run"):
        index.delete(runs, NAME.format(day=5))
    assert (outside / "run.json").is_file()


def test_runs_of_an_evaluation_are_found_and_stay(tmp_path):
    parent = tmp_path / "2026-11-04_120000_evaluation_aaaaaa"
    kept(parent, 4, "01-steps-20")
    (parent / "evaluation.json").write_text("{}")
    mine = kept(tmp_path)
    name = f"{parent.name}/01-steps-20"
    assert names(tmp_path) == [name, mine.name]
    assert store.name(store.find(tmp_path, name)) == name
    with pytest.raises(ComparerError, match="part of an evaluation"):
        index.delete(tmp_path, name)
    with pytest.raises(ComparerError, match="There is no run"):
        index.delete(tmp_path, parent.name)


def test_a_run_that_is_being_made_is_not_deleted_and_one_that_was_cut_off_is(tmp_path):
    folder = kept(tmp_path, state="running")
    with hold(folder):
        assert index.entries(tmp_path)[0].card.state == "running" and being_made(folder)
        with pytest.raises(ComparerError, match="it is still in progress"):
            index.delete(tmp_path, folder.name)
    held = "import sys, time, pathlib; from comparer.runs.lock import hold\nwith hold(pathlib.Path(sys.argv[1])): "
    command = [sys.executable, "-c", f"{held}print(1, flush=True); time.sleep(60)", str(folder)]
    other = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    other.stdout.readline()
    with pytest.raises(ComparerError, match="is already in progress"), hold(folder):
        pass
    other.kill()
    other.wait()
    assert index.entries(tmp_path)[0].card.state == "cut off" and not being_made(folder)
    with pytest.raises(ComparerError, match="it is still in progress"):  # this server knows better
        index.delete(tmp_path, folder.name, busy={folder.name})
    index.delete(tmp_path, folder.name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../outside", "run/..", "run/../../outside", "/etc", "run/", "run\0", None, 5, ["run"],
             {"run": 1}, "RUN", "nope", "run/run.json", ".deleted-1"],
    ids=repr,
)  # fmt: skip
def test_deleting_reaches_nothing_but_runs(name, tmp_path):
    runs = tmp_path / "runs"
    kept(runs, name="run")
    kept(tmp_path, name="outside")
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(ComparerError, match="There is no run"):
        index.delete(runs, name)
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_a_folder_of_somebody_elses_with_a_run_json_is_not_deleted(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "run.json").write_text('{"mine": true}')
    assert index.entries(tmp_path)[0].card.state == "damaged"
    with pytest.raises(ComparerError, match="Comparer did not mark this folder as its own"):
        index.delete(tmp_path, "thesis")
    assert (tmp_path / "thesis" / "run.json").is_file()


def test_a_folder_with_anything_of_somebody_elses_is_not_deleted(tmp_path):
    folder = kept(tmp_path / "runs")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")

    def refused(named):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(ComparerError, match=f"was not deleted: .* contains files that .* did not write: {named}"):
            index.delete(tmp_path / "runs", folder.name)
        assert sorted(tmp_path.rglob("*")) == before

    for name in ("more", "grid.png"):
        (folder / name).symlink_to(tmp_path / "precious")
        refused(f"'{name}'.$")
        (folder / name).unlink()
    (folder / "report.html").mkdir()
    refused("'report.html'.$")
    for name in ("thesis.tex", "2024-photo.png", "0-notes_p1.png"):
        (folder / name).write_text("mine")
    refused("'0-notes_p1.png', '2024-photo.png', 'report.html' and 1 more.$")
    (folder / "report.html").rmdir()
    for name in ("thesis.tex", "2024-photo.png", "0-notes_p1.png"):
        (folder / name).unlink()
    index.delete(tmp_path / "runs", folder.name)
    assert list((tmp_path / "runs").iterdir()) == []


def test_everything_that_is_written_into_a_run_can_be_deleted(tmp_path):
    from comparer.reporting.report.report import save_report
    from comparer.reporting.tables import save_tables

    folder = kept(tmp_path)
    seen = replace(store.load(folder), checkpoint={"name": "demo"})
    save_report(seen, folder), save_tables(seen, folder), index.claim(folder, "secret")
    shot = store.RunFolder.at(folder).save_shot(seen, 1, 0, 3, Image.new("RGB", (8, 8)))
    others = ("blind.json", "grid.png", "grid-2.png", "thumb-1.jpg", "reproduce-1-same_p001_s3.py", "run.json.partial")
    for name in others:
        (folder / name).write_text("x")
    assert (folder / shot).is_file()
    index.delete(tmp_path, folder.name)
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_run_of_one_arm_is_of_the_baseline(tmp_path):
    alone, two_arms = comparison_in(tmp_path / "a", arms=1), comparison_in(tmp_path / "b", arms=2)
    pair = {"pair": "1:17", "arm": "1"}
    assert permalink.pair_of(alone, pair) == ((1, 17), 0) == permalink.pair_of(alone, {"pair": "1:17"})
    assert permalink.pair_of(alone, {}) == (None, 0) == permalink.pair_of(alone, pair | {"pair": "1:99"})
    assert permalink.pair_of(two_arms, pair) == ((1, 17), 1)
    assert permalink.pair_of(two_arms, pair | {"arm": "0"}) == (None, 1) == permalink.pair_of(two_arms, {})


def test_what_a_delete_left_is_removed_at_the_next_listing_and_nothing_else(tmp_path):
    left = kept(tmp_path, name="run").rename(tmp_path / ".deleted-0123456789abcdef")
    (left / "run.json").unlink()
    stay = [tmp_path / name for name in (".deleted-1", ".deleted-0123456789abcdeg", ".deleted-fedcba9876543210")]
    for folder in stay:
        folder.mkdir()
    (stay[2] / "thesis.tex").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    stay.append(tmp_path / ".deleted-aaaaaaaaaaaaaaaa")
    stay[3].symlink_to(tmp_path / "elsewhere")
    assert names(tmp_path) == [] and not left.exists() and all(map(os.path.lexists, stay))


def test_every_word_must_stand_somewhere_in_any_case(tmp_path):
    one = kept(tmp_path, 1, environment={"device_name": "Some GPU"}).name
    other = kept(tmp_path, 2).name
    listed = index.entries(tmp_path)

    def found(words):
        return [entry.name for entry in index.search(listed, words)]

    assert found("") == found("  ") == found("STAR blue") == found("tome") == [other, one]
    assert found("some gpu") == [one] and found("deepcache gpu") == [one] and found("gpu nowhere") == []
    assert found(other) == [other] and found("coloured") == [other, one] and found("<script>") == [other, one]


def test_an_owner_sees_and_deletes_only_what_is_theirs(tmp_path):
    mine, other = kept(tmp_path, 1), kept(tmp_path, 2)
    index.claim(mine, "secret"), index.claim(other, "another")
    assert names(tmp_path, owner="secret") == [mine.name] and names(tmp_path, owner="") == []
    assert names(tmp_path) == [other.name, mine.name]
    assert "secret" not in (mine / "owner").read_text()
    for owner in ("secret", "", (other / "owner").read_text()):
        with pytest.raises(ComparerError, match="belongs to another visitor"):
            index.delete(tmp_path, other.name, owner=owner)
    index.delete(tmp_path, mine.name, owner="secret")
    assert names(tmp_path) == [other.name]


def test_two_runs_are_laid_side_by_side_without_a_claim_that_they_cannot_carry(tmp_path):
    one = store.load(kept(tmp_path, 1, environment={"device_name": "A", "versions": {"torch": "2.1"}}))
    other = store.load(kept(tmp_path, 2, environment={"device_name": "B", "versions": {"torch": "2.2"}}))
    settings = replace(other.request.settings, prompts=("only one", HOSTILE))
    arms = other.request.arms[:2]
    other = replace(other, request=replace(other.request, settings=settings, arms=arms))
    found = {part.title: {row.title: row for row in part.rows} for part in side_by_side.parts(one, other)}
    assert list(found)[:3] == ["Baseline", "Same", "One pixel"]
    assert found["One pixel"]["Arm"].other == "not in this run" and not found["One pixel"]["Speed-up"].same
    assert found["Same"]["Speed-up"].same and found["Same"]["Speed-up"].one == "1.07×, the same in 4 turns"
    assert found["Settings"]["Steps"].same and not found["Settings"]["Prompts"].same
    assert (found["Environment"]["torch"].one, found["Environment"]["torch"].other) == ("2.1", "2.2")
    said = " ".join(side_by_side.remarks(one, other))
    assert "The times are not comparable" in said and "seeds or settings differ" in said
    assert side_by_side.NOT_TESTED in said
    alike = " ".join(side_by_side.remarks(one, one))
    assert "need not be the same machine" in alike and "settings differ" not in alike


def test_scores_of_different_scorers_are_not_laid_beside_each_other_unsaid(tmp_path):
    one, other = (store.load(kept(tmp_path, day)) for day in (1, 2))
    said = "The scores are not comparable: they come from different scorers."
    assert said not in side_by_side.remarks(one, other)
    assert said in side_by_side.remarks(one, replace(other, scorer=replace(other.scorer, name="ViT-L-14/openai")))


@pytest.mark.parametrize("change", [{"steps": 9}, {"guidance_rescale": 0.5}, {"seeds": (3, 18)}, {"half": "raw"}])
def test_means_over_different_pictures_are_said_to_be(tmp_path, change):
    one = store.load(kept(tmp_path))
    settings = replace(one.request.settings, **change)
    other = replace(one, request=replace(one.request, settings=settings))
    assert "seeds or settings differ" in " ".join(side_by_side.remarks(one, other))
    order = replace(one.request.settings, prompts=one.request.settings.prompts[::-1], batch_size=4)
    shuffled = replace(one, request=replace(one.request, settings=order))
    assert "seeds or settings differ" not in " ".join(side_by_side.remarks(one, shuffled))


def test_the_command_line_lists_lays_side_by_side_and_deletes(tmp_path, capsys, monkeypatch):
    from comparer.cli.main import main

    one, other = kept(tmp_path, 1).name, kept(tmp_path, 2).name
    spoil(kept(tmp_path, 3), "cut")

    def said(*arguments):
        code = main(["history", "--runs", str(tmp_path), *arguments])
        out, err = capsys.readouterr()
        return code, out + err

    code, text = said()
    assert code == 0 and text.index(other) < text.index(one) and "damaged: Its run.json does not contain a run" in text
    assert f"Same: {Analysis(store.load(tmp_path / one)).arms[1].verdict.sentence}" in text
    code, text = said("--search", "damaged")
    assert NAME.format(day=3) in text and one not in text
    code, text = said("--two", one, other)
    assert code == 0 and side_by_side.NOT_TESTED in text and "1.07×, the same in 4 turns" in text
    assert said("--two", one, "nope")[0] == 2
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115, PTH123
    code, text = said("--delete", one)
    assert code == 2 and "add --yes" in text and (tmp_path / one).is_dir()
    assert said("--delete", one, "--yes")[0] == 0 and not (tmp_path / one).exists()


def test_an_entry_of_the_history_leads_with_images_and_prompt_and_says_the_headline(tmp_path):
    seen = store.load(kept(tmp_path, 1))
    drawn = entries_html.draw(index.entries(tmp_path), tmp_path, (), set())
    prompt, headline = seen.request.settings.prompts[0], Analysis(seen).arms[1].verdict.headline
    heading = drawn.split("<h3>")[1].split("</h3>")[0]
    assert prompt in heading and "and 1 more prompt" in heading
    places = [drawn.index(each) for each in ("<img ", prompt + "</bdi>", headline, 'class="checkpoint"')]
    assert places == sorted(places)
    arm = run_card.ArmCard("a", headline, value=12.345, low=11.9, high=12.8)
    assert entries_html.figure(arm) == "12.3× (11.9–12.8)"
    assert entries_html.figure(replace(arm, value=0.9144, low=0.9, high=0.93)) == "0.914× (0.900–0.930)"
