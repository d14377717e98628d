"""Which cheap cues reveal the class of a clip: each by itself, over all spoofs and over those of each system.

A cue that separates the classes gets a warning with its EER, because a detector trained on such a corpus may learn
nothing else. A cue that reveals the spoofs of one system can be hidden among those of the others, so each system is
also judged alone, against all bona fide clips. What all cues achieve together is the cue baseline (`cue_baseline.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from src.audio.cues import CATEGORY, CUES
from src.metrics.eer import eer_of
from src.utils.labels import LABEL_NAMES, SPOOF, parse_label

TELLING_EER = 0.40
"""A cue gets a warning when its EER is below this and its p-value is below `CHANCE`."""
CHANCE = 1e-3
CATEGORIES = ("sample rate", CATEGORY)
"""Cues of a few values, which have no order of their own."""
REMOVED = "fab NormalizeDataset --remove-shortcuts evens it out as far as it can be"
EVENED = "this corpus was evened out as far as it can be; other clips are needed"
ADVICE = {
    "duration": "cut or choose clips of similar length",
    "sample rate": "fab NormalizeDataset writes all clips at one rate, though differences in bandwidth remain",
    "file format": "fab NormalizeDataset writes all clips in one format, though traces of a lossy one remain",
    "peak level": "fab NormalizeDataset --method=peak equalises it",
    "RMS level": "fab NormalizeDataset --method=rms equalises it",
    "leading silence": "fab NormalizeDataset --trim removes it",
    "trailing silence": "fab NormalizeDataset --trim removes it",
    "bandwidth": REMOVED,
    "noise floor": REMOVED,
    "DC offset": "fab NormalizeDataset removes it",
    "codec traces": REMOVED,
}


@dataclass(frozen=True)
class Cue:
    """A property of the clips that is not speech, and how well it separates the classes."""

    name: str
    eer: float
    """EER of a detector that uses this property alone, in the better of both directions."""
    telling: bool
    """Whether it gets a warning."""
    system: str = ""
    """The system whose spoofs were compared; empty = all systems."""
    is_evened: bool = False
    """Whether the corpus came out of `remove_shortcuts`."""

    @property
    def warning(self) -> str:
        """The warning to show to the user, one sentence."""
        advice = EVENED if self.is_evened and self.name != "duration" else ADVICE[self.name]
        whom = f"the spoofs of {self.system} from bona fide speech" if self.system else "the classes apart"
        return f"{self.name} alone tells {whom} with an EER of {self.eer:.1%}: {advice}."


def find_cues(clips: pd.DataFrame, *, chance: float = CHANCE) -> list[Cue]:
    """Measure how well each property of the clips separates the classes by itself.

    Parameters
    ----------
    clips : pd.DataFrame
        Columns label and those of `CUES`.
    chance : float
        Largest p-value (Mann-Whitney U test) at which a property can get a warning.
    """
    labels = np.array([parse_label(label) for label in clips["label"]])
    if len(set(labels)) < 2:
        return []
    return [
        _judge(name, labels, _share_of_bonafide(clips[name], labels), chance=chance, even_if_few=True)
        if name in CATEGORIES
        else _judge(name, labels, clips[name].to_numpy(float), chance=chance)
        for name in CUES
    ]


def find_cues_of_systems(clips: pd.DataFrame) -> dict[str, list[Cue]]:
    """Measure the same for each system's spoofs against all bona fide clips, system -> its cues.

    The p-value allowed is divided by the number of systems (Bonferroni correction).
    """
    is_spoof = clips["label"] == LABEL_NAMES[SPOOF]
    systems = known_systems(clips)
    found = {}
    for system in systems:
        cues = find_cues(clips[~is_spoof | (clips["system"] == system)], chance=CHANCE / len(systems))
        found[system] = [replace(cue, system=system) for cue in cues]
    return found


def only_of_systems(cues: list[Cue], of_systems: Mapping[str, list[Cue]]) -> list[Cue]:
    """Return the cues that get a warning for one system's spoofs, but not for all spoofs."""
    known = {cue.name for cue in cues if cue.telling}
    return [cue for found in of_systems.values() for cue in found if cue.telling and cue.name not in known]


def known_systems(clips: pd.DataFrame) -> list[str]:
    """Return the systems that made the spoofs, sorted; without the unknown."""
    is_spoof = clips["label"] == LABEL_NAMES[SPOOF]
    return sorted(set(clips.loc[is_spoof, "system"]) - {""}) if "system" in clips else []


def table_of_rates(cues: list[Cue], of_systems: Mapping[str, list[Cue]], together: Mapping[str, float]) -> pd.DataFrame:
    """Return the EERs in percent: a row for each cue and, last, for all together; a column for all and each system.

    Parameters
    ----------
    cues : list of Cue
        Of all spoofs.
    of_systems : mapping
        System -> its cues, in the same order.
    together : mapping
        EER of the cue baseline: "" = of all spoofs, and system by system; empty where there is none.
    """
    columns = {"": cues, **of_systems}
    rows = [[cue.name, *(_percent(found[number].eer) for found in columns.values())] for number, cue in enumerate(cues)]
    if together:
        rows.append(["all together", *(_percent(together.get(name)) for name in columns)])
    return pd.DataFrame(rows, columns=["EER in % of", *(name or "all" for name in columns)])


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{100 * rate:.1f}"


def _judge(name: str, labels: np.ndarray, values: np.ndarray, *, chance: float, even_if_few: bool = False) -> Cue:
    if np.ptp(values) == 0:
        return Cue(name, 0.5, False)
    eer = min(eer_of(labels, break_ties(values)), eer_of(labels, break_ties(-values)))
    by_chance = mannwhitneyu(values[labels == 1], values[labels == 0]).pvalue
    sure = by_chance < chance or (even_if_few and eer == 0 and np.bincount(labels).min() >= 5)
    return Cue(name, eer, bool(eer < TELLING_EER and sure))


def break_ties(values: np.ndarray) -> np.ndarray:
    """Return the ranks of values (n,), equal ones in a random order that is always the same: their EER is chance."""
    order = np.random.default_rng(0).permutation(len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.argsort(np.argsort(values[order], kind="stable"), kind="stable")
    return ranks


def _share_of_bonafide(values: pd.Series, labels: np.ndarray) -> np.ndarray:
    """Score a category by the share of bona fide clips in it: no rule on the category alone does better."""
    return pd.Series(labels).groupby(values.to_numpy()).transform("mean").to_numpy(float)
