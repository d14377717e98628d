"""What a pretrained model is worth for telling speech from spoofs, beside its random start and beside LFCC.

Every hidden layer of every model is frozen, its frames become a mean and a deviation, and a logistic regression on
these is trained and judged: the simplest head there is, so that what differs is the model. Random weights are no empty
comparison: random convolutions are random filters, whose statistics tell many spoofs apart. What pretraining adds is
the difference to its own start; whether the model is worth having at all, the difference to LFCC.

Two EERs are told (`questions.py`): in domain, and the mean over spoof systems that the head never heard, which is the
better guide to speech from elsewhere. The layer is chosen on validation people, for each of the two by the same EER of
theirs; the table shows all layers. For systems left out, the choice has heard validation's spoofs of these systems, by
heads that were not trained on them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from src.experiments.corpus.splits import DOWNSTREAM, read_split, split_table
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.pretraining.clip_embeddings import EmbeddedClips, Models, embed_clips
from src.experiments.pretraining.probe_results import IN_DOMAIN, LEFT_OUT, Layer, Probe, conclude
from src.experiments.pretraining.questions import Question, questions_about
from src.metrics.across import Scored
from src.metrics.bootstrap import Trials
from src.metrics.eer import eer_of
from src.models.logistic_regression import LogisticRegression, LogisticRegressionConfig
from src.utils.clip_table import ClipTable
from src.utils.copies import without_copies
from src.utils.embeddings import EmbeddingTable
from src.utils.waveform_table import WaveformTable


def has_downstream_splits(dataset: Path) -> bool:
    """Tell whether a corpus has the splits that a probe needs."""
    return all(split_table(dataset, split).is_file() for split in DOWNSTREAM)


def probe(models: Models, dataset: Path, *, root: Path, seed: int = 7, device: str = "auto") -> Probe:
    """Judge models layer by layer on the downstream splits of a corpus.

    Parameters
    ----------
    models : mapping of str to Path or None
        Name -> folder of a model, None for LFCC. The last is compared with LFCC and with the first model.
    dataset : Path
    root : Path
        Holds the project's folders.
    seed : int
        Of the heads.
    device : str
        "auto", "cpu" or "cuda".

    Raises
    ------
    FileNotFoundError, ValueError
        When a split was not made or lacks a class, or a model cannot be used.
    """
    clips, part = _clips(dataset, root)
    embedded = embed_clips(models, clips, device=device)
    questions, notes = questions_about(embedded.table, part[embedded.kept])
    if embedded.left_out:
        file, why = next(iter(embedded.left_out.items()))
        notes.append(f"{len(embedded.left_out)} of {len(clips)} clips cannot be used (first: {file}: {why}).")
    return conclude([layer for name in models for layer in _judge(name, embedded, questions, seed)], notes)


def _clips(dataset: Path, root: Path) -> tuple[WaveformTable, np.ndarray]:
    """Return the clips of the downstream splits, without augmented copies, and the part that each plays."""
    opened = Waveforms().open(dataset, root)
    tables = []
    for split in DOWNSTREAM:
        as_recorded = without_copies(read_split(dataset, split))["file"].to_numpy(str)
        table = opened.read(split)
        tables.append(table.take(np.isin(table.files, as_recorded)))
    return WaveformTable.one_after_another(tables), np.repeat(np.arange(len(tables)), [len(each) for each in tables])


def _judge(name: str, embedded: EmbeddedClips, questions: Sequence[Question], seed: int) -> Iterator[Layer]:
    """Yield what the heads on every layer of a model say."""
    columns = {field.name: getattr(embedded.table, field.name) for field in fields(ClipTable)}
    for layer in range(embedded.vectors[name].shape[1]):
        table = EmbeddingTable(**columns, vectors=embedded.vectors[name][:, layer])
        judged, of_val = {}, {}
        for question in questions:
            head, train = LogisticRegression(LogisticRegressionConfig(), seed=seed), table.take(question.train)
            head.fit(train, train)
            tested = table.take(question.judge)
            trials = Trials(tested.labels, tested.speakers, None if question.left_out else tested.systems)
            judged[question.left_out] = Scored(trials, head.scores(tested.vectors))
            if len(question.choose):
                val = table.take(question.choose)
                of_val[question.left_out] = eer_of(val.labels, head.scores(val.vectors))
        across = [eer for system, eer in of_val.items() if system]
        means = {IN_DOMAIN: of_val[""], LEFT_OUT: float(np.mean(across)) if across else float("nan")}
        yield Layer(name, layer, means, judged)
