"""Pages show the metrics of the one table, wherever their rows say."""

from dataclasses import replace

import pytest

from src.metrics.table import EVERYWHERE, METRICS, Metric, shown_in
from src.visualize.pages.list_tables import leaderboard
from src.visualize.pages.records import Estimate, Review
from src.visualize.pages.rendering import run_page
from tests.visualize.pages_to_read import Reader, run_of


def test_a_metric_that_gets_a_row_is_on_all_pages_that_its_row_names(monkeypatch: pytest.MonkeyPatch) -> None:
    gap = Metric("gap", "Gap of the means", "rate", "higher", EVERYWHERE, "How far the classes lie apart.")
    monkeypatch.setitem(METRICS, "gap", gap)
    run = run_of()
    assert run.outcome
    found = {**run.outcome.metrics, "gap": Estimate(0.4321, 0.4, 0.5)}
    run = replace(run, outcome=replace(run.outcome, metrics=found, breakdowns={"gender": {"F": found}}))
    text = " ".join(Reader(run_page(run)).text.split())
    assert text.count("43.21 % 40.00 to 50.00 %") == 2  # of the whole test, and of a part
    assert "How far the classes lie apart. Higher is better." in text
    table = leaderboard(Review((run,)))
    place = [column.title for column in table.columns].index("Gap of the means")
    assert (table.rows[0][place].text, table.rows[0][place].sort) == ("43.21 %", 0.4321)
    assert "Gap of the means: higher is better" in table.about


def test_every_entry_of_the_glossary_is_led_to_from_its_metric() -> None:
    rows = {name: Estimate(0.5) for name in METRICS}
    page = run_page(run_of(validation=rows))
    for entry in shown_in("page"):
        assert (f'<a href="#{entry.term}">{entry.title}</a>' in page) == (f'<div id="{entry.term}">' in page)
    assert "min t-DCF (2019)" in page
