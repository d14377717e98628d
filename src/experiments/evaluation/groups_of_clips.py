"""Properties of clips compared between the classes, the genders and the spoof systems, people resampled.

Each property is compared in these groups: bona fide clips with spoofs, clips of women with those of men, and the spoofs
of each system with the bona fide clips. The p-values that answer one question (cues by label, features by system, ...)
are corrected for their number together (Holm).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from src.metrics.people_tests import Difference, difference, holm
from src.metrics.verdict import as_metric
from src.utils.clip_table import ClipTable
from src.utils.files import finite_or_none
from src.utils.labels import BONAFIDE


@dataclass(frozen=True)
class Comparison:
    """A property in two groups of clips."""

    kind: str
    """"cue" or "feature"."""
    name: str
    by: str
    """label, gender or system."""
    first: str
    second: str
    found: Difference

    def as_json(self, corrected: float) -> dict[str, Any]:
        """Return it as `explanation.json` holds it; `corrected` is the p-value after Holm's correction."""
        return {
            "kind": self.kind,
            "name": self.name,
            "by": self.by,
            "first": self.first,
            "second": self.second,
            "auc": as_metric(self.found.auc, self.found.bounds),
            "p": finite_or_none(self.found.p),
            "p_corrected": finite_or_none(corrected),
            "p_smallest": finite_or_none(self.found.p_smallest),
            "paired": self.found.paired,
        }


def compare_groups(table: ClipTable, properties: Mapping[str, Mapping[str, np.ndarray]]) -> list[dict[str, Any]]:
    """Compare every property in every pair of groups.

    Parameters
    ----------
    table : ClipTable
    properties : mapping
        Kind ("cue" or "feature") -> name -> values, shape (n,). Clips without a value (NaN) are left out.
    """
    comparisons = [
        comparison
        for kind, columns in properties.items()
        for name, values in columns.items()
        for comparison in _comparisons(table, kind, name, values)
    ]
    found = []
    for question in dict.fromkeys((comparison.kind, comparison.by) for comparison in comparisons):
        mine = [comparison for comparison in comparisons if (comparison.kind, comparison.by) == question]
        corrected = holm([comparison.found.p for comparison in mine])
        found += [comparison.as_json(p) for comparison, p in zip(mine, corrected, strict=True)]
    return found


def groups_for_pictures(table: ClipTable) -> dict[str, np.ndarray]:
    """Return the groups that pictures show side by side, name -> mask of shape (n,): class, gender, system."""
    bonafide = table.labels == BONAFIDE
    groups = {"bona fide": bonafide, "spoof": ~bonafide}
    for gender in np.unique(table.genders):
        groups |= {f"bona fide, {gender}": bonafide & (table.genders == gender)}
        groups |= {f"spoof, {gender}": ~bonafide & (table.genders == gender)}
    groups |= dict(_systems(table))
    return {name: mask for name, mask in groups.items() if mask.any()}


def _comparisons(table: ClipTable, kind: str, name: str, values: np.ndarray) -> Iterator[Comparison]:
    known = np.isfinite(values)
    for by, (first, of_first), (second, of_second) in _pairs(table):
        one, other = of_first & known, of_second & known
        both = one | other
        if one.any() and other.any() and np.ptp(values[both]) > 0:
            found = difference(values[both], one[both], table.speakers[both])
            yield Comparison(kind, name, by, first, second, found)


Named = tuple[str, np.ndarray]


def _pairs(table: ClipTable) -> Iterator[tuple[str, Named, Named]]:
    bonafide = table.labels == BONAFIDE
    yield "label", ("spoof", ~bonafide), ("bona fide", bonafide)
    yield "gender", ("F", table.genders == "F"), ("M", table.genders == "M")
    for name, mask in _systems(table):
        yield "system", (name, mask), ("bona fide", bonafide)


def _systems(table: ClipTable) -> Iterator[Named]:
    spoof = table.labels != BONAFIDE
    for system in np.unique(table.systems[spoof]):
        if system:
            yield str(system), spoof & (table.systems == system)
