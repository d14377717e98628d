"""AUDIOS in a notebook: a few functions that are enough to look around, each imported when it is used.

    import src as audios

    audios.runs()                                         # every run, as a table
    table = audios.embeddings("datasets/release", "lfcc", "downstream_train", layer=0)
    model = audios.fit(table, audios.embeddings("datasets/release", "lfcc", "downstream_val"), "svm", C=3.0)
    audios.run("svm_study0/run3").scores(table)
    audios.compare("run0", "svm_study0")
    audios.embed("speech.wav", "lfcc")
    audios.eer(table.labels, model.scores(table.inputs))

Relative paths are taken from the folder in which the notebook runs; `root`, where it can be given, is the folder that
holds `embeddings/` and `runs/`: this project's own by default.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from src.experiments.evaluation.comparison import Comparison
    from src.experiments.training.trained import Trained
    from src.models.contract import Classifier
    from src.utils.embeddings import EmbeddingTable

__all__ = ["compare", "eer", "embed", "embeddings", "fit", "run", "runs"]


def embeddings(
    dataset: str | Path,
    backbone: str,
    split: str = "downstream_train",
    *,
    layer: int = -1,
    pooling: str = "mean",
    root: Path | None = None,
) -> "EmbeddingTable":
    """Return the embeddings of a split: one row for each clip, made sure to be of the split as it is now.

    Parameters
    ----------
    dataset : str or Path
        Folder of the corpus.
    backbone, split : str
    layer : int
        Hidden layer; -1 is the last.
    pooling : str
        "mean", "std" or "mean+std" over time.
    root : Path, optional

    Returns
    -------
    EmbeddingTable
        `vectors` of shape (n, d), `labels`, `speakers`, `genders`, `systems` and `files` of shape (n,).

    Raises
    ------
    FileNotFoundError
        When split or embeddings were not made; the line names the task.
    """
    from src.experiments.inputs.embeddings import Embeddings
    from src.utils.paths import absolute

    return Embeddings(backbone, layer, pooling).open(absolute(str(dataset)), _root(root)).read(split)


def embed(recording: "str | Path | np.ndarray", backbone: str, model: str = "") -> "np.ndarray":
    """Return the statistics over time of one recording: mean and standard deviation of every hidden layer.

    Parameters
    ----------
    recording : str, Path or np.ndarray
        A file, or a waveform of shape (n,) at 16 kHz.
    backbone : str
    model : str
        Hub id or local folder; empty = the backbone's default.

    Returns
    -------
    np.ndarray, shape (layers, 2, d)
        What the embedding store holds for such a clip.
    """
    import numpy as np

    from src.audio.io import load_waveform
    from src.backbones import load_backbone
    from src.backbones.clips import clip_statistics
    from src.utils.paths import absolute

    loaded = load_backbone(backbone, model)
    if not isinstance(recording, np.ndarray):
        recording = load_waveform(absolute(str(recording)), loaded.rate)
    return clip_statistics(loaded, recording)[0]


def fit(train: "EmbeddingTable", val: "EmbeddingTable", classifier: str, **hyperparameters: Any) -> "Classifier":
    """Fit a classifier to a table and let it choose by another; nothing is written.

    Parameters
    ----------
    train, val : EmbeddingTable
    classifier : str
        mlp, svm, rf or lr.
    **hyperparameters
        Those of the classifier, and `seed`; what is left out is built in.

    Returns
    -------
    Classifier
        Its `scores(table.inputs)` are higher for bona fide.
    """
    from src.models import classifier_class

    kind = classifier_class(classifier)
    seed = hyperparameters.pop("seed", 7)
    model = kind(kind.Config.from_mapping(hyperparameters), seed=seed)
    model.fit(train, val)
    return model


def run(name: str, root: Path | None = None) -> "Trained":
    """Read a finished run: `run("svm_study0/run3")`; `svm_study0` stands for the best trial of that study.

    Returns
    -------
    Trained
        `recipe`, `metrics` (of the validation), `threshold`, `calibration`, `model`, and `scores(table)`.
    """
    from src.experiments.runs.names import RunName
    from src.experiments.training.trained import read_trained

    return read_trained(_root(root), RunName.parse(name))


def runs(root: Path | None = None) -> "pd.DataFrame":
    """Return a row for every finished run: its inputs, its validation EER, and its test EER where it was tested."""
    from src.experiments.evaluation.results import table_of_runs

    return table_of_runs(_root(root))


def compare(*names: str, root: Path | None = None) -> "Comparison":
    """Compare tested runs by name, and say of each pair whether their difference is established."""
    from src.experiments.evaluation.comparison import compare_runs

    return compare_runs(",".join(names), root=_root(root))


def eer(labels: "np.ndarray", scores: "np.ndarray") -> float:
    """Return the equal error rate, 0 to 1, of scores (n,) that are higher for bona fide (label 1) than for spoofs (0).

    >>> eer([1, 1, 0, 0], [2.0, 1.0, 0.5, -1.0])
    0.0
    """
    from src.metrics.eer import compute_eer

    return compute_eer(labels, scores)[0]


def _root(root: Path | None) -> Path:
    from src.utils.paths import ROOT

    return ROOT if root is None else root
