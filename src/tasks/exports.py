"""The task that writes a run as one file for other programs."""

from dataclasses import dataclass
from pathlib import Path

from fabric import Connection

from src.deploy.exporting import FORMATS, PRECISIONS
from src.tasks.command_line import command
from src.tasks.run_flags import RUN_HELP, RunFlags
from src.tasks.words import listed
from src.utils.paths import ROOT, absolute


@dataclass(frozen=True)
class ExportFlags(RunFlags):
    """The flags of ExportModel."""

    format: str = "onnx"
    precision: str = "fp32"
    output: Path | None = None
    model: str = ""
    dataset: Path | None = None


@command(
    "ExportModel",
    format=f"{listed(FORMATS)} (default onnx)",
    precision=f"{listed(PRECISIONS)} (onnx alone: matrix products with weights of eight bits); default fp32",
    output="file to write (default: export/model.onnx and so on in the run's folder)",
    model="folder of the backbone's model, where the run's was a local one (default: the run's own)",
    dataset="folder of the run's corpus, for the EER of int8 (default: where the run noted it)",
    classifier="classifier of the study, beside --study-number=",
    **RUN_HELP,
)
def export_model(c: Connection, flags: ExportFlags) -> None:
    """Write a run as one file from waveform to calibrated score, checked against the run by its own runtime."""
    from src.deploy.exporting.export import Wish, export_run
    from src.experiments.training.trained import read_trained

    model = flags.model or None
    if model and absolute(model).is_dir():
        model = str(absolute(model))
    wish = Wish(flags.format, flags.precision, flags.output, model)
    print(export_run(read_trained(ROOT, flags.name(), flags.dataset), wish, ROOT))
