"""Detectors turn waveforms into scores, trained end to end, behind the contract that classifiers have as well.

A detector is one file and one row of the table below, which imports nothing: the help of tasks reads it.
"""

from typing import TYPE_CHECKING

from src.utils.registry import lookup

if TYPE_CHECKING:
    from src.detectors.detector import Detector

DETECTORS: dict[str, str] = {
    "conformer": "src.detectors.conformer:Conformer",
    "performer": "src.detectors.performer:Performer",
    "ast": "src.detectors.ast:Ast",
    "yamnet": "src.detectors.yamnet:Yamnet",
    "rawnet2": "src.detectors.rawnet2:RawNet2",
    "lcnn": "src.detectors.lcnn:Lcnn",
    "aasist": "src.detectors.aasist:Aasist",
    "fine-tuned": "src.detectors.fine_tuned:FineTuned",
}
"""Name of a detector -> "module:class"."""


def detector_class(name: str) -> "type[Detector]":
    """Return the class of a detector; ValueError lists those there are."""
    found: type[Detector] = lookup(DETECTORS, name, "detector")
    return found
