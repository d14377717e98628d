"""AUDIOS in a notebook: a few functions that are enough to look around, each imported when it is used.

    import src as audios

    audios.runs()  # every run, as a table
    table = audios.embeddings("datasets/release", "lfcc", "downstream_train", layer=0)
    model = audios.fit(table, audios.embeddings("datasets/release", "lfcc", "downstream_val"), "svm", C=3.0)
    clips = audios.recordings("datasets/release", "downstream_train")  # what detectors learn from
    audios.run("svm_study0/run3").scores(table)
    print(audios.compare("run0", "svm_study0"))
    audios.embed("speech.wav", "lfcc")[0]  # mean and standard deviation of its first layer
    audios.eer(table.labels, model.scores(table.inputs))

Relative paths are taken from the folder in which the notebook runs; `root`, where it can be given, is the folder that
holds `embeddings/` and `runs/`: this project's own by default.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

for noisy in ("torchao", "torch.utils._pytree"):  # transformers imports torchao, which complains of its own parts
    logging.getLogger(noisy).setLevel(logging.ERROR)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from src.experiments.evaluation.comparison import Comparison
    from src.experiments.training.trained import Trained
    from src.models.contract import Classifier
    from src.utils.clip_table import ClipTable
    from src.utils.embeddings import EmbeddingTable
    from src.utils.waveform_table import WaveformTable

__all__ = ["compare", "eer", "embed", "embeddings", "fit", "recordings", "run", "runs"]


def embeddings(
    dataset: str | Path,
    backbone: str,
    split: str = "downstream_train",
    *,
    layer: int | str = -1,
    pooling: str = "mean",
    root: str | Path | None = None,
) -> "EmbeddingTable":
    """Return the embeddings of a split: one row for each clip, of the split as it is now.

    Parameters
    ----------
    dataset : str or Path
        Folder of the corpus.
    backbone : str
        A row of `src.backbones.BACKBONES`, such as whisper or lfcc.
    split : str
        Such as downstream_train, downstream_val or downstream_test.
    layer : int or str
        Hidden layer; -1 is the last, "mix" all of them.
    pooling : str
        "mean", "std" or "mean+std" over time.
    root : str or Path, optional
        Holds `embeddings/`; this project's own by default.

    Returns
    -------
    EmbeddingTable
        `vectors` of shape (n, d), `labels`, `speakers`, `genders`, `systems` and `files` of shape (n,).

    Raises
    ------
    FileNotFoundError
        When split or embeddings were not made; the line names the task.
    ValueError
        When a name is unknown, or the split was changed after its embeddings were made.
    """
    from src.experiments.inputs.embeddings import Embeddings
    from src.utils.paths import absolute

    return Embeddings(backbone, layer, pooling).open(absolute(str(dataset)), _root(root)).read(split)


def recordings(dataset: str | Path, split: str = "downstream_train") -> "WaveformTable":
    """Return the clips of a split and where their recordings lie: what a detector is fitted to.

    Parameters
    ----------
    dataset : str or Path
        Folder of the corpus.
    split : str
        Such as downstream_train, downstream_val or downstream_test.

    Returns
    -------
    WaveformTable
        `paths`, `labels`, `speakers`, `genders`, `systems` and `files`, each of shape (n,).

    Raises
    ------
    FileNotFoundError
        When the split was not made; the line names the task.
    """
    from src.experiments.inputs.waveforms import Waveforms
    from src.utils.paths import absolute

    return Waveforms().open(absolute(str(dataset)), _root(None)).read(split)


def embed(recording: "str | Path | np.ndarray", backbone: str, model: str | None = None) -> "np.ndarray":
    """Return the statistics over time of one recording: mean and standard deviation of every hidden layer.

    Parameters
    ----------
    recording : str, Path or np.ndarray
        A file of any rate, or a mono waveform of shape (n,) at the backbone's rate (16 kHz), within [-1, 1].
    backbone : str
        A row of `src.backbones.BACKBONES`, such as whisper or lfcc.
    model : str, optional
        Hub id or local folder; None for the backbone's default.

    Returns
    -------
    np.ndarray, shape (layers, 2, d)
        What the embedding store holds for such a clip.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the backbone is unknown, the array is no waveform, or the recording cannot be used (too short, silent).
    """
    import numpy as np

    from src.backbones import load_backbone
    from src.backbones.clips import clip_statistics, recording_statistics
    from src.utils.paths import absolute

    if not isinstance(recording, np.ndarray):
        return recording_statistics(load_backbone(backbone, model), absolute(str(recording)))[0]
    if recording.ndim != 1 or not np.issubdtype(recording.dtype, np.floating):
        raise ValueError(
            f"A waveform has the shape (n,) and real numbers within [-1, 1], "
            f"not {recording.shape} of {recording.dtype}: give one channel, as floats."
        )
    return clip_statistics(load_backbone(backbone, model), recording.astype(np.float32))[0]


def fit(train: "ClipTable", val: "ClipTable", model: str, *, seed: int = 7, **hyperparameters: Any) -> "Classifier":
    """Fit a classifier or a detector to a table and let it choose by another; nothing is kept on the disk.

    Parameters
    ----------
    train, val : EmbeddingTable or WaveformTable
        Each with clips of both classes: embeddings of one backbone, layer and pooling for a classifier, `recordings`
        for a detector.
    model : str
        A classifier (mlp, svm, rf, lr, gb or knn) or a detector, such as lcnn.
    seed : int
        From which all randomness follows.
    **hyperparameters
        Those of the model, such as `C=3.0` or `epochs=5`; those left out keep their defaults.

    Returns
    -------
    Classifier
        Its `scores(table.inputs)` are higher for bona fide. They are not calibrated: a run's are (`run(...).scores`).

    Raises
    ------
    ValueError
        When a name or a value is not allowed, or a table holds one class only; the line says what is.
    """
    from tempfile import TemporaryDirectory

    from src.experiments.inputs.contract import require_both_classes
    from src.experiments.training.models import model_class
    from src.models.contract import Resumable, Workspace
    from src.utils.waveform_table import WaveformTable

    kind = model_class(model, takes="waveforms" if isinstance(train, WaveformTable) else "embeddings")
    fitted = kind(kind.Config.from_mapping(hyperparameters), seed=seed)
    for table, name in ((train, "train"), (val, "val")):
        require_both_classes(table, f"`{name}`")
    with TemporaryDirectory() as folder:  # of checkpoints, which a detector writes while it is trained
        if isinstance(fitted, Resumable):
            fitted.workspace = Workspace(Path(folder))
        fitted.fit(train, val)
    return fitted


def run(name: str, root: str | Path | None = None) -> "Trained":
    """Read a finished run: `run("svm_study0/run3")`; `svm_study0` stands for the best trial of that study.

    Returns
    -------
    Trained
        `recipe`, `metrics` (of the validation), `threshold`, `calibration`, `model`, and `scores(table)`.

    Raises
    ------
    FileNotFoundError
        When there is no such run, or it did not finish.
    ValueError
        When that is not the name of a run, or a file of it is damaged.
    """
    from src.experiments.runs.names import RunName
    from src.experiments.training.trained import read_trained

    return read_trained(_root(root), RunName.parse(name))


def runs(root: str | Path | None = None) -> "pd.DataFrame":
    """Return a row for every finished run, the lowest validation EER first; an empty table where there is none.

    Columns run, corpus, classifier, backbone, model, layer, pooling, validation_eer, test_eer; what a run does not
    say is missing in its row, such as the test EER of one that was not tested. Rates lie in [0, 1].
    """
    from src.experiments.evaluation.results import table_of_runs

    return table_of_runs(_root(root))


def compare(*names: str, root: str | Path | None = None) -> "Comparison":
    """Compare tested runs by name; printed, the comparison says of each pair whether its difference is established.

    Raises
    ------
    FileNotFoundError
        When one is not there, or was not tested.
    ValueError
        When fewer than two runs are named, or one twice.
    """
    from src.experiments.evaluation.comparison import compare_runs

    return compare_runs(",".join(names), root=_root(root))


def eer(labels: "npt.ArrayLike", scores: "npt.ArrayLike") -> float:
    """Return the equal error rate, 0 to 1, of scores (n,) that are higher for bona fide (label 1) than for spoofs (0).

    It warns where the number should be doubted: above 50 %, or where fewer than three scores are distinct.

    >>> eer([1, 1, 0, 0], [2.0, 1.0, 0.5, -1.0])
    0.0
    """
    import warnings

    from src.metrics.eer import doubt, eer_of

    if said := doubt(labels, scores):
        warnings.warn(said, stacklevel=2)
    return eer_of(labels, scores)


def _root(root: str | Path | None) -> Path:
    from src.utils.paths import ROOT, absolute

    return ROOT if root is None else absolute(str(root))
