"""How far clips lie from the training data of a run: what is kept for it, and the percentile among validation clips.

References that stand for the training clips (`neighbours.py`) and up to 1,000 validation clips are kept in the run's
folder, vectors in `doubt.safetensors` and names in `doubt.json`, which is written last. They are computed when first
asked for, not when a run is trained: a study trains tens of runs of which one is used, and runs that were trained
before get them too. From then on the run's folder is enough; before, the embeddings that it was trained on must be
there, unchanged. A run that was trained anew in its folder gets new ones.

A clip's percentile is that of its distance among those of the validation clips, whom the run was not trained on: clips
like these are spread evenly over the percentiles. Distances to the spoofs alone, beside those of validation's spoofs,
say whether a spoof is near any known system.

Vectors are those that a classifier is given; of a mix of all layers, their mean. Detectors and fusions have none: for
them the sound itself is compared, by mean and deviation over time of LFCCs (240 numbers), of 4,000 training clips drawn
at random where there are more. That tells other recording conditions and codecs, not what a network makes of a clip.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from src.backbones import load_backbone
from src.backbones.clips import clip_statistics, recording_statistics
from src.deploy.neighbours import References, choose_references, percentiles
from src.experiments.corpus.catalogue import usable_or_reason
from src.experiments.inputs.contract import TRAIN, VAL, read_training_data, require_same_data
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.training.trained import Trained
from src.models.scaling import Scaling
from src.utils.clip_table import ClipTable
from src.utils.files import atomic_path, read_record, write_json
from src.utils.labels import BONAFIDE
from src.utils.parallel import map_clips
from src.utils.waveform_table import WaveformTable

VECTORS, NAMES = "doubt.safetensors", "doubt.json"
ARRAYS = ("mean", "deviation", "references", "groups", "validation", "labels", "people")
OF_BONAFIDE, UNKNOWN = "bona fide", "unknown"
MOST_VALIDATION, MOST_RECORDINGS = 1000, 4000
SEED = 7
WINDOW_SECONDS = 30.0
FEW = 200
"""Recordings up to which starting other processes takes longer than it saves."""


@dataclass(frozen=True)
class Distances:
    """The training data of a run as references, and its validation clips."""

    of_sound: bool
    """Whether vectors are LFCC statistics of the sound, and not those that a classifier is given."""
    scaling: Scaling
    references: References
    names: tuple[str, ...]
    """Of the groups: bona fide, and the spoof systems."""
    validation: np.ndarray
    """Shape (v, d), scaled."""
    labels: np.ndarray
    """Of the validation clips, shape (v,): 1 bona fide, 0 spoof."""
    people: np.ndarray
    """Of the validation clips, shape (v,)."""

    def scaled(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors (n, d), or (n, layers, d), on the scale of the references, shape (n, d)."""
        return self.scaling.apply(_flat(vectors))

    def far(self, vectors: np.ndarray) -> np.ndarray:
        """Return the percentile of the distance of clips among the validation clips, shape (n,), in [0, 100)."""
        return percentiles(self.of_validation, self.references.nearest(self.scaled(vectors))[0])

    @cached_property
    def of_validation(self) -> np.ndarray:
        """The distances of the validation clips, shape (v,)."""
        return self.references.nearest(self.validation)[0]

    @cached_property
    def spoofs(self) -> References:
        """The references of the spoofs alone."""
        return self.references.only(np.array([name != OF_BONAFIDE for name in self.names])[self.references.groups])

    @cached_property
    def of_validation_spoofs(self) -> np.ndarray:
        """The distances of the validation's spoofs to the references of spoofs, shape (s,)."""
        return self.spoofs.nearest(self.validation[self.labels != BONAFIDE])[0]

    def vectors_of(self, clips: Sequence[np.ndarray | Path], seen: np.ndarray | None) -> np.ndarray:
        """Return what is compared: what the classifier was given, `seen`, or statistics of the sound of the clips."""
        return sound_vectors(clips) if self.of_sound or seen is None else seen


def sound_vectors(clips: Sequence[np.ndarray | Path]) -> np.ndarray:
    """Return mean and deviation over time of the LFCCs of clips, shape (n, 240).

    Parameters
    ----------
    clips : sequence of np.ndarray or Path
        Waveforms (n,) at 16 kHz, or recordings.

    Raises
    ------
    UnusableAudio
        When a recording cannot be used, or a clip is shorter than a frame.
    """
    return np.stack([_sound_vector(clip) for clip in clips])


def read_distances(trained: Trained, root: Path) -> Distances:
    """Read what a run's folder keeps of its training data, or compute and keep it.

    Parameters
    ----------
    trained : Trained
    root : Path
        Holds `embeddings/`.

    Raises
    ------
    FileNotFoundError, ValueError
        When nothing is kept and the training data are not there any more, or have changed; when what is kept is
        damaged.
    """
    path = trained.folder / NAMES
    if path.is_file():
        noted = read_record(path, "of_sound", "scaling", "groups", "people", "trained")
        if noted["trained"] and noted["trained"] == trained.provenance.get("ended"):
            return _load(trained.folder, noted)
    found = distances_of(*_training_tables(trained, root), getattr(trained.recipe.config, "scaling", ""))
    try:
        _save(trained, found)
    except OSError as error:
        warnings.warn(f"What {trained.name} keeps of its training data could not be written: {error}", stacklevel=2)
    return found


def distances_of(train: ClipTable, val: ClipTable, scaling: str = "standard") -> Distances:
    """Return the distances from training clips.

    Parameters
    ----------
    train, val : ClipTable
        Of embeddings, or of recordings, whose sound is then compared.
    scaling : str
        That of the classifier; with "unit" vectors are brought to one length.
    """
    of_sound = isinstance(train, WaveformTable)
    train, vectors = with_vectors(random_choice(train, MOST_RECORDINGS if of_sound else len(train)))
    val, of_val = with_vectors(random_choice(val, MOST_VALIDATION))
    fitted = Scaling.learn(vectors, "unit" if scaling == "unit" else "standard")
    systems = np.where(train.systems == "", UNKNOWN, train.systems)
    names, groups = np.unique(np.where(train.labels == BONAFIDE, OF_BONAFIDE, systems), return_inverse=True)
    references = choose_references(fitted.apply(vectors), groups)
    validation = fitted.apply(of_val).astype(np.float32)
    return Distances(of_sound, fitted, references, tuple(names.tolist()), validation, val.labels, val.speakers)


def _training_tables(trained: Trained, root: Path) -> tuple[ClipTable, ClipTable]:
    """Return the clips of training and validation, with vectors or with the paths of their recordings."""
    dataset, eaten = trained.recipe.dataset, trained.recipe.input
    if isinstance(eaten, Embeddings):
        opened = trained.open(dataset, root)
        opened.check(TRAIN, VAL)
        data = read_training_data(opened)
        for split in (TRAIN, VAL):
            require_same_data(eaten, split, trained.origin(split), data.origins[split], trained.folder)
        return data.train, data.val
    recordings = Waveforms().open(dataset, root)
    recordings.check(TRAIN, VAL)
    tables = recordings.read(TRAIN), recordings.read(VAL)
    for split, table in zip((TRAIN, VAL), tables, strict=True):
        if strangers := sorted(set(table.people()) - trained.people()):
            raise ValueError(
                f"{split} of {dataset} holds people whom {trained.name} does not know (first: {strangers[0]}): it was "
                "split anew; train again."
            )
    return tables


def random_choice(table: ClipTable, most: int) -> ClipTable:
    """Return a table, or a random choice of its clips where it holds more."""
    if len(table) <= most:
        return table
    return table.take(np.sort(np.random.default_rng(SEED).choice(len(table), most, replace=False)))


def with_vectors(table: ClipTable) -> tuple[ClipTable, np.ndarray]:
    """Return a table and the vectors (n, d) of its clips; recordings that cannot be used are left out of both."""
    if not isinstance(table, WaveformTable):
        return table, _flat(table.inputs)
    paths = [Path(str(path)) for path in table.paths]
    jobs = 0 if len(paths) > FEW else 1
    found = map_clips(partial(usable_or_reason, _sound_vector), paths, jobs=jobs, description="distances")
    usable = np.array([not reason for _, reason in found])
    if not usable.any():
        raise ValueError(f"none of the {len(paths)} recordings can be used (first: {paths[0]}, {found[0][1]})")
    return table.take(usable), np.stack([vector for vector, reason in found if not reason])


def _sound_vector(clip: np.ndarray | Path) -> np.ndarray:
    """Return the LFCC statistics of one clip, shape (240,)."""
    backbone = load_backbone("lfcc")
    if isinstance(clip, Path):
        return recording_statistics(backbone, clip, window_seconds=WINDOW_SECONDS)[0].reshape(-1)
    return clip_statistics(backbone, clip, window_seconds=WINDOW_SECONDS)[0].reshape(-1)


def _flat(vectors: np.ndarray) -> np.ndarray:
    return vectors.mean(axis=1) if vectors.ndim == 3 else vectors


def _save(trained: Trained, found: Distances) -> None:
    from safetensors.numpy import save

    (trained.folder / NAMES).unlink(missing_ok=True)
    people, person = np.unique(found.people, return_inverse=True)
    arrays = {
        "mean": found.scaling.mean,
        "deviation": found.scaling.deviation,
        "references": found.references.vectors,
        "groups": found.references.groups,
        "validation": found.validation,
        "labels": found.labels,
        "people": person,
    }
    with atomic_path(trained.folder / VECTORS) as temporary:
        temporary.write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
    about: dict[str, Any] = {
        "of_sound": found.of_sound,
        "scaling": found.scaling.how,
        "groups": list(found.names),
        "people": people.tolist(),
        "trained": trained.provenance.get("ended"),
    }
    write_json(trained.folder / NAMES, about)


def _load(folder: Path, noted: dict[str, Any]) -> Distances:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load((folder / VECTORS).read_bytes())
        mean, deviation, references, groups, validation, labels, people = (arrays[name] for name in ARRAYS)
    except (OSError, KeyError, SafetensorError) as error:
        raise ValueError(f"{folder / VECTORS} is damaged ({error}): delete it and {NAMES}.") from None
    return Distances(
        bool(noted["of_sound"]),
        Scaling(noted["scaling"], mean, deviation),
        References(references, groups),
        tuple(noted["groups"]),
        validation,
        labels,
        np.array(noted["people"])[people],
    )
