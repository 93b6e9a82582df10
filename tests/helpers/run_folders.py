"""Run folders of known images, whole and damaged."""

import json
import os
from dataclasses import replace
from shutil import copytree

from comparer.runs import store
from helpers.viewer_runs import comparison_in

NAME = "2026-11-{day:02}_120000_demo_{day:06x}"


def kept(runs, day=1, name="", **changes):
    """Write a run of six arms, two prompts and two seeds; return its folder."""
    folder = store.RunFolder.at(runs / (name or NAME.format(day=day)))
    seen = comparison_in(folder.path)
    folder.save(replace(seen, **{"created": f"2026-11-{day:02}T12:00:00+00:00"} | changes))
    return folder.path


def repeated(folder, name, **changes):
    """Write the same run again under another name beside it, its images linked, its record changed; return it."""
    again = copytree(folder, folder.with_name(name), copy_function=os.link)
    for written in (*again.glob("*.json"), *again.glob("thumb-*")):
        written.unlink()  # those would be changed in both
    store.RunFolder(again).save(replace(store.load(folder), **changes))
    return again


def spoil(folder, how):
    record = folder / "run.json"
    data = json.loads(record.read_text())
    if how == "cut":
        record.write_text(record.read_text()[:5000])
    elif how == "gone":
        record.unlink()
    elif how == "a folder":
        record.unlink()
        record.mkdir()
    elif how == "deep":
        record.write_text("[" * 100_000)
    elif how == "bytes":
        record.write_bytes(b"\xff\xfe\x00" * 50)
    elif how == "a link":
        outside = folder.parent.parent / "outside.json"
        record.rename(outside)
        record.symlink_to(outside)
    else:
        changes = {
            "empty": {"request": {}},
            "no calls": {"calls": []},
            "another way": {"shots": [data["shots"][0] | {"file": "../../secret.png"}]},
            "no date": {"created": "yesterday"},
            "an arm too many": {"not_run": [{"arm": "x"}]},
            "times of text": {"calls": [call | {"seconds": "long"} for call in data["calls"]]},
        }
        record.write_text(json.dumps(data | changes[how]))
