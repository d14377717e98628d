"""Validation holds other systems, or corpora, than training does; nobody is in two splits still."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.experiments.corpus.dealing import SplitShares, deal_people
from src.experiments.corpus.held_out_splits import validate_on_left_out
from src.experiments.corpus.splits import read_split, split_dataset, split_notes
from src.utils.dataset import FILE_COLUMNS, people_of
from src.utils.files import read_json
from tests.experiments.domain_project import SYSTEMS, write_domain_project

SPLITS = [f"downstream_{part}" for part in ("train", "val", "test")]
SHARES = SplitShares(pretext=0, train=0.5, val=0.25)


def files_of(people: list[tuple[int, list[str]]]) -> pd.DataFrame:
    """Return a files table: for each person, so many bona fide clips and a spoof of each of the systems."""
    rows = []
    for number, (n_bonafide, systems) in enumerate(people):
        name, identity = f"P{number}_F{number:03d}", f"F{number:03d}"
        labels = [("bona-fide", "")] * n_bonafide + [("spoof", system) for system in systems]
        for clip, (label, system) in enumerate(labels):
            rows.append([f"{label}/{name}/{clip}.wav", name, identity, "F", label, system, f"corpus{number % 3}"])
    return pd.DataFrame(rows, columns=[*FILE_COLUMNS, "corpus"])


person = st.tuples(st.integers(0, 2), st.lists(st.sampled_from("abcd"), min_size=1, max_size=3))


@settings(max_examples=40, deadline=None)
@given(st.lists(person, min_size=8, max_size=20), st.sampled_from(["system", "corpus"]), st.integers(0, 5))
def test_training_and_validation_share_neither_people_nor_domains(
    people: list[tuple[int, list[str]]], by: str, seed: int
) -> None:
    files = files_of(people)
    dealt = deal_people(people_of(files), SHARES, np.random.default_rng(seed))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            by_people, by_file = validate_on_left_out(files, dealt, by, 1 / 3, seed)
    except ValueError as error:
        assert "at least two are needed" in str(error)
        return
    train, val, test = (by_file[split] for split in SPLITS)
    spoofs = [set(part[by][(part["label"] == "spoof") | (by == "corpus")]) for part in (train, val)]
    assert not spoofs[0] & spoofs[1]
    everybody = [name for split in SPLITS for name in by_people[split]["person"]]
    assert len(everybody) == len(set(everybody))
    assert set(test["file"]) == set(files["file"][files["speaker"].isin(dealt[SPLITS[2]]["person"])])
    kept = files["label"] == "bona-fide" if by == "system" else files["label"] != ""
    assert set(files["file"][kept]) <= set(pd.concat([train, val, test])["file"])


def test_a_system_is_validations_alone_and_the_choice_is_told(tmp_path: Path) -> None:
    dataset = write_domain_project(tmp_path)
    shares = SplitShares(pretext=0, train=0.5, val=0.25, hold_out="system")
    with pytest.warns(UserWarning) as told:
        split_dataset(dataset, shares, seed=7)
    said = [str(each.message) for each in told]
    assert said[0].startswith("Validation holds systems that training does not: ")
    assert said[1].startswith("Only 1 system was left out to choose by")
    train, val, test = (set(read_split(dataset, split)["system"]) - {""} for split in SPLITS)
    assert train | val == test == set(SYSTEMS)
    assert len(val) == 1
    assert not train & val
    assert read_json(dataset / "splits" / "recipe.json")["hold_out"] == "system"
    assert split_notes(dataset) == []


def test_a_voice_of_one_system_goes_where_its_system_goes() -> None:
    files = files_of([(1, ["a", "b"])] * 9 + [(0, ["c"])] * 4)
    dealt = deal_people(people_of(files), SHARES, np.random.default_rng(0))
    for seed in range(6):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, by_file = validate_on_left_out(files, dealt, "system", 1 / 3, seed)
        has_voices = [(by_file[split]["system"] == "c").sum() for split in SPLITS]
        assert sum(has_voices) == 4
        assert not all(has_voices[:2])


@pytest.mark.parametrize(
    ("columns", "hold_out", "message"),
    [
        ({"corpus": "one"}, "corpus", r"hold 1 corpus: to hold one out \(`hold_out`\), at least two are needed"),
        ({"corpus": ""}, "corpus", "does not say which corpus"),
        ({"system": ""}, "system", "The system of .* spoofs is unknown"),
    ],
)
def test_what_cannot_be_held_out_is_refused(
    columns: dict[str, str], hold_out: str, message: str, tmp_path: Path
) -> None:
    files = files_of([(1, ["a", "b"])] * 9).assign(**columns)
    dealt = deal_people(people_of(files), SHARES, np.random.default_rng(0))
    with pytest.raises(ValueError, match=message):
        validate_on_left_out(files, dealt, hold_out, 0.3, 7)


def test_an_unknown_kind_of_domain_is_refused() -> None:
    with pytest.raises(ValueError, match="`hold_out` of splits must be system or corpus, not 'speaker'"):
        SplitShares(hold_out="speaker")
