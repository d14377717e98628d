"""Published weights of AASIST: a folder with `config.json` (the shape) and `model.safetensors` (175 tensors and more).

The published networks are AASIST, its light version AASIST-L, and the baseline of ASVspoof 5: one network, two shapes.
"""

import json
from pathlib import Path
from typing import Any

from torch import nn

CONFIG, WEIGHTS = "config.json", "model.safetensors"
N_BLOCKS = 6
NAMES = {
    "sinc_filters": "filters",
    "sinc_kernel": "taps",
    "pool_ratio_spectral": "spectral_ratio",
    "pool_ratio_temporal": "temporal_ratio",
    "pool_ratio_heterogeneous": "branch_ratio",
    "temperature_spectral": "spectral_temperature",
    "temperature_temporal": "temporal_temperature",
    "temperature_heterogeneous": "branch_temperature",
}
"""Names in a published config.json -> names of hyperparameters."""


def published_shape(folder: Path) -> dict[str, Any]:
    """Return the hyperparameters that the config.json of published weights sets.

    Raises
    ------
    FileNotFoundError
        When the folder, or its config.json, is not there.
    ValueError
        When the config.json is damaged or another network's.
    """
    path = _published(folder, CONFIG)
    try:
        published = json.loads(path.read_text(encoding="utf-8"))
        if published["architecture"] != "AASIST" or len(published["blocks"]) != N_BLOCKS:
            raise ValueError("it describes another network")
        widths = [after for _, after in published["blocks"]]
        shape = {name: published[published_name] for published_name, name in NAMES.items()}
        shape["first_channels"], shape["channels"] = widths[0], widths[-1]
        shape["graph_size"], shape["branch_size"] = published["graph_dims"]
        if not all(isinstance(value, int | float) for value in shape.values()):
            raise ValueError("a number is none")
    except (ValueError, KeyError, TypeError, IndexError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(
            f"{path} is not the shape of a published AASIST ({reason}); give `weights` a folder of one."
        ) from None
    return shape


def load_published(network: nn.Module, folder: Path) -> None:
    """Give a network the published weights that lie in a folder.

    Raises
    ------
    FileNotFoundError
        When the folder, or its weights, are not there.
    ValueError
        When the weights are damaged or do not fit the network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = _published(folder, WEIGHTS)
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ValueError(f"{path} cannot be loaded ({reason}): it is damaged or another network's.") from None


def _published(folder: Path, name: str) -> Path:
    """Return the path of a file in a folder of published weights, which must be there."""
    if not (folder / name).is_file():
        missing = f"has no {name}" if folder.is_dir() else "does not exist"
        raise FileNotFoundError(
            f"{folder} {missing}: `weights` is the folder of a published AASIST, with {CONFIG} and {WEIGHTS}; "
            f"leave it out to start from random weights."
        )
    return folder / name
