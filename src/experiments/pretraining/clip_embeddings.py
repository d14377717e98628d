"""The embeddings of clips by several models at once: each recording is read once, whatever the number of models.

A model is the folder that `save_pretrained` made, with its `preprocessor_config.json`; None stands for LFCC. Embeddings
are those of a store, mean and standard deviation over the frames of every layer, but they are kept in memory and not on
the disk: a probe judges many models once. Whisper and what has its shape compute each clip in a window of its own
length (`window=own`), as pretraining does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from src.audio.io import SPEECH_RATE, UnusableAudio, load_waveform
from src.backbones import WITH_WINDOWS, load_backbone
from src.backbones.clips import clip_statistics
from src.backbones.contract import Backbone
from src.backbones.pretrained import family_of
from src.utils.waveform_table import WaveformTable

LFCC = "lfcc"
Models = Mapping[str, Path | None]
"""Name -> folder; None for LFCC."""


@dataclass(frozen=True)
class EmbeddedClips:
    """Clips that all models could use, and what each made of them."""

    table: WaveformTable
    kept: np.ndarray
    """Shape (m,): which of the clips that were asked for these are."""
    vectors: Mapping[str, np.ndarray]
    """Name of a model -> float32 of shape (n, layers, 2 d): means, then deviations."""
    left_out: Mapping[str, str]
    """File -> why no embedding could be made of it."""


def embed_clips(models: Models, clips: WaveformTable, *, device: str = "auto") -> EmbeddedClips:
    """Embed clips by every model.

    Parameters
    ----------
    models : mapping of str to Path or None
    clips : WaveformTable
        m clips.
    device : str
        As for `load_backbone`.

    Raises
    ------
    FileNotFoundError, ValueError
        When a folder holds no model that can be used, or no clip can be used by all models.
    """
    backbones = {name: load_local(folder, device=device) for name, folder in models.items()}
    found: dict[str, list[np.ndarray]] = {name: [] for name in models}
    left_out: dict[str, str] = {}
    kept = np.ones(len(clips), bool)
    for place, path in enumerate(tqdm(clips.paths, desc="clips", unit="clip", disable=None)):
        try:
            waveform = load_waveform(Path(path), SPEECH_RATE)
            of_clip = {name: clip_statistics(backbone, waveform)[0] for name, backbone in backbones.items()}
        except UnusableAudio as error:
            left_out[str(clips.files[place])] = str(error)
            kept[place] = False
            continue
        for name, statistics in of_clip.items():
            found[name].append(statistics.reshape(len(statistics), -1))
    if not kept.any():
        file, reason = next(iter(left_out.items()), ("", "there are none"))
        raise ValueError(f"None of the {len(clips)} clips can be embedded (first: {file}: {reason}).")
    return EmbeddedClips(clips.take(kept), kept, {name: np.stack(each) for name, each in found.items()}, left_out)


def load_local(folder: Path | None, *, device: str = "auto") -> Backbone:
    """Load the model of a folder as a backbone, of whichever family it is; None for LFCC.

    Raises
    ------
    FileNotFoundError, ValueError
        When the folder holds no model of a known family, or one for another sample rate.
    """
    if folder is None:
        return load_backbone(LFCC)
    family = family_of(str(folder))
    window = "own" if family in WITH_WINDOWS else None
    backbone = load_backbone(family, str(folder), device=device, precision="fp32", window=window)
    if backbone.rate != SPEECH_RATE:
        raise ValueError(f"{folder} takes sound at {backbone.rate} Hz; models are probed at {SPEECH_RATE} Hz.")
    return backbone
