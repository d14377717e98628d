"""What decides: which parts of its input a run needs, and how the clips differ in them and in cheap cues.

A classifier's input is taken apart into groups of numbers (`feature_groups.py`). The numbers of one group are dealt to
the test clips anew, several times, and the rise of EER and Cllr is told (permutation importance: Breiman, "Random
forests", 2001; by groups: Gregorutti et al. 2015). A detector hears waveforms, so a band of frequencies is taken out of
the test clips instead. Either tells what the run leans on, not what would be there to learn: where two groups say the
same, each alone can be missed without loss.

The strongest features are those whose values separate the classes best on validation clips; on the test clips they are
drawn and tested beside the cheap cues of `src/audio/cues.py`. Intervals and tests resample people.

Everything lies in the run's folder: `explanation.json`, written last, and pictures.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from src.experiments.evaluation.feature_groups import groups_of, names_of_features
from src.experiments.evaluation.groups_of_clips import compare_groups, groups_for_pictures
from src.experiments.evaluation.held_out import USUAL, HeldOutClips, read_held_out
from src.experiments.inputs.contract import VAL
from src.experiments.runs.artefacts import save_figure
from src.experiments.runs.names import RunName
from src.experiments.runs.provenance import now
from src.experiments.training.trained import Trained, read_trained
from src.metrics.bootstrap import CONFIDENCE, N_RESAMPLINGS, Trials
from src.metrics.importance import Rises
from src.metrics.roc import compute_auc
from src.metrics.verdict import Metric
from src.utils.clip_table import ClipTable
from src.utils.files import write_json
from src.utils.waveform_table import WaveformTable

EXPLANATION = "explanation.json"
IMPORTANCE_PICTURE, CUES_PICTURE, FEATURES_PICTURE = "importance.png", "cues.png", "features.png"
N_STRONGEST = 4
BAND = 1000
"""Hertz that are taken out of waveforms at a time."""

Taken = tuple[str, str, list[np.ndarray]]
"""Kind and name of a group, and the scores (n,) without it, of each repetition."""


@dataclass(frozen=True)
class Explanation:
    """What was found, and where it lies."""

    folder: Path
    groups: list[dict[str, Any]]
    """Kind, name, and the rises of EER and Cllr, each kind in its own order."""
    comparisons: list[dict[str, Any]]
    n_people: int
    """Of the test."""

    def __str__(self) -> str:
        parts = [group for group in self.groups if group["kind"] != "everything"]
        strongest = sorted(parts, key=lambda group: group["cllr"]["value"], reverse=True)[:5]
        lines = [f"{'without':32} EER rises by          Cllr rises by"]
        for group in strongest:
            name = f"{group['kind']} {group['name']}"
            lines.append(f"{name:32} {_points(group['eer']):20}  {group['cllr']['value']:+.3f} bits")
        return "\n".join([*lines, self._cues()])

    def _cues(self) -> str:
        """Say in which cheap cues the classes differ, if the test can tell."""
        cues = [each for each in self.comparisons if (each["by"], each["kind"]) == ("label", "cue")]
        tested = [each["p_smallest"] for each in cues if each["p_smallest"] is not None]
        cannot = "Whether the classes differ in cheap cues{} cannot be told: {}."
        if not cues:
            return cannot.format("", "no cue of the test's recordings could be measured")
        if not tested or len(tested) * min(tested) >= 1 - CONFIDENCE:
            return cannot.format(
                " beyond chance", f"the test has too few people ({self.n_people}) for {len(cues)} cues"
            )
        names = ", ".join(each["name"] for each in cues if _is_established(each))
        return f"Cheap cues in which the classes differ, beyond chance: {names or 'none'}."


def explain_run(name: RunName, *, root: Path, repetitions: int = 5, seed: int = 7) -> Explanation:
    """Find out what decides on the test split of a run's own corpus.

    Parameters
    ----------
    name : RunName
        A study alone stands for its best trial.
    root : Path
        Holds `runs/`, and `embeddings/` for classifiers.
    repetitions : int
        How often each group is dealt anew.
    seed : int
        Of the dealing.

    Raises
    ------
    ValueError
        When `repetitions` is below 1, or the clips cannot test the run, as for `evaluate_run`.
    """
    if repetitions < 1:
        raise ValueError(f"`repetitions` must be 1 or more, not {repetitions}.")
    trained = read_trained(root, name)
    clips = read_held_out(trained, USUAL, root)
    table = clips.table
    trials = Trials(table.labels, table.speakers, table.systems)
    rises = Rises(trials, trained.scores(table))
    taken = (
        without_bands(trained, table.paths)
        if isinstance(table, WaveformTable)
        else _dealt(trained, clips, repetitions, seed)
    )
    groups = [{"kind": kind, "name": group, **rises.of(scores)} for kind, group, scores in taken]
    properties = {"cue": _cues(clips), "feature": _strongest_features(trained, clips, root)}
    comparisons = compare_groups(table, properties)
    _draw(trained.folder, groups, rises.before(), properties, table)
    about = {
        "corpus": clips.dataset.name,
        "split": USUAL.split,
        "split_digest": clips.origin.get("split_digest"),
        "n_people": trials.n_people,
        "n_clips": len(table),
        "how": "band taken out" if isinstance(table, WaveformTable) else "dealt anew",
        "repetitions": 1 if isinstance(table, WaveformTable) else repetitions,
        "resamplings": N_RESAMPLINGS,
        "confidence": CONFIDENCE,
        "explained": now(),
    }
    record = {"about": about, "before": rises.before(), "groups": groups, "comparisons": comparisons}
    write_json(trained.folder / EXPLANATION, record)
    return Explanation(trained.folder, groups, comparisons, trials.n_people)


def _dealt(trained: Trained, clips: HeldOutClips, repetitions: int, seed: int) -> Iterator[Taken]:
    """Yield each group of a classifier's input, and the scores when it is dealt anew."""
    inputs = np.asarray(clips.table.inputs)
    orders = [np.random.default_rng((seed, number)).permutation(len(inputs)) for number in range(repetitions)]
    for group in groups_of(trained.recipe.input, clips.origin, inputs.shape[-1]):
        scores = [_scores(trained, group.exchange(inputs, inputs[order])) for order in orders]
        yield group.kind, group.name, scores


def without_bands(trained: Trained, recordings: np.ndarray) -> Iterator[Taken]:
    """Yield each band of frequencies, and the scores that a detector gives recordings (n,) without it."""
    from src.audio.bands import without_band
    from src.audio.io import SPEECH_RATE, load_waveform, save_waveform

    for low in range(0, SPEECH_RATE // 2, BAND):
        with TemporaryDirectory(prefix="audios-bands-") as folder:
            paths = [Path(folder) / f"{number}.flac" for number in range(len(recordings))]
            for source, path in zip(recordings, paths, strict=True):
                save_waveform(path, without_band(load_waveform(Path(source)), SPEECH_RATE, low, low + BAND))
            scores = _scores(trained, np.array([str(path) for path in paths]))
        yield "frequency band", f"{low / 1000:g}-{(low + BAND) / 1000:g} kHz", [scores]


def _scores(trained: Trained, inputs: np.ndarray) -> np.ndarray:
    return trained.calibration.apply(trained.model.scores(inputs))


def _cues(clips: HeldOutClips) -> dict[str, np.ndarray]:
    """Return the cheap cues that are numbers, shape (n,) each; those that are equal everywhere tell nothing."""
    from src.audio.cues import CATEGORY, CUES
    from src.experiments.corpus.cue_table import read_cues

    try:
        table = read_cues(clips.dataset, clips.table.files.tolist(), jobs=1)
    except FileNotFoundError:  # embeddings can be judged where their recordings are not
        return {}
    columns = {cue: table[cue].to_numpy(float) for cue in CUES if cue != CATEGORY}
    return {
        cue: values
        for cue, values in columns.items()
        if np.isfinite(values).any() and np.ptp(values[np.isfinite(values)])
    }


def _strongest_features(trained: Trained, clips: HeldOutClips, root: Path) -> dict[str, np.ndarray]:
    """Return the test clips' values of the features that separate the classes of the validation clips best."""
    if isinstance(clips.table, WaveformTable):
        return {}
    inputs = np.asarray(clips.table.inputs)
    names = names_of_features(trained.recipe.input, clips.origin, inputs.shape[-1])
    if not names:
        return {}
    val = trained.open(clips.dataset, root).read(VAL)
    chosen = _separations(val)
    order = np.argsort(-chosen, kind="stable")[:N_STRONGEST]
    return {names[column]: inputs[:, column].astype(float) for column in order}


def _separations(table: ClipTable) -> np.ndarray:
    """Return how far each feature's area under the curve lies from 0.5, shape (d,)."""
    values = np.asarray(table.inputs, dtype=np.float64)
    return np.array([abs(compute_auc(table.labels, column) - 0.5) for column in values.T])


def _draw(
    folder: Path,
    groups: list[dict[str, Any]],
    before: Mapping[str, Metric],
    properties: Mapping[str, Mapping[str, np.ndarray]],
    table: ClipTable,
) -> None:
    from src.visualize.importance import importance_figure
    from src.visualize.violins import violins_figure

    save_figure(folder / IMPORTANCE_PICTURE, importance_figure(groups, before))
    masks = groups_for_pictures(table)
    for kind, picture in (("cue", CUES_PICTURE), ("feature", FEATURES_PICTURE)):
        (folder / picture).unlink(missing_ok=True)
        if properties[kind]:
            save_figure(folder / picture, violins_figure(properties[kind], masks))


def _points(metric: Mapping[str, Any]) -> str:
    """Write a rise of a rate in percentage points, with its interval."""
    value, low, high = (metric[key] for key in ("value", "low", "high"))
    bounds = "" if low is None or high is None else f" ({100 * low:+.1f} to {100 * high:+.1f})"
    return f"{100 * value:+.1f} points{bounds}"


def _is_established(comparison: Mapping[str, Any]) -> bool:
    p = comparison["p_corrected"]
    return p is not None and p < 1 - CONFIDENCE
