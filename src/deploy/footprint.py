"""How long a training kept which device busy, and a rough estimate of the energy and the CO2 that this took.

    energy (kWh) = power of the device (W) x hours / 1,000,    CO2 (g) = energy x 480 g/kWh

Nobody measured the power, so the estimate supposes it: the rated power of a GPU of the kind that the run noted (300 W
for one that is not in the table), 10 W for each thread where there is none. The grid is that of the whole world, 480 g
of CO2 for a kilowatt-hour in 2023 (Ember, Global Electricity Review 2024). Cooling, memory, the making of the machine
and the computing of embeddings are not counted. Hours run from start to end, pauses of a training that was resumed
included. A card that gives the number gives these suppositions as well; it is right to a factor of a few.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from src.experiments.report.files import exists, read_object
from src.experiments.runs.artefacts import PROVENANCE
from src.experiments.runs.names import RunName, trials_of
from src.visualize.pages.cells import Cell, Column, Table

GRAMS_PER_KWH = 480.0
WATTS_OF_A_THREAD = 10.0
WATTS_OF_OTHER_GPUS = 300.0
WATTS = {
    "H200": 700.0,
    "H100": 700.0,
    "A100": 400.0,
    "V100": 300.0,
    "L40": 300.0,
    "A10": 150.0,
    "L4": 72.0,
    "T4": 70.0,
    "RTX 4090": 450.0,
    "RTX 3090": 350.0,
}
"""A word of a GPU's name -> its rated power in watts, that of its largest form."""


@dataclass(frozen=True)
class Work:
    """What one training, or several together, kept busy."""

    what: str
    device: str
    hours: float | None
    """None where no start or no end was noted."""
    watts: float
    """Supposed."""

    @property
    def kwh(self) -> float | None:
        """The energy, in kilowatt-hours."""
        return None if self.hours is None else self.watts * self.hours / 1000

    @property
    def grams(self) -> float | None:
        """The CO2, in grams."""
        return None if self.kwh is None else GRAMS_PER_KWH * self.kwh


def work_of(what: str, provenance: Mapping[str, Any]) -> Work:
    """Return the work of a training from its provenance.

    >>> machine = {"processor": "AMD EPYC", "threads": 2, "gpu": ""}
    >>> times = {"started": "2026-01-01T10:00:00+00:00", "ended": "2026-01-01T15:00:00+00:00"}
    >>> work = work_of("this run", {"machine": machine, **times})
    >>> work.device, work.hours, work.kwh, work.grams
    ('AMD EPYC, 2 threads', 5.0, 0.1, 48.0)
    >>> work_of("this run", {"machine": {"gpu": "NVIDIA H100 80GB HBM3", "processes": 4}}).watts
    2800.0
    """
    machine = provenance.get("machine")
    noted: Mapping[str, Any] = machine if isinstance(machine, Mapping) else {}
    gpu, processes, threads = noted.get("gpu"), noted.get("processes", 1), noted.get("threads")
    hours = _hours(provenance.get("started"), provenance.get("ended"))
    if gpu:
        several = f"{processes} x " if processes != 1 else ""
        return Work(what, f"{several}{gpu}", hours, processes * _watts_of_gpu(str(gpu)))
    if not isinstance(threads, int):
        return Work(what, "unknown", hours, WATTS_OF_A_THREAD)
    told = f"{noted.get('processor') or 'unknown processor'}, {threads} thread{'s' if threads != 1 else ''}"
    return Work(what, told, hours, WATTS_OF_A_THREAD * threads * processes)


def works_behind(name: RunName, provenance: Mapping[str, Any], root: Path, parts: Iterable[str] = ()) -> list[Work]:
    """Return the work behind a run: its own training, the other trials of its study, the parts of a fusion.

    Parameters
    ----------
    name : RunName
    provenance : mapping
        Of the run.
    root : Path
        Holds `runs/`.
    parts : iterable of str
        The runs that it fuses.
    """
    found = [work_of("this training", provenance)]
    found += [work_of(f"the training of {part}", _provenance(RunName.parse(part), root)) for part in parts]
    if name.study is None:
        return found
    there = [trial for trial in trials_of(name.study, root) if trial != name]
    others = [work_of("", _provenance(trial, root)) for trial in there]
    known = [work for work in others if work.hours is not None]
    for device in dict.fromkeys(work.device for work in known):
        alike = [work for work in known if work.device == device]
        hours = sum(work.hours or 0 for work in alike)
        found.append(Work(f"{len(alike)} other trials of its study {name.study}", device, hours, alike[0].watts))
    return found


def total(works: Iterable[Work], what: str) -> float | None:
    """Return the sum of `hours`, `kwh` or `grams`; None where it is not known of some of the work."""
    values = [getattr(work, what) for work in works]
    return None if None in values else sum(values)


def _provenance(name: RunName, root: Path) -> dict[str, Any]:
    path = name.folder(root) / PROVENANCE
    return read_object(path, []) if exists(path) else {}


def _hours(started: object, ended: object) -> float | None:
    try:
        return (datetime.fromisoformat(str(ended)) - datetime.fromisoformat(str(started))).total_seconds() / 3600
    except (TypeError, ValueError):  # none, damaged, or one of them without a zone
        return None


def _watts_of_gpu(name: str) -> float:
    return next((watts for kind, watts in WATTS.items() if re.search(rf"\b{kind}\b", name)), WATTS_OF_OTHER_GPUS)


def works_table(works: Iterable[Work]) -> Table:
    """Return a row for each piece of work.

    >>> [cell.text for cell in works_table([Work("this training", "AMD EPYC, 2 threads", 5.0, 20.0)]).rows[0]]
    ['this training', 'AMD EPYC, 2 threads', '5', '20', '0.1', '48']
    """
    titles = ("hours", "supposed power (W)", "energy (kWh)", "CO2 (g)")
    columns = (Column("work"), Column("device"), *(Column(title, True) for title in titles))
    rows = [
        (
            Cell(work.what),
            Cell(work.device),
            *(Cell(told(value)) for value in (work.hours, work.watts, work.kwh, work.grams)),
        )
        for work in works
    ]
    return Table("Work", columns, tuple(rows))


def told(value: float | None) -> str:
    """Return a number with three digits that count; "unknown" for None.

    >>> told(1234.4), told(0.00001), told(None)
    ('1,234', 'less than 0.001', 'unknown')
    """
    if value is None:
        return "unknown"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value >= 0.001 else "less than 0.001"


def supposition() -> str:
    """Return in words what an estimate of energy and CO2 supposes."""
    return (
        "power x hours x carbon intensity. The power is the rated one of a GPU of that kind "
        f"({WATTS_OF_OTHER_GPUS:g} W where it is not known), or {WATTS_OF_A_THREAD:g} W for each thread where there "
        "was no GPU. A GPU that was there counts as if it had worked at its rated power all the time. The intensity is "
        f"{GRAMS_PER_KWH:g} g of CO2 for a kilowatt-hour, the mean of the world in 2023 (Ember, Global Electricity "
        "Review 2024), for where the machine stood is not known. Hours run from start to end, pauses included. Not "
        "counted: cooling, the making of the machine, the computing of embeddings, the pretraining of base models, and "
        "trials whose folders are gone."
    )
