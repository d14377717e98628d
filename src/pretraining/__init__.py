"""Self-supervised pretraining: a speech model learns from recordings alone, without labels.

An encoder (`encoders.py`) turns waveforms into frames, some of which are masked (`masks.py`); an objective says what
has to be found out about them. An objective is one file and one row of the table below, which imports nothing: the help
of tasks reads it.
"""

from typing import TYPE_CHECKING

from src.utils.registry import lookup

if TYPE_CHECKING:
    from src.pretraining.contract import Objective

OBJECTIVES: dict[str, str] = {
    "wav2vec2": "src.pretraining.wav2vec2:Wav2Vec2",
    "hubert": "src.pretraining.hubert:Hubert",
    "best-rq": "src.pretraining.best_rq:BestRq",
    "mel": "src.pretraining.mel:Mel",
    "distill": "src.pretraining.distill:Distill",
}
"""Name of an objective -> "module:class"."""


def objective_class(name: str) -> "type[Objective]":
    """Return the class of an objective; ValueError lists those there are."""
    found: type[Objective] = lookup(OBJECTIVES, name, "objective")
    return found
