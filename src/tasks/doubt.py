"""Tasks that say what a run does not know: spoofs of unknown systems, corpora unlike its training data."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fabric import Connection
from invoke.exceptions import Exit

from src.tasks.command_line import command
from src.tasks.errors import BAD_INPUT
from src.tasks.run_flags import RUN_HELP, RunFlags
from src.utils.paths import ROOT

if TYPE_CHECKING:
    from src.deploy.drift import Part
    from src.deploy.tracing import Traced


@dataclass(frozen=True)
class TraceFlags(RunFlags):
    """The flags of Trace."""

    files: str = ""
    model: str = ""
    device: str = "auto"


@command(
    "Trace",
    files="recording, video, folder, glob such as 'clips/*.wav', or .txt list of paths; several separated by commas",
    model="folder of the backbone's model, where the run's embeddings are of a local one",
    classifier="classifier of the study, beside --study-number=",
    **RUN_HELP,
)
def trace(c: Connection, flags: TraceFlags) -> None:
    """Name the known systems that spoofs resemble most, or say that none is near."""
    from tqdm import tqdm

    from src.deploy.distances import read_distances
    from src.deploy.found_files import find_files
    from src.deploy.judge import open_judge
    from src.deploy.tracing import check_traceable, trace_files
    from src.experiments.training.trained import read_trained
    from src.tasks.detectors import found_model

    paths = find_files(flags.files)
    model = str(found_model({"model": flags.model})["model"]) or None
    trained = read_trained(ROOT, flags.name())
    distances = read_distances(trained, ROOT)
    check_traceable(distances, str(trained.name))
    judge = open_judge(trained, root=ROOT, model=model, device=flags.device)
    found = list(tqdm(trace_files(judge, distances, paths), total=len(paths), unit="file", disable=None))
    print(_traced_table(found))
    print(
        f"{trained.name}: shares of the nearest spoofs of its training; none is near from the 95th percentile of the "
        "distance of validation's spoofs on." + _of_sound(distances.of_sound)
    )
    failed = sum(bool(one.error) for one in found)
    if failed:
        raise Exit(f"Trace: {failed} of {len(found)} files could not be traced.", code=BAD_INPUT)


@dataclass(frozen=True)
class DriftFlags(RunFlags):
    """The flags of Drift."""

    dataset: Path | None = None


@command(
    "Drift",
    dataset="folder of the incoming corpus, with tables (fab GenerateDatasetCSV)",
    classifier="classifier of the study, beside --study-number=",
    **RUN_HELP,
)
def drift(c: Connection, flags: DriftFlags) -> None:
    """Say how far a whole corpus lies from the training corpus of a run, by class and spoof system."""
    from src.deploy.distances import read_distances
    from src.deploy.drift import measure_drift
    from src.experiments.training.trained import read_trained

    if flags.dataset is None:
        raise ValueError("Which corpus? Give its folder by `dataset=datasets/incoming`.")
    trained = read_trained(ROOT, flags.name())
    found = measure_drift(trained, flags.dataset, root=ROOT)
    print(_drift_table(found.parts))
    print(
        "Beyond: share of clips beyond the 95th percentile of validation's distances from the training data (interval: "
        "95 %, over people). Gap: energy distance from validation's clips of the class; usual: between two parts of "
        "these, 95 % of the time." + _of_sound(read_distances(trained, ROOT).of_sound)
    )
    print(found.verdict)


def _of_sound(is_so: bool) -> str:
    return " Compared is the sound (LFCC statistics): this run has no vectors of its own." if is_so else ""


def _traced_table(found: "Iterable[Traced]") -> str:
    rows = [("file", "score", "decision", "nearest known systems")]
    for one in found:
        score = "" if one.score is None else f"{one.score:.3f}"
        rows.append((one.file, score, one.decision or "error", one.answer))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _drift_table(parts: "Iterable[Part]") -> str:
    import pandas as pd

    from src.metrics.table import written, written_bounds

    rows = []
    for part in parts:
        low, high = part.beyond["low"], part.beyond["high"]
        bounds = "" if low is None or high is None else written_bounds(low, high, "rate")
        gap = part.gap and (f"{part.gap.value:.3f}", f"{part.gap.usual:.3f}", f"{part.gap.p:.3f}")
        counts = (part.name, str(part.n_clips), str(part.n_people))
        rows.append((*counts, written(part.beyond["value"], "rate"), bounds, *(gap or ("", "", ""))))
    titles = ["clips of", "clips", "people", "beyond", "95 %", "gap", "usual", "p"]
    return pd.DataFrame(rows, columns=titles).to_string(index=False)
