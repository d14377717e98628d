"""Folders that hold a YAMNet: the published one where the data are, one of random weights anywhere."""

import json
from pathlib import Path

import pytest
from safetensors.torch import save_file

from src.backbones.yamnet_network import YamnetLayers

MODELS = Path(__file__).resolve().parents[3] / "shared" / "models"
PUBLISHED = MODELS / "yamnet"
needs_data = pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs the data: ../shared/models/yamnet")


def save_yamnet(folder: Path) -> Path:
    """Save a YAMNet of random weights as the published one is saved."""
    folder.mkdir()
    save_file(YamnetLayers().state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({"architecture": "YAMNet (MobileNet v1, width 1.0)"}))
    return folder
