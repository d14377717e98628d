"""Whatever is left out, nobody is in two parts of a fold, nothing left out is heard, and every clip counts once."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.experiments.evaluation.folds import Fold, make_folds
from src.utils.clip_table import ClipTable

SYSTEMS = ("alpha", "beta", "gamma", "delta")


@st.composite
def corpora(draw: st.DrawFn) -> ClipTable:
    """Draw people with bona fide clips and spoofs of some systems, and voices with nothing but spoofs."""
    rows = []
    for number in range(draw(st.integers(12, 30))):
        is_voice = number > 9 and draw(st.booleans())
        systems = draw(st.lists(st.sampled_from(SYSTEMS), min_size=1, max_size=3))
        clips = [*([] if is_voice else [""] * draw(st.integers(1, 3))), *systems]
        rows += [(f"P{number}", "FM"[number % 2], system) for system in clips]
    rows += [(f"P{number}", "F", system) for number in range(8) for system in SYSTEMS]  # enough of everything
    people, genders, systems = (np.array(column) for column in zip(*rows, strict=True))
    files = np.array([f"{number}.wav" for number in range(len(rows))])
    return ClipTable((systems == "").astype(int), genders, people, systems, files)


def domains(table: ClipTable, by: str) -> np.ndarray | None:
    of_person = np.array([f"corpus{int(person[1:]) % 3}" for person in table.speakers])
    return {"person": None, "system": table.systems, "corpus": of_person}[by]


def folds_of(table: ClipTable, by: str, n_folds: int, seed: int = 7) -> list[Fold]:
    return make_folds(table, domains(table, by), by=by, n_folds=n_folds, seed=seed)


@settings(max_examples=30, deadline=None)
@given(corpora(), st.sampled_from(["person", "system", "corpus"]), st.integers(3, 5), st.integers(0, 9))
def test_nobody_is_on_two_sides_and_every_clip_counts_once(table: ClipTable, by: str, n_folds: int, seed: int) -> None:
    try:
        folds = folds_of(table, by, n_folds, seed)
    except ValueError as error:  # a share without bona fide people, say
        assert re.search("would hold no", str(error))
        return
    left_out = domains(table, by)
    for fold in folds:
        parts = [set(table.speakers[rows]) for rows in (fold.train, fold.val, fold.test)]
        assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
        assert set(fold.counted) <= set(fold.test)
        if left_out is not None:
            assert fold.left_out not in {*left_out[fold.train], *left_out[fold.val]}
            spoofs = fold.test[table.labels[fold.test] == 0]
            assert set(left_out[spoofs]) <= {fold.left_out}
    counted = np.concatenate([fold.counted for fold in folds])
    assert sorted(counted.tolist()) == list(range(len(table)))


def balanced(people: int) -> ClipTable:
    """Return people of alternating gender with a bona fide clip and a spoof of either of two systems each."""
    number = np.repeat(np.arange(people), 2)
    names, genders = np.char.add("P", number.astype(str)), np.array(["F", "M"])[number % 2]
    systems = np.where(np.tile([True, False], people), "", np.array(["alpha", "beta"])[number // 2 % 2])
    return ClipTable((systems == "").astype(int), genders, names, systems, np.arange(2 * people).astype(str))


def test_folds_have_the_same_share_of_each_gender_and_system() -> None:
    table = balanced(40)
    for fold in folds_of(table, "person", 5):
        assert len(set(table.speakers[fold.test])) == 8
        assert (table.genders[fold.test] == "F").mean() == 0.5
        assert (table.systems[fold.test] == "alpha").sum() == 4


def test_the_seed_deals_the_people() -> None:
    table = balanced(20)
    first, again, other = (folds_of(table, "person", 4, seed)[0].test.tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_every_bona_fide_clip_is_heard_by_the_runs_of_every_system() -> None:
    table = balanced(20)
    folds = folds_of(table, "system", 4)
    for system in ("alpha", "beta"):
        tested = np.concatenate([fold.test for fold in folds if fold.left_out == system])
        assert sorted(table.files[tested]) == sorted(table.files[(table.labels == 1) | (table.systems == system)])


@pytest.mark.parametrize(
    ("by", "n_folds", "message"),
    [
        ("gender", 5, "`by` must be person, system or corpus, not 'gender'"),
        ("person", 2, "`folds` must be 3 or more, not 2"),
        ("person", 9, "8 people cannot fill 9 folds"),
    ],
)
def test_what_cannot_be_divided_is_refused(by: str, n_folds: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_folds(balanced(8), None, by=by, n_folds=n_folds, seed=7)


def test_a_fold_without_a_class_is_refused() -> None:
    table = balanced(12)
    only_alpha = np.where(table.labels == 0, "alpha", "")
    with pytest.raises(ValueError, match="The training of fold 0, without alpha, would hold no spoofed clip"):
        make_folds(table, only_alpha, by="system", n_folds=3, seed=7)


def test_somebody_of_two_corpora_is_refused() -> None:
    table = balanced(12)
    corpora = np.where(np.arange(len(table)) % 2, "one", "other")
    with pytest.raises(ValueError, match="P0 is in several corpora"):
        make_folds(table, corpora, by="corpus", n_folds=3, seed=7)
