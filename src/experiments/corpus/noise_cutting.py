"""Derive a corpus of words and one-second clips of noise from Speech Commands, whose noise is minutes long.

The words are written as well, so that words and noise have one format: mono 16-bit FLAC at 16 kHz. A recording is cut
into whole seconds one after another; what is left at its end, and seconds of silence, are no clips. All clips of a
recording count as one person's, and stay in one split.
"""

import shutil
from pathlib import Path

from src.audio.io import SPEECH_RATE, count_samples
from src.corpora.speech_commands import LISTS, NOISE_FOLDER, noise_recordings, word_recordings
from src.experiments.corpus.catalogue import generate_tables, usable_or_reason
from src.experiments.corpus.derivation import Derivation, Derived, Job
from src.experiments.corpus.transforms import unchanged
from src.utils.dataset import check_dataset, reject
from src.utils.files import atomic_path


def cut_noise(dataset: Path, output: Path | None = None) -> Derived:
    """Write a corpus with the words of a Speech Commands folder, and its noise in clips of a second.

    Parameters
    ----------
    dataset, output : Path
        Default output `<dataset>_cut`.

    Raises
    ------
    ValueError
        When there is no noise to cut.
    """
    check_dataset(dataset)
    target = output or dataset.with_name(f"{dataset.name}_cut")
    reasons: dict[str, str] = {}
    words = [Job(path, target / path.parent.name / f"{path.stem}.flac", 0) for path in word_recordings(dataset)]
    noise = []
    for path in noise_recordings(dataset):
        n_samples, reason = usable_or_reason(count_samples, path)
        if reason:
            reasons[f"{NOISE_FOLDER}/{path.name}"] = reason
            continue
        for second in range(n_samples // SPEECH_RATE):
            clip = target / NOISE_FOLDER / path.stem / f"{second:04d}.flac"
            noise.append(Job(path, clip, 0, stretch=(second * SPEECH_RATE, (second + 1) * SPEECH_RATE)))
    if not noise:
        raise ValueError(f"{dataset / NOISE_FOLDER} holds no recording of a second or more to cut.")
    derivation = Derivation(dataset, target, {"step": "CutNoise"}, [*words, *noise])
    derivation.start()
    reasons |= derivation.run([*words, *noise], unchanged, "clips")
    derivation.finish()
    for name in LISTS.values():
        if (dataset / name).is_file():
            with atomic_path(target / name) as temporary:
                shutil.copyfile(dataset / name, temporary)
    n_clips = generate_tables(target, "speech_commands").n_clips
    reject(target, reasons)
    return Derived(target, n_clips, len(reasons))
