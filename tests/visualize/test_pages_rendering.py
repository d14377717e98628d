"""Pages are safe, stable and complete: whatever a file held, it is text on the page and nothing else."""

import re
from dataclasses import replace

import pytest

from src.visualize.pages.cells import drawn, sort_key
from src.visualize.pages.list_tables import chosen_by_validation, leaderboard, trials_table
from src.visualize.pages.pictures import parse_picture
from src.visualize.pages.records import (
    Clip,
    Estimate,
    LayerComparison,
    Outcome,
    Picture,
    Review,
    Run,
    Study,
    Trial,
)
from src.visualize.pages.rendering import index_page, run_page, study_page
from src.visualize.pages.words import RANDOM_WEIGHTS
from tests.visualize.pages_to_read import PICTURE, Reader, run_of

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\n\x00\udce9\ud800{{ 7 * 7 }}</style>--><!--"


def evil_run() -> Run:
    evil = {
        EVIL: EVIL,
        "classes": EVIL,
        "corpus": EVIL,
        "backbone": EVIL,
        "classifier": EVIL,
        "layer": EVIL,
        "model": [EVIL],
    }
    metrics = {"eer": Estimate(0.1), EVIL: Estimate(1e300), "threshold": Estimate(0.0)}
    outcome = Outcome(
        EVIL, evil, metrics, {EVIL: {EVIL: metrics}}, (), (Clip(EVIL, EVIL, 0.1, 0.1, EVIL, EVIL),), 1, (EVIL,)
    )
    return Run(
        EVIL,
        "x",
        "finished",
        EVIL,
        3,
        hyperparameters=evil,
        validation=metrics,
        split=EVIL,
        calibration={EVIL: EVIL},
        provenance={
            EVIL: EVIL,
            "ended": EVIL,
            "data": {"people": {EVIL: [EVIL]}, "embeddings": {EVIL: {"model": EVIL}}},
        },
        outcome=outcome,
        other_outcomes=(outcome,),
        pictures=(Picture(EVIL, b"", 1, 1),),
        problems=(EVIL,),
    )


def all_pages(run: Run) -> list[str]:
    name = run.name
    trials = (Trial(3, name, 0.1, {name: name}), Trial(4, "running"))
    study = Study(
        name, "x", run.hyperparameters, 3, 0.1, trials, (replace(run, is_best=True),), run.pictures, run.problems
    )
    layers = LayerComparison(name, run.hyperparameters, ((0, Estimate(0.1, 0.05, 0.2)),), PICTURE, run.problems)
    review = Review((run, replace(run, problems=(name,))), (study,), (layers,), (name,))
    return [index_page(review), run_page(run), study_page(study, (replace(PICTURE, name=name),), "abc")]


@pytest.mark.parametrize("page", all_pages(evil_run()), ids=["index", "run", "study"])
def test_whatever_a_file_holds_is_text(page: str) -> None:
    page.encode()  # no half characters
    read = Reader(page)
    assert read.count("script") == 1 and read.count("style") == 1
    assert not any(name.startswith("on") for _, attributes in read.elements for name in attributes)
    assert all(attributes["src"].startswith("data:") for tag, attributes in read.elements if tag == "img")  # type: ignore[union-attr]
    assert "<script>alert(1)</script>" in read.text and "{{ 7 * 7 }}" in read.text
    assert "\x00" not in page and "\ufffd" in page


@pytest.mark.parametrize("page", all_pages(run_of()), ids=["index", "run", "study"])
def test_pages_are_complete_and_accessible_and_load_nothing(page: str) -> None:
    read = Reader(page)
    assert read.count("h1") == 1
    assert ("html", {"lang": "en"}) in read.elements
    assert read.count("caption") == read.count("table") > 0
    cells = [attributes for tag, attributes in read.elements if tag == "th"]
    assert cells and all(attributes.get("scope") in ("row", "col") for attributes in cells)
    assert all(attributes.get("alt") for tag, attributes in read.elements if tag == "img")
    addresses = [
        value for _, attributes in read.elements for name, value in attributes.items() if name in ("src", "href")
    ]
    assert not [address for address in addresses if re.match(r"(?!data:)\w+:|//", address or "")]
    marks = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(marks) == len(set(marks))
    assert {address[1:] for address in addresses if address and address.startswith("#")} <= set(marks)


def test_the_policy_allows_the_own_script_and_no_other() -> None:
    import base64
    import hashlib

    page = index_page(Review())
    for tag in ("script", "style"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert content
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in page or f"{tag}-src 'sha256-{digest}'" in page


def test_the_same_records_give_the_same_bytes() -> None:
    assert all_pages(run_of()) == all_pages(run_of())


def test_a_run_page_says_the_verdict_first_and_shows_everything() -> None:
    page = run_page(run_of(study="svm_study0", name="svm_study0/run3", is_best=True))
    read = Reader(page)
    text = " ".join(read.text.split())
    verdict = "Test EER 3.2 % (95 %: 1.9 to 5.0 %), 12 people"
    assert verdict in text and text.index(verdict) < text.index("Every metric")
    for shown in ("Trial 3 of svm_study0, its best", "the worst 1 of 7", "spoof, accepted", "By system", "code", "Ann"):
        assert shown in text, shown
    assert (
        "audio",
        {"controls": None, "preload": "none", "src": "../../datasets/mini/fake/a%20b.wav"},
    ) in read.elements
    seen = [attributes["alt"] or "" for tag, attributes in read.elements if tag == "img"]
    assert seen[0].endswith("EER 3.2 %.") and seen[1].endswith("EER 2.0 %.")  # of the test, of the validation


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "fab TestModel --dataset='a b'"),
        ({"has_weights": False}, "weights were not kept"),
        ({"state": "did not finish"}, "fab TestModel --dataset='a b'"),
    ],
)
def test_a_run_without_a_test_names_the_next_step(changes: dict[str, object], said: str) -> None:
    page = run_page(run_of(outcome=None, next_command="fab TestModel --dataset='a b'", **changes))
    assert said in Reader(page).text


def test_the_leaderboard_goes_by_validation_and_sorts_by_exact_numbers() -> None:
    runs = [run_of("run1", validation={"eer": Estimate(0.1)}), run_of("run2", validation={"eer": Estimate(1 / 30)})]
    untested = run_of("run10", validation={"auc": Estimate(0.9)}, outcome=None)
    table = leaderboard(Review((*runs, untested, run_of("run4", validation={}))))
    assert [row[0].text for row in table.rows] == ["run2", "run1", "run10"]
    titles = [column.title for column in table.columns]
    keys = [[sort_key(row[titles.index(title)].sort) for row in table.rows] for title in ("validation EER", "test EER")]
    assert keys == [[repr(1 / 30), "0.1", ""], ["0.032", "0.032", ""]]


def test_a_study_brings_its_best_and_its_tested_trials_to_the_leaderboard() -> None:
    runs = tuple(
        run_of(f"s/run{n}", number=n, is_best=n == 1, outcome=run_of().outcome if n == 2 else None) for n in range(5)
    )
    review = Review(studies=(Study("s", "s/report.html", trials=(Trial(0, "finished"),) * 5, runs=runs),))
    assert [row[0].text for row in leaderboard(review).rows] == ["s/run1", "s/run2"]


def test_trials_keep_their_own_hyperparameters() -> None:
    trials = (
        Trial(0, "finished", 0.1, {"kernel": "rbf", "gamma": 0.5}),
        Trial(1, "failed", None, {"kernel": "linear"}),
    )
    table = trials_table(Study("s", "", trials=trials))
    assert [column.title for column in table.columns[4:]] == ["kernel", "gamma"]
    assert [cell.text for cell in table.rows[1]] == ["1", "failed", "", "", "linear", ""]
    assert table.rows[0][0].href == ""  # its folder is on another machine


def test_bars_are_at_their_numbers() -> None:
    left, right = (float(drawn(Estimate(value), 0.5).value) for value in (0.0, 0.5))
    middle = drawn(Estimate(0.25, 0.1, 0.4), 0.5)
    assert float(middle.value) == (left + right) / 2
    assert float(middle.low) == pytest.approx(left + 0.2 * (right - left), abs=0.1)
    assert float(middle.width) == pytest.approx(0.6 * (right - left), abs=0.1)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"GIF89a", "is no PNG"), (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "is truncated")],
)
def test_an_incomplete_picture_is_not_shown(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_picture("a.png", content)


def test_two_corpora_of_one_name_are_chosen_for_and_named_apart() -> None:
    first = run_of("run1", corpus="/siteA/mini", validation={"eer": Estimate(0.1)})
    second = run_of("run2", corpus="/siteB/mini", validation={"eer": Estimate(0.2)})
    third = run_of("run3", corpus="/siteA/mini", validation={"eer": Estimate(0.3)})
    assert {name: run.name for name, run in chosen_by_validation(Review((first, second, third))).items()} == {
        "/siteA/mini": "run1",
        "/siteB/mini": "run2",
    }
    assert list(chosen_by_validation(Review((first, third)))) == ["mini"]
    table = leaderboard(Review((first, second)))
    column = [column.title for column in table.columns].index("corpus")
    assert [row[column].text for row in table.rows] == ["/siteA/mini", "/siteB/mini"]


@pytest.mark.parametrize(
    "made",
    [
        {"hyperparameters": {"corpus": "mini", "backbone": "wav2vec2", "model": "random:base", "classifier": "svm"}},
        {"provenance": {"data": {"embeddings": {"downstream_train": {"random": True}}}}},
        {
            "provenance": {
                "data": {"scores": {"downstream_val": {"parts": [{"digest": "random weights (base), seed 7"}]}}}
            }
        },
    ],
)
def test_every_page_says_that_weights_are_random(made: dict[str, object]) -> None:
    """Nobody takes a result of random weights for one, wherever it is listed."""
    run = run_of("svm_study0/run3", study="svm_study0", is_best=True, **made)
    search = {"data": {"downstream_train": {"digest": "random weights (base), seed 7"}}}
    study = Study("svm_study0", "svm_study0/report.html", search, 3, 0.02, runs=(run,))
    single = run_of("run4", **made)
    layers = LayerComparison("layers0", {"model": "random:base"})
    for page in (run_page(run), run_page(single), study_page(study)):
        assert f'<p class="warning">{RANDOM_WEIGHTS}</p>' in page
    index = index_page(Review((single,), (study,), (layers,)))
    # the card or the comparison, the study's row, and the two runs' rows of the leaderboard
    assert Reader(index).text.count(RANDOM_WEIGHTS) >= 4
    plain = index_page(Review((run_of(),), (Study("svm_study0", "", runs=(run_of(),)),)))
    assert RANDOM_WEIGHTS not in plain + run_page(run_of()) + study_page(Study("svm_study0", ""))


def test_the_page_of_a_run_says_what_the_classes_stand_for() -> None:
    run = run_of()
    assert "In this corpus" not in Reader(run_page(run)).text
    assert run.outcome
    about = {**run.outcome.about, "classes": "bona fide stands for word, spoof for noise"}
    page = run_page(replace(run, outcome=replace(run.outcome, about=about)))
    assert "In this corpus bona fide stands for word, spoof for noise." in Reader(page).text
