"""Records of a run to make pages of, and a reader of what they became."""

from dataclasses import replace
from html.parser import HTMLParser

from src.visualize.pages.records import Clip, Estimate, Outcome, Picture, Run

VOID = {"meta", "link", "input", "img", "path", "circle", "rect", "br", "wbr", "!doctype"}
PICTURE = Picture("det_curve.png", b"abc", 4, 3)


class Reader(HTMLParser):
    """Collects elements, and complains of those that are not closed where they should be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text += data

    def count(self, tag: str) -> int:
        return [name for name, _ in self.elements].count(tag)


def run_of(name: str = "run3", **changes: object) -> Run:
    outcome = Outcome(
        "",
        {"corpus": "mini", "split": "downstream_test", "n_people": 12, "confidence": 0.95},
        {"eer": Estimate(0.032, 0.019, 0.05), "threshold": Estimate(0.5), "cllr": Estimate(0.2, 0.1, 0.3)},
        {"system": {"xtts": {"eer": Estimate(0.1, 0.05, 0.2)}, "unknown": {"n_spoof": Estimate(3)}}},
        (PICTURE,),
        (Clip("fake/a b.wav", "spoof", 0.9, 0.4, "Ann", "xtts", "../../datasets/mini/fake/a%20b.wav"),),
        7,
    )
    run = Run(
        name,
        f"{name}/report.html",
        "finished",
        number=3,
        hyperparameters={"corpus": "mini", "backbone": "lfcc", "classifier": "svm", "layer": 2, "pooling": "mean"},
        validation={"eer": Estimate(0.02)},
        provenance={"code": "abc", "ended": "2026-01-02T03:04:05", "data": {"people": {"train": ["Ann"]}}},
        outcome=outcome,
        pictures=(replace(PICTURE, name="loss_plot.png"),),
    )
    return replace(run, **changes)  # type: ignore[arg-type]
