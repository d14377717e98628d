"""YAMNet as a backbone: a frame is a patch of 0.96 s every 0.48 s, and two layers of 1024 numbers are kept.

Layer 0 is the mean over time and mel of what leaves YAMNet's layer 13, layer 1 that of layer 14: the embedding from
which its classes of sound are decided. A store holds layers of one size, and no other layer has 1024 channels. A clip
shorter than a patch is filled up with zeros, as the published code does.

There is no default model: the weights are published for TensorFlow only. `model` names a folder with those weights in
PyTorch's order: `config.json`, whose `architecture` begins with YAMNet, and `model.safetensors`, whose 56 tensors are
named as in `yamnet_network.py` (layer1.conv.weight, layer2.depthwise.weight, ..., classifier.bias), batch normalisation
folded in. This file does not import torch, so that a finished store is quickly compared with what is asked for.
"""

from pathlib import Path
from typing import Any

import numpy as np

from src.backbones.clip_by_clip import ClipByClip
from src.backbones.contract import parse_layers
from src.backbones.families import DEVICES, PRECISIONS
from src.backbones.pretrained import displayed_name, model_digest
from src.utils.files import read_record

N_LAYERS, DIMENSION = 2, 1024
PATCH_SAMPLES = 15_600
MIN_SAMPLES = 400
"""One frame of the log-mel front end; the rest of a patch is filled up with zeros."""


class YamnetBackbone(ClipByClip):
    """The frozen network on a device; clips go through it one by one, with all of their patches at once."""

    dimension = DIMENSION
    min_samples = MIN_SAMPLES
    threads = False

    def __init__(self, name: str, *, device: str, precision: str, layers: str | None) -> None:
        from src.backbones.yamnet_network import YamnetPatches, load_layers
        from src.utils.devices import DTYPES, choose_device, choose_precision, use_tf32

        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self.layers = parse_layers(layers, N_LAYERS)
        network = load_layers(check_folder(name))
        self._digest, self.name = model_digest(name), name
        use_tf32(self.device, self.precision == "tf32")
        self.patches = YamnetPatches(network.to(DTYPES[self.precision])).to(self.device).eval()

    def identity(self) -> dict[str, Any]:
        """Return what decides the numbers."""
        return {**_identity(self.name, self.layers), "precision": self.precision, "normalisation": "none"}

    def features(self, waveform: np.ndarray) -> np.ndarray:
        """Return the patches of one waveform of shape (n,): shape (layers, p, 1024), float64."""
        import torch

        samples = torch.from_numpy(np.asarray(waveform, dtype=np.float32))[None].to(self.device)
        with torch.inference_mode():
            means: np.ndarray = self.patches(samples)[list(self.layers), 0].double().cpu().numpy()
        return means


def load_yamnet(model: str | None, device: str, precision: str, layers: str | None) -> YamnetBackbone:
    """Load the network of a folder; `load_backbone` says what the options mean and what is raised."""
    return YamnetBackbone(_named(model), device=device, precision=precision, layers=layers)


def identify(name: str, model: str | None, device: str, precision: str, layers: str | None) -> dict[str, Any] | None:
    """Return the identity as far as the folder shows it; see `identify_backbone`."""
    folder = check_folder(_named(model))
    if not DEVICES.fullmatch(device) or precision not in PRECISIONS:
        return None
    known = _identity(str(folder), parse_layers(layers, N_LAYERS))
    return known if precision == "auto" else {**known, "precision": precision}


def _identity(name: str, layers: tuple[int, ...]) -> dict[str, Any]:
    return {
        "backbone": "yamnet",
        "model": displayed_name(name),
        "digest": model_digest(name),
        "rate": 16_000,
        "layers": list(layers),
        "dimension": DIMENSION,
    }


def _named(model: str | None) -> str:
    if not model:
        raise ValueError(
            "yamnet has no default model: name a folder that holds its weights for PyTorch, `model=FOLDER` "
            "(config.json and model.safetensors, converted from the TensorFlow weights of "
            "tensorflow/models, research/audioset/yamnet)."
        )
    return model


def check_folder(name: str, parameter: str = "model") -> Path:
    """Return the folder of a YAMNet, which `parameter` named.

    Raises
    ------
    FileNotFoundError
        When there is no such folder, or it lacks a file.
    ValueError
        When it holds another kind of model.
    """
    folder = Path(name)
    advice = f"name a folder that holds YAMNet's config.json and model.safetensors, `{parameter}=FOLDER`."
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no model folder {name}; {advice}")
    for file in ("config.json", "model.safetensors"):
        if not (folder / file).is_file():
            raise FileNotFoundError(f"The model folder {name} has no {file}; {advice}")
    config = read_record(folder / "config.json")
    kind = str(config.get("architecture") or config.get("model_type") or "unknown")
    if not kind.startswith("YAMNet"):
        raise ValueError(f"{name} holds a model of the kind {kind}, not YAMNet; {advice}")
    return folder
