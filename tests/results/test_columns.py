"""A column of the result table is one entry: page, report, terminal and Markdown show it."""

import pytest

from comparer.cli.tables import table
from comparer.reporting.html.tables import arms_table
from comparer.reporting.tables import body
from comparer.results import columns
from comparer.results.analysis import Analysis
from comparer.results.columns import Column
from helpers.equal_time_runs import pairs, seen


@pytest.fixture
def analysis():
    return Analysis(seen(pairs(25, 24), pairs(0.9, 0.8)))


def places(analysis):
    return arms_table(analysis), table(analysis), "\n".join(body(analysis, ""))


def test_a_new_column_is_everywhere(analysis, monkeypatch):
    before = places(analysis)
    more = Column("Toys & more", lambda each: each.number * 7, "{} toys".format)
    monkeypatch.setattr(columns, "COLUMNS", (*columns.COLUMNS, more))
    for old, text in zip(before, places(analysis), strict=True):
        assert "Toys" not in old and "Toys" in text and "7 toys" in text
    assert "Toys &amp; more" in places(analysis)[0]


def test_what_is_empty_for_every_arm_is_left_out(analysis):
    page, terminal, markdown = places(analysis)
    assert "Peak memory" not in page + terminal and "| Peak memory" not in markdown  # the notes say why
    analysis.comparison.resident[1] = 2**30
    page, terminal, markdown = places(analysis)
    assert all("1.00 GiB" in text for text in (page, terminal, markdown))


def test_the_share_of_the_baseline_stands_behind_the_value(analysis):
    page, terminal, markdown = places(analysis)
    seconds = f"{analysis.arms[1].figures.seconds:.2f}"  # three significant digits
    assert f"{seconds} <small>50\u00a0%</small>" in page
    assert f"{seconds} (50 %)" in terminal and f"{seconds} (50 %)" in markdown


def test_markdown_has_the_interval_where_the_others_have_the_value(analysis):
    page, terminal, markdown = places(analysis)
    speed_up = f"{analysis.arms[1].speed_up.value:.2f}×"
    assert all(speed_up in text for text in (page, terminal))
    assert f"{speed_up} (" in markdown and f"{speed_up} (" not in terminal
