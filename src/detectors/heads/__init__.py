"""Heads turn the hidden states of an encoder into a decision; one file and one row of the table each.

A head is a torch.nn.Module made of a `HeadShape`. Its forward pass takes the hidden states and which frames are valid
(b, t) (None = all), and returns an `Output`. What it takes of the layers it says by `takes_layers`: False, one sequence
(b, t, d), the last layer or a learnt mix; True, the hidden states of all layers.
"""

from dataclasses import dataclass

HEADS = {
    "linear": "src.detectors.heads.linear:Linear",
    "adapter": "src.detectors.heads.adapter:Adapter",
    "attentive": "src.detectors.heads.attentive:Attentive",
    "frame": "src.detectors.heads.frame:Frame",
}
"""Name of a head -> "module:class"."""


@dataclass(frozen=True)
class HeadShape:
    """What a head stands on, and its sizes."""

    dimension: int
    """Width d of a hidden state."""
    n_layers: int
    """Hidden states that it gets if it takes all layers."""
    size: int
    """Width inside the head."""
    attention_heads: int
    dropout: float
