"""Backbones turn waveforms into frames: self-supervised speech models and spectral features, behind one contract.

A backbone is one file and one row of the table below; the row names a function
`load(model, device, precision, layers)`.
"""

from src.backbones.contract import Backbone
from src.utils.registry import lookup

BACKBONES = {
    "wav2vec2": "src.backbones.self_supervised:load_wav2vec2",
    "hubert": "src.backbones.self_supervised:load_hubert",
    "wavlm": "src.backbones.self_supervised:load_wavlm",
    "lfcc": "src.backbones.lfcc:load_lfcc",
}
"""Name of a backbone -> "module:function"."""
CPU_ONLY = ("lfcc",)
"""Those that no GPU can help."""


def load_backbone(
    name: str, model: str = "", *, device: str = "auto", precision: str = "auto", layers: str = ""
) -> Backbone:
    """Load a backbone.

    Parameters
    ----------
    name : str
        A row of BACKBONES.
    model : str
        Hub id or local folder; empty for the backbone's default.
    device : str
        "auto" (CUDA where there is one), "cpu", "cuda" or "cuda:1".
    precision : str
        "auto" (bf16 where the hardware computes in it), "fp32", "tf32" or "bf16".
    layers : str
        Hidden layers to keep, such as "0-6" or "0,3,6"; none above the highest (or 1) is computed. Empty for all.

    Raises
    ------
    ValueError, FileNotFoundError
        When a name is unknown, a folder holds no such model, or the hub cannot be reached; one line that says so.
    """
    backbone: Backbone = lookup(BACKBONES, name, "backbone")(model, device, precision, layers)
    return backbone
