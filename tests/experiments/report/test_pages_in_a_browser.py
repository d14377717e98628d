"""The pages in a real browser, from the disk: sorting, filtering, links, narrow screens, paper, no request."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from src.experiments.report.pages import report_runs

WIDTHS = (360, 1280)


@dataclass
class Visit:
    """A page in the browser, its messages and its requests."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, path: Path) -> None:
        self.page.goto(path.as_uri())

    def column(self, title: str) -> list[str]:
        """Return the sort keys of a column of the leaderboard, from top to bottom."""
        script = """([table, title]) => {
            const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent);
            return [...table.tBodies[0].rows].map((row) => row.cells[heads.indexOf(title)].dataset.sort);
        }"""
        return list(self.page.evaluate(script, [self.page.query_selector("table.sortable"), title]))

    def head(self, title: str) -> Any:
        return self.page.locator("table.sortable").first.get_by_role("columnheader", name=title)


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    seen = Visit(context.new_page())
    seen.page.on("console", lambda message: seen.complaints.append(message.text))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    yield seen
    context.close()
    assert seen.complaints == []


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, write_run: Callable[..., Path]) -> Path:
    """Return a project with single runs, a study, a broken run, and one of the clips that were decided wrongly."""
    from matplotlib.figure import Figure

    root = tmp_path_factory.mktemp("a project (100 % möglich) #1")
    for number, eer in enumerate((0.2, 0.05, 0.1, 1 / 30)):
        write_run(root / "runs" / f"run{number}", eer=eer, tested=number > 0, layer=(9, 10, 0, 2)[number])
    model = "facebook/wav2vec2-large-xlsr-53-portuguese"
    write_run(root / "runs" / "run10", eer=0.3, tested=False, model=model, pooling="mean+std")
    (write_run(root / "runs" / "run11") / "metrics.json").write_text("{")
    for number in range(3):
        write_run(root / "runs" / "svm_study0" / f"run{number}", eer=0.15 + number / 100, tested=number == 0)
    meta = {"model": "m" * 40, "digest": "a b " * 20, "corpus_digest": "0" * 64, "split_digest": "1" * 64}
    provenance = {"command": "fab " + "x" * 200, "data": {"embeddings": {"downstream_train": meta}}}
    (root / "runs" / "run3" / "provenance.json").write_text(json.dumps(provenance))
    figure = Figure()
    figure.add_subplot().plot([1, 2])
    figure.savefig(root / "runs" / "run3" / "det_curve.png")
    name = 'quote" & <i> 50 %?#.wav'
    (root / "datasets" / "mini").mkdir(parents=True)
    soundfile.write(root / "datasets" / "mini" / name, np.zeros(8000), 16_000)
    quoted = name.replace('"', '""')
    (root / "runs" / "run3" / "scores.csv").write_text(f'file,label,score\n"{quoted}",spoof,0.9\n')
    report_runs(root)
    return root


@pytest.fixture
def index(root: Path) -> Path:
    return root / "runs" / "index.html"


def test_a_click_on_a_heading_sorts_numbers_as_numbers_and_empty_cells_last(visit: Visit, index: Path) -> None:
    visit.open(index)
    assert visit.head("validation EER").get_attribute("aria-sort") == "ascending"
    visit.head("test EER").get_by_role("button").click()
    numbers = [float(key) for key in visit.column("test EER") if key]
    assert numbers == sorted(numbers) and len(numbers) == 4
    assert visit.column("test EER")[-2:] == ["", ""]
    assert visit.head("test EER").get_attribute("aria-sort") == "ascending"
    assert visit.head("validation EER").get_attribute("aria-sort") is None
    visit.head("test EER").get_by_role("button").click()
    assert [float(key) for key in visit.column("test EER")[:4]] == numbers[::-1]
    assert visit.column("test EER")[-2:] == ["", ""]
    assert visit.head("test EER").get_attribute("aria-sort") == "descending"


def test_the_keyboard_sorts_as_well(visit: Visit, index: Path) -> None:
    visit.open(index)
    button = visit.head("layer").get_by_role("button")
    visit.head("backbone").get_by_role("button").focus()
    visit.page.keyboard.press("Tab")
    assert button.evaluate("(button) => button === document.activeElement")
    visit.page.keyboard.press("Enter")
    assert [int(float(key)) for key in visit.column("layer")] == [0, 0, 0, 2, 9, 10]
    visit.page.keyboard.press("Space")
    assert [int(float(key)) for key in visit.column("layer")] == [10, 9, 2, 0, 0, 0]
    visit.head("run").get_by_role("button").press("Enter")
    assert visit.column("run") == ["run0", "run1", "run2", "run3", "run10", "svm_study0/run0"]


def test_the_first_stop_of_the_keyboard_leads_past_the_header(visit: Visit, index: Path) -> None:
    visit.open(index)
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("document.activeElement.id") == "content"


def test_the_filter_leaves_rows_with_every_word(visit: Visit, index: Path) -> None:
    visit.open(index)
    visit.page.get_by_role("searchbox").fill("lfcc STUDY")
    rows = visit.page.locator("table.sortable").first.locator("tbody tr")
    assert [row.get_by_role("rowheader").inner_text().split()[0] for row in rows.all() if row.is_visible()] == [
        "svm_study0/run0"
    ]
    assert visit.page.locator(".filter output").inner_text() == "1 of 6"
    visit.page.emulate_media(media="print")
    assert all(row.is_visible() for row in rows.all())


def test_links_lead_to_a_run_and_back_and_nothing_else_is_asked_for(visit: Visit, index: Path) -> None:
    visit.open(index)
    visit.page.get_by_role("link", name="svm_study0/run0").click()
    assert visit.page.get_by_role("heading", level=1).inner_text() == "svm_study0/run0"
    visit.page.get_by_role("link", name="svm_study0", exact=True).click()
    visit.page.get_by_role("link", name="2", exact=True).click()
    assert visit.page.get_by_role("heading", level=1).inner_text() == "svm_study0/run2"
    visit.page.get_by_role("link", name="Runs", exact=True).click()
    assert visit.page.get_by_role("heading", level=1).inner_text() == "Runs"
    base = index.parent.as_uri()
    assert {url for url in visit.requests if not url.startswith("data:")} == {
        f"{base}/{name}"
        for name in (
            "index.html",
            "svm_study0/run0/report.html",
            "svm_study0/report.html",
            "svm_study0/run2/report.html",
        )
    }


def test_pictures_are_seen_and_a_wrong_clip_can_be_heard(visit: Visit, index: Path) -> None:
    visit.open(index.parent / "run3" / "report.html")
    assert visit.page.locator("img").evaluate_all("(all) => all.map((img) => img.naturalWidth)") == [640]
    player = visit.page.locator("audio")
    assert not [url for url in visit.requests if ".wav" in url]  # preload="none"
    player.evaluate("(audio) => { audio.muted = true; return audio.play(); }")
    assert player.evaluate("(audio) => audio.duration") == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", ["index.html", "run3/report.html", "run11/report.html", "svm_study0/report.html"])
def test_no_page_scrolls_sideways(visit: Visit, index: Path, page: str, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 740})
    visit.open(index.parent / page)
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width


def test_the_leaderboard_shows_every_column_on_a_common_screen(
    visit: Visit, tmp_path: Path, write_run: Callable[..., Path]
) -> None:
    long = {"classifier": "logistic_regression", "corpus": "speech-mini-normalized", "layer": 24, "pooling": "mean+std"}
    model = {"backbone": "wav2vec2", "model": "facebook/wav2vec2-large-xlsr-53-portuguese"}
    for name in ("run0", "logistic_regression_study12/run10"):
        write_run(tmp_path / "runs" / name, eer=0.35, **long, **model)
    report_runs(tmp_path)
    visit.page.set_viewport_size({"width": 1200, "height": 900})
    visit.open(tmp_path / "runs" / "index.html")
    board = visit.page.locator(".scroll").first
    heads = board.get_by_role("columnheader")
    assert (heads.first.inner_text(), heads.last.inner_text()) == ("run", "when")
    assert board.evaluate("(box) => box.scrollWidth - box.clientWidth") == 0
    assert heads.last.evaluate("(head) => head.getBoundingClientRect().right") <= 1200
    name = board.get_by_role("link", name="logistic_regression_study12/run10", exact=True)
    assert name.inner_text().replace("\n", "") == "logistic_regression_study12/run10"  # read and copied in one piece


@pytest.mark.parametrize("page", ["index.html", "run3/report.html", "svm_study0/report.html"])
def test_paper_holds_everything_and_no_control(visit: Visit, index: Path, page: str) -> None:
    visit.page.set_viewport_size({"width": 690, "height": 980})  # A4 without its margins
    visit.page.emulate_media(media="print", color_scheme="dark")
    visit.open(index.parent / page)
    assert not any(control.is_visible() for control in visit.page.locator("input, audio, .skip").all())
    widths = visit.page.locator("table").evaluate_all("(all) => all.map((table) => table.scrollWidth)")
    assert max(widths) <= 690, widths
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert len(visit.page.pdf(format="A4")) > 10_000


def contrast(first: str, second: str) -> float:
    """Return the contrast of two CSS colours by the formula of WCAG 2.1."""

    def luminance(color: str) -> float:
        shares = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_paper_by_day_and_by_night(visit: Visit, index: Path, scheme: str) -> None:
    visit.page.emulate_media(color_scheme=scheme)
    visit.open(index.parent / "run11" / "report.html")
    paper = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    for kind in ("h1", ".lead", ".state", ".top a", "figcaption, .muted", "thead th", ".glossary dd"):
        ink = visit.page.locator(kind).first.evaluate("(element) => getComputedStyle(element).color")
        assert contrast(ink, paper) >= 4.5, kind
