"""The task that judges recordings from anywhere."""

from collections.abc import Iterable, Sequence
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
    from src.deploy.judge import Judge
    from src.deploy.predict import Asked, Prediction


@dataclass(frozen=True)
class PredictFlags(RunFlags):
    """The flags of Predict."""

    files: str = ""
    output: Path | None = None
    prior: float = 0.5
    picture: Path | None = None
    model: str = ""
    device: str = "auto"


@command(
    "Predict",
    files="recording, video, folder, glob such as 'clips/*.wav', or .txt list of paths; several separated by commas",
    output="file to write the answers to as well, .csv or .json (default: none)",
    prior="probability of bona fide before anybody listened, for the probability of each file (default 0.5)",
    picture="folder for a picture of each file: waveform, spectrogram, score over time (default: none)",
    model="folder of the backbone's model, where the run's embeddings are of a local one",
    classifier="classifier of the study, beside --study-number=",
    **RUN_HELP,
)
def predict(c: Connection, flags: PredictFlags) -> None:
    """Judge recordings of any length and format: score, probability, decision, and reasons to doubt it.

    A file that cannot be used is named, the others go on, and the exit code is 2.
    """
    from src.deploy.answers import check_suffix, write_answers
    from src.deploy.found_files import find_files
    from src.deploy.judge import open_judge
    from src.deploy.predict import Asked
    from src.experiments.training.trained import read_trained
    from src.tasks.detectors import found_model
    from src.utils.files import check_output

    asked = Asked(flags.prior)
    paths = find_files(flags.files)
    if flags.output:
        check_suffix(flags.output)
        check_output(flags.output, paths)
    if flags.picture and flags.picture.is_file():
        raise ValueError(f"`picture` must be a folder, and {flags.picture} is a file.")
    model = str(found_model({"model": flags.model})["model"]) or None
    trained = read_trained(ROOT, flags.name())
    judge = open_judge(trained, root=ROOT, model=model, device=flags.device)
    predictions = _all_of(judge, paths, asked, flags.picture)
    print(_table(predictions))
    print(
        f"{trained.name}: a score of {judge.threshold:.3g} or more is called bona fide, the threshold of the run's "
        f"validation. Scores are log-likelihood ratios; the probability is that of bona fide for a prior of "
        f"{flags.prior:g}."
    )
    if not trained.is_calibrated:
        print("Note: this run has no calibration, so that its scores say nothing of probabilities.")
    if flags.output:
        write_answers(flags.output, predictions, judge, asked)
        print(f"Written to {flags.output}.")
    if flags.picture:
        print(f"Pictures are in {flags.picture}.")
    failed = [prediction for prediction in predictions if prediction.error]
    if failed:
        raise Exit(f"Predict: {len(failed)} of {len(predictions)} files could not be judged.", code=BAD_INPUT)


def _all_of(judge: "Judge", paths: Sequence[Path], asked: "Asked", folder: Path | None) -> "list[Prediction]":
    """Judge files, draw them where that is asked for, and show how far that is."""
    from tqdm import tqdm

    from src.deploy.pictures import draw_prediction, pictures_of
    from src.deploy.predict import predict_files

    pictures = pictures_of(paths, folder) if folder else {}
    predictions = []
    progress = tqdm(predict_files(judge, paths, asked), total=len(paths), unit="file", disable=None)
    for prediction in progress:
        predictions.append(prediction)
        if not prediction.error and prediction.file in pictures:
            draw_prediction(judge, prediction, pictures[prediction.file])
    return predictions


def _table(predictions: "Iterable[Prediction]") -> str:
    """Return the answers as a table, a line for each file."""
    rows = [("file", "score", "probability", "decision", "far", "reasons to doubt")]
    for each in predictions:
        if each.error:
            rows.append((each.file, "", "", "error", "", each.error))
            continue
        probability = "" if each.probability is None else f"{each.probability:.1%}"
        far = "" if each.far is None else f"{each.far:.0f}"
        rows.append((each.file, f"{each.score:.3f}", probability, each.decision, far, "; ".join(each.reasons)))
    filled = [column for column in range(6) if column in (0, 1, 3) or any(row[column] for row in rows[1:])]
    widths = {column: max(len(row[column]) for row in rows) for column in filled}
    return "\n".join("  ".join(row[column].ljust(widths[column]) for column in filled).rstrip() for row in rows)
