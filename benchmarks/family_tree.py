"""Draw docs/models.svg: all models, from the waveform to the score.

    python -m benchmarks.family_tree

The names are those of the project's tables, so the picture is drawn again when a model is added.
"""

from pathlib import Path

import matplotlib

from src.backbones import BACKBONES, CPU_ONLY
from src.backbones.published import FAMILIES, FINE_TUNABLE
from src.detectors import DETECTORS
from src.detectors.heads import HEADS
from src.models import CLASSIFIERS, FUSIONS
from src.visualize.family_tree import Box, tree_figure
from src.visualize.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "models.svg"


def boxes() -> dict[str, Box]:
    """Return the families of models, and where they stand."""
    fixed = tuple(name for name in BACKBONES if name not in CPU_ONLY and name not in FINE_TUNABLE)
    return {
        "waveform": Box("waveform", ("16 kHz",), 0.3, 8.4, BLACK, width=2.4),
        "spectral": Box("spectral features", CPU_ONLY, 6.2, 1.6, GREY),
        "fixed": Box("pretrained, always frozen", fixed, 6.2, 4.6, BLUE),
        "pretrained": Box("pretrained", tuple(name for name in FAMILIES if name in FINE_TUNABLE), 6.2, 8.4, BLUE),
        "detectors": Box("detectors", tuple(DETECTORS), 6.2, 13.2, GREEN),
        "store": Box("store", ("mean and deviation", "of every layer"), 14.0, 3.0, BLACK, width=4.4),
        "heads": Box("heads (fine-tuned)", tuple(HEADS), 14.0, 9.4, PURPLE, width=4.4),
        "classifiers": Box("classifiers", tuple(CLASSIFIERS), 21.4, 3.0, ORANGE, width=3.0),
        "score": Box("score", ("higher =", "bona fide"), 27.6, 8.4, BLACK, width=2.6),
        "fusion": Box("fusion of runs", tuple(FUSIONS), 33.0, 8.4, SKY, width=3.4),
    }


ARROWS = (
    ("waveform", "spectral", "(b, n)"),
    ("waveform", "fixed", "(b, n)"),
    ("waveform", "pretrained", "(b, n)"),
    ("waveform", "detectors", "(b, n)"),
    ("spectral", "store", "(b, t, d)"),
    ("fixed", "store", "layers × (b, t, d)"),
    ("pretrained", "store", "layers × (b, t, d)"),
    ("pretrained", "heads", "layers × (b, t, d)"),
    ("store", "classifiers", "(b, d)"),
    ("classifiers", "score", "(b,)"),
    ("heads", "score", "(b, 2)"),
    ("detectors", "score", "(b, 2)"),
    ("score", "fusion", "(b, k)"),
)


def main() -> None:
    """Draw and save."""
    figure = tree_figure(boxes(), ARROWS, size=(36.7, 16.0))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "models"}):  # text stays text; equal bytes
        figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
