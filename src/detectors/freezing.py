"""Which parts of a pretrained encoder are trained, epoch by epoch.

An encoder has three parts, from the waveform upwards: the feature encoder (convolutions), the stem (projection,
positional embedding, normalisations) and the transformer layers. `freeze` says what is never trained: "encoder" all
three, so that only the head learns; "features" the feature encoder, the usual choice (Baevski et al. 2020 fine-tune
that way); "none" nothing. A frozen part is also kept in evaluation mode: no dropout, no batch statistics.

Gradual unfreezing (Howard and Ruder 2018, "ULMFiT"): the head learns alone for an epoch, then `gradual` further layers
join it in every epoch, from the top; the stem, and the feature encoder if it is trained, join with the lowest layer.
With 12 layers and `gradual` 4: 0, 4, 8, 12, 12, ... layers. An untrained head sends large gradients down; this way they
do not reach what was learnt in pretraining.
"""

from dataclasses import dataclass

FREEZES = ("encoder", "features", "none")


@dataclass(frozen=True)
class Trained:
    """The parts of an encoder that are trained in an epoch."""

    layers: int
    """How many transformer layers, counted from the top."""
    stem: bool
    features: bool


def trained_parts(freeze: str, n_layers: int, *, gradual: int = 0, epoch: int = 0) -> Trained:
    """Return what is trained in an epoch.

    Parameters
    ----------
    freeze : str
        One of FREEZES.
    n_layers : int
        Transformer layers of the encoder.
    gradual : int
        Layers that join in every epoch; 0 = all of them in the first.
    epoch : int
        From 0.

    >>> trained_parts("features", 12, gradual=4, epoch=1)
    Trained(layers=4, stem=False, features=False)
    >>> trained_parts("none", 12)
    Trained(layers=12, stem=True, features=True)
    """
    if freeze == "encoder":
        return Trained(layers=0, stem=False, features=False)
    layers = min(n_layers, gradual * epoch) if gradual else n_layers
    whole = layers == n_layers
    return Trained(layers=layers, stem=whole, features=whole and freeze == "none")
