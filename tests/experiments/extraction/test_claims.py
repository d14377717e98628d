"""Who may write a store at the same time: shares of one division, and nobody else."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from src.experiments.corpus.splits import DOWNSTREAM
from src.experiments.extraction.claims import claimed
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.plan import make_plan
from src.experiments.extraction.requests import Request, Share


@pytest.mark.parametrize(
    ("first", "second", "fits"),
    [
        ((), (), False),
        ((), ((0, 2),), False),
        (((0, 2),), (), False),
        (((0, 2),), ((0, 2),), False),
        (((0, 2),), ((0, 3),), False),
        (((0, 3),), ((2, 3),), True),
    ],
)
def test_starts_that_do_not_fit_together_are_refused(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: Any, second: Any, fits: bool
) -> None:
    monkeypatch.setattr("src.experiments.extraction.claims.LOOK_SECONDS", 0.05)
    plan = make_plan(Request(prepared / "datasets" / "corpus", DOWNSTREAM[1:2], "lfcc"), root=tmp_path)
    one, other = (replace(plan, request=replace(plan.request, share=Share(parts))) for parts in (first, second))
    with claimed(one):
        if fits:
            with claimed(other):
                pass
        else:
            with pytest.raises(ValueError, match=rf"^Another process is writing .*{plan.splits[0].folder}.*") as caught:
                list(extract_splits(other.request, root=tmp_path))
            assert "\n" not in str(caught.value)
    with claimed(other):
        pass
