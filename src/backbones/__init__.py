"""Backbones turn waveforms into frames: self-supervised speech models and spectral features, behind one contract.

A backbone is one file and one row of the table below; the row names a function
`load(model, device, precision, layers)`. Its file may also offer `identify(name, model, device, precision, layers)`,
which gives the identity of a store of this backbone without loading the model (see `identify_backbone`).
"""

import importlib
from typing import TYPE_CHECKING, Any

from src.utils.registry import lookup

if TYPE_CHECKING:
    from src.backbones.contract import Backbone

BACKBONES = {
    "wav2vec2": "src.backbones.families:load_wav2vec2",
    "hubert": "src.backbones.families:load_hubert",
    "wavlm": "src.backbones.families:load_wavlm",
    "unispeech-sat": "src.backbones.families:load_unispeech_sat",
    "data2vec-audio": "src.backbones.families:load_data2vec_audio",
    "wav2vec2-conformer": "src.backbones.families:load_wav2vec2_conformer",
    "wav2vec2-bert": "src.backbones.families:load_wav2vec2_bert",
    "whisper": "src.backbones.families:load_whisper",
    "ast": "src.backbones.families:load_ast",
    "lfcc": "src.backbones.lfcc:load_lfcc",
    "mfcc": "src.backbones.spectral:load_mfcc",
    "logmel": "src.backbones.spectral:load_logmel",
    "cqcc": "src.backbones.spectral:load_cqcc",
    "yamnet": "src.backbones.yamnet:load_yamnet",
}
"""Name of a backbone -> "module:function"."""
CPU_ONLY = ("lfcc", "mfcc", "logmel", "cqcc")
"""Backbones that run on the CPU only."""
WITH_WINDOWS = ("whisper",)
"""Backbones that take `window`."""


def load_backbone(
    name: str,
    model: str | None = None,
    *,
    device: str = "auto",
    precision: str = "auto",
    layers: str | None = None,
    window: str | None = None,
) -> "Backbone":
    """Load a backbone.

    Parameters
    ----------
    name : str
        A row of BACKBONES.
    model : str, optional
        Hub id or local folder, or random:base and random:large for random weights; None for the backbone's default.
    device : str
        "auto" (CUDA where there is one), "cpu", "cuda" or "cuda:1".
    precision : str
        "auto" (bf16 where the hardware supports it), "fp32", "tf32" or "bf16".
    layers : str, optional
        Hidden layers to keep, such as "0-6" or "0,3,6"; layers above the highest (or 1) are not computed. None for all.
    window : str, optional
        "own" lets whisper compute each clip in a window of its own length, not in one of 30 s.

    Raises
    ------
    ValueError, FileNotFoundError
        When a name is unknown, a folder holds no such model, or the hub cannot be reached; the message is one line.
    """
    load = lookup(BACKBONES, name, "backbone")
    backbone: Backbone = load(model, device, precision, layers, **_options(name, window))
    return backbone


def identify_backbone(
    name: str,
    model: str | None = None,
    *,
    device: str = "auto",
    precision: str = "auto",
    layers: str | None = None,
    window: str | None = None,
) -> dict[str, Any] | None:
    """Return what `load_backbone(...).identity()` would hold, as far as it is known without loading the model.

    Parameters
    ----------
    name, model, device, precision, layers, window
        As for `load_backbone`.

    Returns
    -------
    dict or None
        Some of the identity's entries, "digest" among them; None when nothing can be said before the model is loaded.

    Raises
    ------
    ValueError
        When the backbone is unknown, or the options are not allowed.
    """
    lookup(BACKBONES, name, "backbone")
    known = getattr(importlib.import_module(BACKBONES[name].split(":")[0]), "identify", None)
    return known(name, model, device, precision, layers, **_options(name, window)) if known else None


def _options(name: str, window: str | None) -> dict[str, str]:
    """Return the options that only some backbones take."""
    if window and name not in WITH_WINDOWS:
        raise ValueError(
            f"{name} takes no `window`, as {' and '.join(WITH_WINDOWS)} does; leave out `window={window}`."
        )
    return {"window": window} if window else {}
