"""The task that says what pretrained models are worth."""

from pathlib import Path

from fabric import Connection

from src.tasks.command_line import command
from src.tasks.words import RELEASE
from src.utils.paths import ROOT


@command(
    "ProbeBackbone",
    models="folders made by save_pretrained, separated by commas; pretraining0 = start and model of that pretraining",
)
def probe_backbone(
    c: Connection, models: str = "", dataset: Path = RELEASE, device: str = "auto", seed: int = 7
) -> None:
    """Judge every layer of pretrained models by a linear head, in domain and on each spoof system left out of training.

    Models stand beside LFCC; the last one is compared with LFCC and with the first. Whisper and models
    of its shape compute each clip in a window of its own length. The table and a picture of all layers
    go to runs/probe<k>.
    """
    from src.experiments.pretraining.probing import probe_models

    print(probe_models(models, dataset, root=ROOT, seed=seed, device=device))
