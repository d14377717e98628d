"""Nobody is in two splits, each gets its share of women and men, and old splits survive new ones that fail."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from src.experiments.corpus.splits import (
    DOWNSTREAM,
    SPLITS,
    SplitShares,
    deal_people,
    describe,
    read_split,
    split_dataset,
    split_table,
)
from src.utils.dataset import (
    FILE_COLUMNS,
    PEOPLE_COLUMNS,
    PEOPLE_TABLE,
    person_of,
    read_files,
    read_people,
    write_table,
    write_tables,
)
from src.utils.people import first_names

THREE = SplitShares(pretext=0, train=0.5, val=0.25)
Person = tuple[str, str, int, int]
"""Name, id, bona fide clips, spoofs."""

share = st.floats(0.02, 0.98)
counts_of_people = st.integers(0, 25)
seeds = st.integers(0, 2**32)


@st.composite
def shares_of_people(draw: st.DrawFn) -> SplitShares:
    """Draw shares, of which the pretext task's may be none and its training's all."""
    train = draw(share)
    val = draw(share.map(lambda part: part * (1 - train)))
    assume(val > 0 and train + val < 0.999)
    return SplitShares(draw(share | st.just(0.0)), draw(share | st.just(1.0)), train, val)


def people_table(n_women: int, n_men: int, n_without: int) -> pd.DataFrame:
    """Return a people table whose last rows, of alternating gender, have no spoofs."""
    genders = "F" * n_women + "M" * n_men + ("FM" * n_without)[:n_without]
    n_spoofed = n_women + n_men
    return pd.DataFrame(
        [[f"P{n}", gender, f"{gender}{n:03d}", 3 * (n < n_spoofed), 3, "", ""] for n, gender in enumerate(genders)],
        columns=PEOPLE_COLUMNS,
    )


def write_people(dataset: Path, people: list[Person]) -> Path:
    """Write the tables of a corpus without recordings."""
    rows = []
    for name, identity, n_genuine, n_spoofs in people:
        about = [name, identity, identity[0]]
        rows += [[f"real_voices/{name}_{identity}/{n}.wav", *about, "bona-fide", ""] for n in range(n_genuine)]
        rows += [[f"fake_voices/{name}_{identity}_Fake/{n}.wav", *about, "spoof", "tts"] for n in range(n_spoofs)]
    dataset.mkdir(parents=True, exist_ok=True)
    write_tables(dataset, pd.DataFrame(rows, columns=FILE_COLUMNS))
    return dataset


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Return a corpus of 20 people with two clips of each kind; five more have no spoofs."""
    people = [(f"P{n:02d}", f"{'FM'[n % 2]}{n:03d}", 2, 2 if n < 20 else 0) for n in range(25)]
    return write_people(tmp_path / "corpus", people)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@settings(deadline=None, max_examples=150)
@given(counts_of_people, counts_of_people, st.integers(0, 5), shares_of_people(), seeds)
def test_every_deal_is_fair(n_women: int, n_men: int, n_without: int, shares: SplitShares, seed: int) -> None:
    people = people_table(n_women, n_men, n_without)
    n_spoofed = n_women + n_men
    wanted = {split: part * n_spoofed for split, part in shares.of_people().items() if part > 1e-9}
    if n_spoofed < len(wanted):
        with pytest.raises(ValueError, match=rf"^{n_spoofed} people with spoofs cannot fill the {len(wanted)} splits"):
            deal_people(people, shares, np.random.default_rng(seed))
        return
    dealt = deal_people(people, shares, np.random.default_rng(seed))
    assert list(dealt) == list(wanted), "a split that was not asked for was made, or one that was asked for was not"
    everybody = pd.concat(dealt.values())
    assert sorted(person_of(everybody)) == sorted(person_of(people)), "somebody is missing or stands in two splits"
    for split, rows in dealt.items():
        spoofed = rows[rows["spoof_count"] > 0]
        assert len(spoofed) >= 1
        assert split == "downstream_test" or len(spoofed) == len(rows), "people without spoofs belong to the test"
        women = (spoofed["gender"] == "F").sum()
        assert abs(women - len(spoofed) * n_women / n_spoofed) < 1 + 1e-9
        if min(wanted.values()) >= 1:
            assert abs(len(spoofed) - wanted[split]) < 1 + 1e-9
    again = deal_people(people, shares, np.random.default_rng(seed))
    assert all(dealt[split].equals(again[split]) for split in dealt)


def test_the_people_of_the_published_corpus_are_assigned_as_computed_by_hand() -> None:
    dealt = deal_people(people_table(45, 46, 10), SplitShares(), np.random.default_rng(7))
    # 91 x (0.48, 0.12, 0.28, 0.08, 0.04) = 43.68, 10.92, 25.48, 7.28, 3.64; the three left over go to the largest parts
    assert [len(rows) for rows in dealt.values()] == [44, 11, 25, 7, 4 + 10]


@pytest.mark.parametrize("shares", [SplitShares(), SplitShares(0.3, 1, 0.5, 0.3), THREE])
def test_the_clips_of_a_person_stay_together(shares: SplitShares, corpus: Path) -> None:
    before = contents(corpus)
    made = split_dataset(corpus, shares, seed=7)
    places = {(person, split) for split, clips in made.items() for person in person_of(clips)}
    assert len(places) == 25
    for split, clips in made.items():
        labels = clips.groupby(person_of(clips))["label"].value_counts().unstack(fill_value=0)
        assert (labels["bona-fide"] == 2).all()
        assert labels["spoof"].isin([2] if split != "downstream_test" else [0, 2]).all()
        people = pd.read_csv(corpus / "splits" / "by_people" / f"people-{split}.csv", keep_default_na=False)
        assert set(person_of(people)) == set(person_of(clips))
        pd.testing.assert_frame_equal(read_split(corpus, split), clips.reset_index(drop=True))
    assert pd.concat(made.values())["file"].is_unique
    assert len(pd.concat(made.values())) == 25 * 2 + 20 * 2
    assert before.items() <= contents(corpus).items(), "the tables are only read"


def test_the_tables_of_a_split_join_with_those_of_the_corpus(corpus: Path) -> None:
    made = split_dataset(corpus, THREE, seed=7)
    everybody = set(read_people(corpus)["person"])
    seen = []
    for split in made:
        by_people = pd.read_csv(corpus / "splits" / "by_people" / f"people-{split}.csv")
        by_file = pd.read_csv(split_table(corpus, split))
        assert set(by_people["person"]) == set(by_file["speaker"]) <= everybody
        seen += by_people["person"].tolist()
    assert sorted(seen) == sorted(everybody)


def test_people_who_share_a_name_or_an_id_are_assigned_separately(tmp_path: Path) -> None:
    people = [(name, identity, 1, 1) for name in ("Ana", "Eva", "Ida") for identity in ("F001", "F002", "M001")]
    made = split_dataset(write_people(tmp_path, people), THREE, seed=7)
    for clips in made.values():
        assert clips.groupby("file").ngroups == 2 * person_of(clips).nunique()
    assert sum(person_of(clips).nunique() for clips in made.values()) == 9
    assert any(
        set(first_names(one)) & set(first_names(other)) and set(one["id"]) & set(other["id"])
        for one in made.values()
        for other in made.values()
        if one is not other
    ), "none of the names and ids was dealt to two splits: the test shows nothing"


def test_one_seed_gives_one_split_and_another_seed_another(corpus: Path) -> None:
    seen = []
    for seed in (7, 7, 8):
        split_dataset(corpus, THREE, seed=seed)
        seen.append(contents(corpus / "splits"))
    assert seen[0] == seen[1]
    changed = {name for name in seen[0] if seen[0][name] != seen[2][name]}
    assert {f"by_file/files-{split}.csv" for split in DOWNSTREAM} <= changed


def test_a_split_without_pretext_leaves_no_old_pretext_files(corpus: Path) -> None:
    split_dataset(corpus, SplitShares(), seed=7)
    assert {split for split in SPLITS if split_table(corpus, split).exists()} == set(SPLITS)
    split_dataset(corpus, THREE, seed=7)
    assert {split for split in SPLITS if split_table(corpus, split).exists()} == set(DOWNSTREAM)
    assert not [name for name in contents(corpus / "splits") if "pretext_" in name]
    with pytest.raises(FileNotFoundError, match=r"The split pretext_val of .* was not made .*: run fab SplitDataset"):
        read_split(corpus, "pretext_val")


def no_third_call(name: str) -> tuple[type, str, Callable[..., object]]:
    """Return what makes the third call of `Path.<name>` or `DataFrame.<name>` fail."""
    owner = pd.DataFrame if name == "to_csv" else Path
    real = getattr(owner, name)
    calls = []

    def fail(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        if len(calls) == 3:
            raise OSError("the disk went away")
        return real(*arguments, **options)

    return owner, name, fail


@pytest.mark.parametrize("name", ["to_csv", "replace", "mkdir", "chmod"])
def test_the_old_splits_outlive_new_ones_that_fail(name: str, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split_dataset(corpus, SplitShares(), seed=7)
    old = contents(corpus)
    with monkeypatch.context() as patch:
        patch.setattr(*no_third_call(name))
        with pytest.raises(OSError, match="the disk went away"):
            split_dataset(corpus, THREE, seed=8)
    assert contents(corpus) == old
    assert not list(corpus.glob(".*"))


@pytest.mark.parametrize("n_good", [0, 1])
def test_the_old_splits_outlive_a_rename_that_fails(n_good: int, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split_dataset(corpus, SplitShares(), seed=7)
    old = contents(corpus)
    rename = Path.rename
    calls = []

    def fail_once(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == n_good + 1:
            raise OSError("the disk went away")
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail_once)
        with pytest.raises(OSError, match="the disk went away"):
            split_dataset(corpus, THREE, seed=8)
    assert contents(corpus) == old
    assert not list(corpus.glob(".*"))


def test_a_kill_between_two_renames_costs_nothing(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split_dataset(corpus, SplitShares(), seed=7)
    old = contents(corpus / "splits")
    (corpus / "splits").rename(corpus / ".splits.old")
    (corpus / ".splits.part").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(*no_third_call("to_csv"))
        with pytest.raises(OSError, match="the disk went away"):
            split_dataset(corpus, THREE, seed=8)
    assert contents(corpus / "splits") == old
    split_dataset(corpus, THREE, seed=8)
    assert not list(corpus.glob(".*"))


def test_too_few_people_are_an_error_of_one_line_that_leaves_the_old_splits(tmp_path: Path) -> None:
    few = write_people(tmp_path / "few", [("A", "F001", 1, 1), ("B", "M001", 1, 1), ("C", "F002", 1, 1)])
    split_dataset(few, THREE, seed=7)
    old = contents(few)
    with pytest.raises(
        ValueError, match=r"^3 people with spoofs cannot fill the 5 splits .*; fab SplitDataset --pretext=0 asks for"
    ):
        split_dataset(few, SplitShares(), seed=7)
    assert contents(few) == old
    two = write_people(tmp_path / "two", [("A", "F001", 1, 1), ("B", "M001", 1, 1), ("C", "F002", 1, 0)])
    with pytest.raises(ValueError, match=r"^2 people with spoofs cannot fill the 3 splits asked for \(.*\)\.$"):
        split_dataset(two, THREE, seed=7)


def test_a_split_that_would_lack_a_class_is_refused(tmp_path: Path) -> None:
    dataset = write_people(tmp_path, [("A", "F001", 2, 1), ("B", "M001", 0, 1), ("C", "F002", 0, 1)])
    with pytest.raises(ValueError, match=r"^downstream_\w+ would hold no bona-fide clip: only 1 person has both "):
        split_dataset(dataset, THREE, seed=7)
    assert not (dataset / "splits").exists()


def advice(dataset: Path) -> str:
    with pytest.raises(ValueError, match="would hold no") as error:
        split_dataset(dataset, THREE, seed=7)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_another_seed_is_advised_only_where_one_can_help(tmp_path: Path) -> None:
    """Fault 20, docs/faults.md: nobody had both classes, and the advice was another seed."""
    strangers = [(f"P{n}", f"F{n:03d}", 2, 0) for n in range(8)] + [(f"T{n}", f"F9{n:02d}", 0, 2) for n in range(8)]
    nobody = advice(write_people(tmp_path / "strangers", strangers))
    assert "nobody has both" in nobody
    assert "2 of the 3 splits" in nobody, "people without spoofs give the test its genuine speech"
    assert "`seed`" not in nobody
    two = [(f"P{n}", f"F{n:03d}", 2 * (n < 2), 2) for n in range(8)]
    assert "2 people have both" in advice(write_people(tmp_path / "two", two))
    enough = [(f"P{n}", f"F{n:03d}", 2 * (n < 3), 2) for n in range(12)]
    assert "Try another `seed`" in advice(write_people(tmp_path / "enough", enough))


@pytest.mark.parametrize(("n_genuine", "n_spoofs", "label"), [(2, 0, "bona-fide"), (0, 2, "spoof")])
def test_a_corpus_of_one_class_is_refused(n_genuine: int, n_spoofs: int, label: str, tmp_path: Path) -> None:
    dataset = write_people(tmp_path, [(f"P{n}", f"F{n:03d}", n_genuine, n_spoofs) for n in range(9)])
    with pytest.raises(ValueError, match=f"holds only {label} clips; a detector needs both bona-fide and spoof"):
        split_dataset(dataset, THREE, seed=7)


def test_the_files_table_alone_says_who_is_who(corpus: Path) -> None:
    people = pd.read_csv(corpus / PEOPLE_TABLE, keep_default_na=False)
    before = split_dataset(corpus, THREE, seed=7)
    write_table(corpus / PEOPLE_TABLE, pd.concat([people, people]).drop(index=4))
    after = split_dataset(corpus, THREE, seed=7)
    assert {split: rows["file"].tolist() for split, rows in after.items()} == {
        split: rows["file"].tolist() for split, rows in before.items()
    }


def test_a_person_of_two_genders_is_refused(corpus: Path) -> None:
    files = pd.read_csv(corpus / "files-metadata.csv", keep_default_na=False)
    files.loc[0, "gender"] = "M" if files.loc[0, "gender"] == "F" else "F"
    write_table(corpus / "files-metadata.csv", files)
    with pytest.raises(ValueError, match="is listed with two genders"):
        split_dataset(corpus, THREE, seed=7)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"pretext": 1.0}, r"`pretext` must lie in \[0, 1\), not 1: "),
        ({"pretext": -0.1}, "`pretext` must lie in"),
        ({"pretext": float("nan")}, "`pretext` must lie in"),
        ({"pretext_train": 0.0}, r"`pretext_train` must lie in \(0, 1\], not 0"),
        ({"pretext_train": 1.1}, "`pretext_train` must lie in"),
        ({"train": 0.0}, "`train` and `val` must be above 0 and leave some for the test, not 0 and 0.2"),
        ({"val": 0.0}, "`train` and `val` must be above 0"),
        ({"train": 0.8, "val": 0.2}, "leave some for the test, not 0.8 and 0.2"),
        ({"train": 0.7, "val": 0.1 + 0.2 - 1e-15}, "leave some for the test"),  # what rounding leaves is nobody
        ({"train": float("nan")}, "`train` and `val` must"),
    ],
)
def test_shares_that_cannot_be_are_refused(shares: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SplitShares(**shares)


def test_a_split_that_does_not_exist_is_answered_with_those_that_do(corpus: Path) -> None:
    with pytest.raises(ValueError, match=r"Unknown split 'exam'; allowed: pretext_train, .*, downstream_test"):
        read_split(corpus, "exam")


def test_a_split_is_described_in_one_line(corpus: Path) -> None:
    made = split_dataset(corpus, THREE, seed=7)
    line = describe("downstream_train", made["downstream_train"])
    assert " ".join(line.split()) == "downstream_train 40 clips (20 bona-fide, 20 spoof) of 10 people (5 F, 5 M)"


def rows_of_unknown(n_bonafide: int, n_spoofs: int) -> list[list[str]]:
    """Return the rows of a merged corpus in which every recording counts as a person of its own."""
    labels = ["bona-fide"] * n_bonafide + ["spoof"] * n_spoofs
    return [[f"kept/{n}.wav", f"kept-{n}", f"U{n}", "U", label, "", "kept"] for n, label in enumerate(labels)]


def write_merged(dataset: Path, unknown: list[list[str]]) -> Path:
    """Write the table of a corpus of known people, merged with one of unknown speakers."""
    known = [(f"P{n:02d}", f"{'FM'[n % 2]}{n:03d}", 2, 2 if n < 20 else 0) for n in range(25)]
    files = read_files(write_people(dataset, known)).assign(corpus="lab")
    write_tables(dataset, pd.concat([files, pd.DataFrame(unknown, columns=files.columns)], ignore_index=True))
    return dataset


def test_unknown_speakers_beside_known_people_are_dealt_class_by_class(tmp_path: Path) -> None:
    merged = write_merged(tmp_path / "merged", rows_of_unknown(20, 20))
    made = split_dataset(merged, THREE, seed=7)
    kept = {split: rows[rows["corpus"] == "kept"]["label"].value_counts().to_dict() for split, rows in made.items()}
    assert kept == {
        "downstream_train": {"bona-fide": 10, "spoof": 10},
        "downstream_val": {"bona-fide": 5, "spoof": 5},
        "downstream_test": {"bona-fide": 5, "spoof": 5},
    }
    for split, rows in made.items():
        known = rows[rows["corpus"] == "lab"]
        alone = ~known["speaker"].isin(known["speaker"][known["label"] == "spoof"])
        assert not alone.any() or split == "downstream_test", "known people without spoofs belong to the test"


def test_too_few_unknown_speakers_to_deal_are_told(tmp_path: Path) -> None:
    merged = write_merged(tmp_path / "merged", rows_of_unknown(2, 8))
    with pytest.warns(UserWarning, match=r"^kept has too few people .* 3 splits \(2\): all of them stand"):
        made = split_dataset(merged, THREE, seed=7)
    assert (made["downstream_test"]["corpus"] == "kept").sum() >= 2


@pytest.mark.parametrize("unknown", [rows_of_unknown(9, 0), rows_of_unknown(0, 9)])
def test_a_merged_corpus_of_one_class_is_dealt_as_ever(unknown: list[list[str]], tmp_path: Path) -> None:
    merged = write_merged(tmp_path / "merged", unknown)
    dealt = deal_people(read_people(merged), THREE, np.random.default_rng(7))
    made = split_dataset(merged, THREE, seed=7)
    assert {split: set(rows["person"]) for split, rows in dealt.items()} == {
        split: set(person_of(rows)) for split, rows in made.items()
    }
