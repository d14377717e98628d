"""The network of the MLP: scaling, where asked for a learnt mix of layers, hidden layers, one logit.

Which hidden layer of a backbone tells spoofs from bona fide speech best is not known beforehand, and differs between
backbones. A learnt mix reads all of them: a clip's vectors (layers, d), each layer scaled by its own training
statistics (upper layers of some backbones are a hundred times larger than lower ones), are summed with weights

    w = softmax(a),  x = sum_l w_l x_l,

and `a` (layers,) is learnt together with the rest of the network. It starts at zero: all layers weigh the same. This is
the weighted sum of Peters et al. (2018, "Deep contextualized word representations") without its overall factor, which
the first linear layer contains, and the one by which SUPERB (Yang et al., 2021) compares backbones.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from src.models.scaling import Scaling

if TYPE_CHECKING:
    from src.models.mlp.mlp_model import MlpConfig


class Network(nn.Module):
    """(n, d) -> (n,), or with a mix of layers (n, layers, d) -> (n,)."""

    layer_logits: nn.Parameter | None
    """Shape (layers,); None without a mix."""

    def __init__(self, shape: tuple[int, ...], config: "MlpConfig") -> None:
        """Make the network for inputs of `shape` (d,) or (layers, d)."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("deviation", torch.ones(shape))
        self.to_unit_length = config.scaling == "unit"
        layers: list[nn.Module] = []
        size = shape[-1]
        for _ in range(config.n_hidden_layers):
            layers += [nn.Linear(size, config.hidden_size), nn.ReLU(), nn.Dropout(config.dropout)]
            size = config.hidden_size
        self.layers = nn.Sequential(*layers, nn.Linear(size, 1))
        self.layer_logits = nn.Parameter(torch.zeros(shape[0])) if len(shape) == 2 else None

    @classmethod
    def of_state(cls, state: dict[str, torch.Tensor], config: "MlpConfig") -> "Network":
        """Return the network whose `state_dict` was saved."""
        network = cls(tuple(state["mean"].shape), config)
        network.load_state_dict(state)
        return network

    def learn_scaling(self, vectors: np.ndarray, how: str, *, always: bool = False) -> None:
        """Take mean and deviation from training vectors, of each layer for itself, before moving to a device."""
        if vectors.ndim == 2:
            fitted = Scaling.learn(vectors, how, always=always)
            mean, deviation = fitted.mean, fitted.deviation
        else:  # layer by layer: in float64 all of them at once would double their memory
            of_layers = [Scaling.learn(vectors[:, layer], how) for layer in range(vectors.shape[1])]
            mean, deviation = (np.stack([getattr(one, name) for one in of_layers]) for name in ("mean", "deviation"))
        self.mean = torch.as_tensor(mean, dtype=torch.float32)
        self.deviation = torch.as_tensor(deviation, dtype=torch.float32)

    def scale(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return vectors as the layers take them, of the same shape."""
        scaled = (vectors - self.mean) / self.deviation
        if self.to_unit_length:
            scaled *= scaled.shape[-1] ** 0.5 / scaled.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        return scaled

    def layer_weights(self) -> np.ndarray | None:
        """Return the weights of the layers in the mix, shape (layers,), which sum to 1; None without a mix."""
        if self.layer_logits is None:
            return None
        return torch.softmax(self.layer_logits.detach().double().cpu(), 0).numpy()

    def forward(self, scaled: torch.Tensor) -> torch.Tensor:
        """Return the logits of bona fide of scaled vectors, shape (n,)."""
        if self.layer_logits is not None:
            scaled = torch.softmax(self.layer_logits, 0) @ scaled
        logits: torch.Tensor = self.layers(scaled).squeeze(-1)
        return logits
