"""The scores of a speaker verification system (ASV) that ASVspoof publishes with a corpus, for the min t-DCF.

    <corpus>/ASVspoof2019_LA_asv_scores/ASVspoof2019.LA.asv.eval.gi.trl.scores.txt      and dev, and PA
    <corpus>/keys/LA/ASV/trial_metadata.txt, keys/LA/ASV/ASVTorch_Kaldi/score.txt       2021: kinds of trials, scores

The 2019 files say of each trial what it is, `bonafide target 4.2`. Those of 2021 belong together line by line: field 6
of the first is target, nontarget or spoof, field 8 the subset, of which only `eval` counts; field 3 of the second is
the score. A t-DCF is computed in the form of its own year (`metrics/tandem.py`). There is none for DF.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from src.corpora import TEST, VALIDATION
from src.metrics.tandem import AsvScores
from src.utils.score_formats import read_asv_scores

PARTS_2019 = {VALIDATION: "dev", TEST: "eval"}
KIND, SUBSET, SCORE = 5, 7, 2
"""Which field it is, from 0, in the files of 2021."""


@dataclass(frozen=True)
class PublishedAsv:
    """Where the scores of the ASV for an official part lie."""

    year: int
    """2019 or 2021: the form of the t-DCF."""
    scores: Path
    kinds: Path | None = None
    """What each trial is, where the file of scores does not say so."""

    def read(self) -> AsvScores:
        """Read the scores.

        Raises
        ------
        ValueError
            When a file cannot be read, or the two do not belong together.
        """
        if self.kinds is None:
            return read_asv_scores(self.scores)
        trials = _fields(self.kinds, [KIND, SUBSET])
        scores = _fields(self.scores, [SCORE])[SCORE]
        if len(trials) != len(scores):
            raise ValueError(
                f"{self.scores} has {len(scores)} trials and {self.kinds} {len(trials)}: take both of one key."
            )
        kinds, is_eval = trials[KIND].to_numpy(), (trials[SUBSET] == "eval").to_numpy()
        try:
            values = scores.to_numpy(float)
            return AsvScores(*(values[is_eval & (kinds == kind)] for kind in ("target", "nontarget", "spoof")))
        except ValueError as error:
            raise ValueError(f"{self.scores}: {error}") from None


def find_asv_scores(dataset: Path, official: str) -> PublishedAsv | None:
    """Return where the scores of the ASV for an official part of a corpus lie; None where there are none.

    Parameters
    ----------
    dataset : Path
    official : str
        `train`, `validation` or `test`.
    """
    if part := PARTS_2019.get(official):
        for track in ("LA", "PA"):
            for start in ("", track):
                folder = dataset / start / f"ASVspoof2019_{track}_asv_scores"
                if (path := folder / f"ASVspoof2019.{track}.asv.{part}.gi.trl.scores.txt").is_file():
                    return PublishedAsv(2019, path)
    places = ("keys/LA/ASV", "keys/ASV", "LA-keys-full/keys/LA/ASV", "LA/ASV", "../keys/LA/ASV")
    for folder in (dataset / place for place in places) if official == TEST else ():
        scores, kinds = folder / "ASVTorch_Kaldi" / "score.txt", folder / "trial_metadata.txt"
        if scores.is_file() and kinds.is_file():
            return PublishedAsv(2021, scores, kinds)
    return None


def _fields(path: Path, wanted: list[int]) -> pd.DataFrame:
    try:
        return pd.read_csv(path, sep=r"\s+", header=None, usecols=wanted, dtype=str, na_filter=False)
    except (ValueError, UnicodeError) as error:
        raise ValueError(f"{path} cannot be read as a table ({' '.join(str(error).split())}).") from None
