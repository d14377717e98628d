"""The task that judges recordings from anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    reject: float | None = None


@command(
    "Predict",
    files="recording, video, folder, glob such as 'clips/*.wav', or .txt list of paths; several separated by commas",
    output="file to write the answers to as well, .csv or .json (default: none)",
    prior="probability of bona fide before anybody listened, for the probability of each file (default 0.5)",
    picture="folder for a picture of each file: waveform, spectrogram, score over time (default: none)",
    reject="error rate, such as 0.05, that decisions may have; what is not sure enough is uncertain (default: none is)",
    model="folder of the backbone's model, where the run's embeddings are of a local one",
    classifier="classifier of the study, beside --study-number=",
    **RUN_HELP,
)
def predict(c: Connection, flags: PredictFlags) -> None:
    """Judge recordings of any length and format: score, probability, decision, and reasons to doubt it.

    A file that cannot be used is named, the others go on, and the exit code is 2.
    """
    from src.deploy.answers import as_text, check_suffix, how_judged, write_answers
    from src.deploy.doubt import read_doubt
    from src.deploy.found_files import find_files
    from src.deploy.judge import open_judge
    from src.deploy.predict import Asked
    from src.experiments.training.trained import read_trained
    from src.tasks.detectors import found_model
    from src.utils.files import check_output

    asked = Asked(flags.prior)  # before anything is loaded
    paths = find_files(flags.files)
    if flags.output:
        check_suffix(flags.output)
        check_output(flags.output, paths)
    if flags.picture and flags.picture.is_file():
        raise ValueError(f"`picture` must be a folder, and {flags.picture} is a file.")
    model = str(found_model({"model": flags.model})["model"]) or None
    trained = read_trained(ROOT, flags.name())
    judge = open_judge(trained, root=ROOT, model=model, device=flags.device)
    doubt = read_doubt(trained, ROOT)
    rejection = doubt.rejection(flags.reject) if flags.reject is not None else None
    asked = replace(asked, doubt=doubt, rejection=rejection)
    predictions = _all_of(judge, paths, asked, flags.picture)
    print(as_text(predictions))
    print(how_judged(judge, asked))
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
    predictions: list[Prediction] = []
    progress = tqdm(predict_files(judge, paths, asked), total=len(paths), unit="file", disable=None)
    for prediction in progress:
        predictions.append(prediction)
        if not prediction.error and prediction.file in pictures:
            draw_prediction(judge, prediction, pictures[prediction.file])
    return predictions
