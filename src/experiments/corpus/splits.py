"""Five splits of a corpus, by person: nobody stands in two of them.

    pretext_train, pretext_val            for training a backbone
    downstream_train, _val, _test         for training, choosing and judging a classifier

People are dealt out so that every split has the corpus's share of women and men: each gender is shuffled, the two rows
are merged evenly into one, and the splits are cut from it one after another. A person's genuine and spoofed clips stay
together. People without spoofs go to the downstream test: there they cost nothing, elsewhere they would tell a
classifier that their voice is genuine.
"""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from src.utils.dataset import LABELS, people_of, person_of, read_file_rows, read_files, write_table
from src.utils.files import write_json

SPLITS = ("pretext_train", "pretext_val", "downstream_train", "downstream_val", "downstream_test")
DOWNSTREAM = SPLITS[2:]


@dataclass(frozen=True)
class SplitShares:
    """How the people who have spoofs are shared out."""

    pretext: float = 0.6
    """Share of the people for the pretext task; 0 = no pretext splits."""
    pretext_train: float = 0.8
    """Share of those for its training, the rest for its validation."""
    train: float = 0.7
    """Share of the remaining people for training."""
    val: float = 0.2
    """Share of the remaining people for validation; what is left is the test."""

    def __post_init__(self) -> None:
        if not 0 <= self.pretext < 1:
            raise ValueError(
                f"`pretext` must lie in [0, 1), not {self.pretext:g}: some people must stay for the classifiers."
            )
        if not 0 < self.pretext_train <= 1:
            raise ValueError(f"`pretext_train` must lie in (0, 1], not {self.pretext_train:g}.")
        if not (self.train > 0 and self.val > 0 and self.train + self.val < 1 - 1e-9):
            raise ValueError(
                f"`train` and `val` must be above 0 and leave some for the test, not {self.train:g} and {self.val:g}."
            )

    def of_people(self) -> dict[str, float]:
        """Return the share of all people with spoofs that each split is asked to hold."""
        downstream = 1 - self.pretext
        shares = (
            self.pretext * self.pretext_train,
            self.pretext * (1 - self.pretext_train),
            downstream * self.train,
            downstream * self.val,
            downstream * (1 - self.train - self.val),
        )
        return dict(zip(SPLITS, shares, strict=True))


def split_dataset(dataset: Path, shares: SplitShares, *, seed: int) -> dict[str, pd.DataFrame]:
    """Split a corpus by person and write `splits/by_people` and `splits/by_file`.

    Returns
    -------
    dict of str to pd.DataFrame
        Split -> its rows of the files table, for the splits asked for.

    Raises
    ------
    ValueError
        When there are too few people, or a split would lack one of the classes.
    """
    files = read_files(dataset)
    if files["label"].nunique() < 2:
        raise ValueError(
            f"{dataset} holds only {files['label'].iloc[0]} clips; a detector needs both {' and '.join(LABELS)}."
        )
    dealt = deal_people(people_of(files), shares, np.random.default_rng(seed))
    by_file = {split: files[person_of(files).isin(person_of(rows))] for split, rows in dealt.items()}
    for split, rows in by_file.items():
        for label in sorted(set(LABELS) - set(rows["label"])):
            raise ValueError(f"{split} would hold no {label} clip: {_why_a_class_is_missing(dataset, dealt)}")
    _write_splits(dataset, dealt, by_file, {"seed": seed, **asdict(shares)})
    return by_file


def describe(split: str, clips: pd.DataFrame) -> str:
    """Say in one line who is in a split."""
    people = clips.assign(person=person_of(clips)).groupby("gender")["person"].nunique()
    genders = ", ".join(f"{count} {gender}" for gender, count in people.items())
    labels = ", ".join(f"{count} {label}" for label, count in clips["label"].value_counts().sort_index().items())
    return f"{split:17} {len(clips):6} clips ({labels}) of {people.sum()} people ({genders})"


def deal_people(people: pd.DataFrame, shares: SplitShares, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Deal the rows of a people table out to the splits that `shares` asks for.

    Every split asked for gets somebody; its share of each gender follows the corpus.
    """
    spoofed = people[people["spoof_count"] > 0]
    asked = {split: share for split, share in shares.of_people().items() if share > 1e-9}
    counts = _whole_numbers(asked, len(spoofed))
    row = _merged_evenly(spoofed, rng)
    dealt, start = {}, 0
    for split, count in counts.items():
        dealt[split] = spoofed.loc[row[start : start + count]].sort_index()
        start += count
    without = people[people["spoof_count"] == 0]
    dealt["downstream_test"] = pd.concat([dealt["downstream_test"], without]).sort_index()
    return dealt


def read_split(dataset: Path, split: str) -> pd.DataFrame:
    """Read the clips of a split.

    Raises
    ------
    ValueError
        When there is no split of that name.
    FileNotFoundError
        When it was not made.
    """
    if split not in SPLITS:
        raise ValueError(f"Unknown split '{split}'; allowed: {', '.join(SPLITS)}.")
    path = split_table(dataset, split)
    if not path.is_file():
        raise FileNotFoundError(f"The split {split} of {dataset} was not made (no {path.name}): run fab SplitDataset.")
    return read_file_rows(path, maker="SplitDataset")


def split_table(dataset: Path, split: str) -> Path:
    """Return where the clips of a split are listed."""
    return dataset / "splits" / "by_file" / f"files-{split}.csv"


def clips_without_split(dataset: Path) -> int:
    """Return how many clips of the files table stand in no split; 0 where the corpus was not split yet."""
    return len(_unsplit(read_files(dataset), _splits_made(dataset)))


def split_notes(dataset: Path) -> list[str]:
    """Say in how far the splits are behind the files table; nothing where they agree or the corpus was not split.

    Splits are made once and stay as they are, so that results can be compared: clips that were added since are left
    aside, and systems that became known since are unknown in them.
    """
    try:
        splits = _splits_made(dataset)
    except ValueError as error:
        return [str(error)]
    if splits.empty:
        return []
    files = read_files(dataset)
    unsplit = _unsplit(files, splits)
    both = files.merge(splits, on="file", suffixes=("", "_then"))
    renamed = both["file"][both["system"] != both["system_then"]].tolist()
    again = "run fab SplitDataset again to take them in (this deals everybody out anew)"
    notes = []
    if unsplit:
        notes.append(f"{len(unsplit)} of {len(files)} clips stand in no split (first: {unsplit[0]}); {again}.")
    if renamed:
        notes.append(
            f"The systems of {len(renamed)} clips are others than when the corpus was split (first: {renamed[0]}); "
            f"{again}."
        )
    return notes


def _splits_made(dataset: Path) -> pd.DataFrame:
    """Return the clips of all splits that were made; no row when there are none."""
    made = [read_split(dataset, split) for split in SPLITS if split_table(dataset, split).is_file()]
    return pd.concat(made) if made else pd.DataFrame(columns=["file", "system"], dtype=str)


def _unsplit(files: pd.DataFrame, splits: pd.DataFrame) -> list[str]:
    return files["file"][~files["file"].isin(splits["file"])].tolist() if len(splits) else []


def _why_a_class_is_missing(dataset: Path, dealt: dict[str, pd.DataFrame]) -> str:
    """Say why a split lacks a class, and what would help: another seed does only where enough people have both."""
    people = pd.concat(dealt.values())
    n_both = int(((people["spoof_count"] > 0) & (people["bonafide_count"] > 0)).sum())
    n_needed = len(dealt) - bool((people["spoof_count"] == 0).any())
    if n_both >= n_needed:
        return "its people have none. Try another `seed` or other shares."
    who = f"{n_both} people have" if n_both > 1 else "only 1 person has" if n_both else "nobody has"
    return (
        f"{who} both bona fide and spoofed clips in {dataset}, and {n_needed} of the {len(dealt)} splits need such a "
        "person each. Spoofs belong to the person whose voice they imitate: fake_voices/Maria_F003_Fake beside "
        "real_voices/Maria_F003."
    )


def _whole_numbers(shares: dict[str, float], n_people: int) -> dict[str, int]:
    """Turn shares into numbers of people that add up to `n_people`, at least one each (largest remainders)."""
    if n_people < len(shares):
        raise ValueError(
            f"{n_people} people with spoofs cannot fill the {len(shares)} splits asked for ({', '.join(shares)})"
            + ("; fab SplitDataset --pretext=0 asks for three." if "pretext_train" in shares else ".")
        )
    wanted = {split: share * n_people for split, share in shares.items()}
    counts = {split: max(1, int(share + 1e-9)) for split, share in wanted.items()}
    while (missing := n_people - sum(counts.values())) != 0:
        step = 1 if missing > 0 else -1
        movable = counts if missing > 0 else {split: count for split, count in counts.items() if count > 1}
        nearest = max(movable, key=lambda split: step * (wanted[split] - counts[split]))
        counts[nearest] += step
    return counts


def _merged_evenly(people: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Return the rows of `people` in random order, women and men spread evenly over it."""
    places = pd.Series(0.0, index=people.index)
    for _, rows in people.groupby("gender", sort=True):
        places[rng.permutation(rows.index)] = (np.arange(len(rows)) + rng.uniform()) / len(rows)
    return places.sort_values(kind="stable").index.to_numpy()


def _write_splits(
    dataset: Path, by_people: dict[str, pd.DataFrame], by_file: dict[str, pd.DataFrame], recipe: dict[str, float]
) -> None:
    """Write all splits beside the old ones, then put them in their place; what fails or is killed costs no old ones."""
    fresh, place, old = (dataset / name for name in (".splits.part", "splits", ".splits.old"))
    _tidy(fresh, place, old)
    try:
        for split in by_file:
            write_table(fresh / "by_people" / f"people-{split}.csv", by_people[split])
            write_table(fresh / "by_file" / f"files-{split}.csv", by_file[split])
        write_json(fresh / "recipe.json", recipe)
        if place.exists():
            place.rename(old)
        fresh.rename(place)
    finally:
        _tidy(fresh, place, old)


def _tidy(fresh: Path, place: Path, old: Path) -> None:
    if old.exists() and not place.exists():
        old.rename(place)
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
