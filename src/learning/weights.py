"""The weights of a network as files: safetensors, whole or not at all."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import save, save_file
from torch import nn

from src.utils.files import atomic_path


def split_weights(module: nn.Module, unchanging: str = "") -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return the weights of a module that are written, and those that are not: whose names begin with `unchanging`."""
    state = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    left_out = {name: state.pop(name) for name in list(state) if unchanging and name.startswith(unchanging)}
    return state, left_out


def digest_of(module: nn.Module) -> str:
    """Return a digest of all weights of a module."""
    return hashlib.sha256(save(split_weights(module)[0])).hexdigest()


def save_weights(module: nn.Module, path: Path, unchanging: str = "") -> None:
    """Write the weights of a module but for unchanging ones, whole or not at all."""
    with atomic_path(path) as temporary:
        save_file(split_weights(module, unchanging)[0], temporary)
