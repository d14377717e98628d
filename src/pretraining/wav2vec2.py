"""Wav2vec 2.0: which of some quantised frames is the one that was masked?

    waveforms -> features (b, t, c) -> masked -> transformer -> predictions (b, t, p)
                     |
                     +-> quantiser (`quantiser.py`) -> vectors (b, t, e) -> targets (b, t, p)

At every masked frame the prediction is compared, by cosine / 0.1, with the target of that frame and of 100 other frames
of the same clip, its negatives; the loss is the cross-entropy of finding the right one (equation 3). It is the mean
over masked frames, where transformers has the sum: the learning rate need not follow the size of batches then. Added is
0.1 times the diversity loss, (G V - perplexity) / (G V), which keeps all units in use (equation 4).

Targets learn as well, by the same gradient. Negatives are indices, drawn by NumPy from seed and batch among all other
frames of the clip, masked or not (the paper: among masked ones, of which a short clip has few). One that was quantised
to the same units as the target is no negative, and is left out.
The temperature of the quantiser is set before each step: it falls from 2 to 0.5 by equal factors, over all steps (the
paper's factor of 0.999995 for 400,000 steps would leave it at 2 in a short pretraining).

Perplexity near G, all frames of one unit, is collapse, and so is one near 1 in a single group, or a loss near 0: the
frame can be told without its context.

A. Baevski et al., "wav2vec 2.0: a framework for self-supervised learning of speech representations", NeurIPS 2020.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize, one_hot

from src.pretraining.contract import LOOK_FOR_SILENCE, Objective, PretrainingConfig
from src.pretraining.quantiser import ProductQuantiser, Quantised, perplexities, perplexity

if TYPE_CHECKING:
    from src.pretraining.encoders import PretrainingEncoder

GROUPS, UNITS, VECTOR_WIDTH, COMPARED_WIDTH = 2, 320, 256, 256
"""G, V, e and p of the published model."""
NEGATIVES = 100
SIMILARITY_TEMPERATURE = 0.1
DIVERSITY = 0.1
HOTTEST, COLDEST = 2.0, 0.5


class Wav2Vec2(Objective):
    """Quantised frames, told apart from others of the same clip."""

    mask_share = 0.49

    def __init__(self, encoder: "PretrainingEncoder", config: PretrainingConfig) -> None:
        super().__init__(encoder, config)
        self.quantiser = ProductQuantiser(encoder.feature_width, GROUPS, config.units or UNITS, VECTOR_WIDTH)
        self.to_targets = nn.Linear(VECTOR_WIDTH, COMPARED_WIDTH)
        self.to_predictions = nn.Linear(encoder.width, COMPARED_WIDTH)
        self.start_step(0, 1)

    def draw(self, rng: np.random.Generator, masks: np.ndarray) -> dict[str, np.ndarray]:
        """Return the negatives of the m masked frames of (b, t), clip by clip: other frames of the same clip.

        Shape (m, NEGATIVES), int64: numbers of frames, below t.
        """
        _, places = np.nonzero(masks)
        others = rng.integers(0, masks.shape[1] - 1, size=(len(places), NEGATIVES))
        return {"negatives": others + (others >= places[:, None])}

    def start_step(self, step: int, n_steps: int) -> None:
        """Set the temperature of the quantiser."""
        self.quantiser.temperature = HOTTEST * (COLDEST / HOTTEST) ** (step / max(1, n_steps))

    @property
    def remedy(self) -> str:
        """Return what to do where it has collapsed: its targets learn, and may do so too fast."""
        return f"{LOOK_FOR_SILENCE}, set `learning_rate` lower, or `batch_seconds` higher."

    def worst_loss(self, start: float) -> float:
        """Return twice the loss of the start, or of guessing: targets move, so that only a clear divergence counts."""
        return 2 * max(start, math.log(1 + NEGATIVES))

    def forward(self, heard: Tensor, clean: Tensor, masks: Tensor, **drawn: Tensor) -> dict[str, Any]:
        """Return the loss, its signs, and the last hidden state (b, t, d)."""
        features = self.encoder.features(heard, masks)
        hidden = self.encoder.contextual(features, masks)[-1]
        is_whole = clean is heard and not self.encoder.masks_spectra
        local = features if is_whole else self.encoder.features(clean)
        quantised = self.quantiser(self.encoder.normalised(local))
        logits = self._logits(hidden, quantised, masks, drawn["negatives"])
        found = cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long))
        likeliest = quantised.probabilities[masks].detach().argmax(dim=-1)
        chosen = one_hot(likeliest, self.quantiser.units).float()  # noise would hide that all frames are alike
        most = self.quantiser.groups * self.quantiser.units
        spread = (most - perplexity(quantised.probabilities[masks])) / most
        signs = {
            "loss_bits": found.detach() / math.log(2),
            "accuracy": (logits[:, 0] > logits[:, 1:].amax(dim=1)).float().mean(),
            "chance": (1 / logits.isfinite().sum(dim=1)).mean(),
            "perplexity": perplexity(chosen),
            "group_perplexity": perplexities(chosen).amin(),
            "codes_used": chosen.amax(dim=0).sum(dim=-1).mean() / min(self.quantiser.units, len(chosen)),
            "temperature": logits.new_tensor(self.quantiser.temperature),
        }
        return {"loss": found + DIVERSITY * spread, "signs": signs, "hidden": hidden}

    def _logits(self, hidden: Tensor, quantised: Quantised, masks: Tensor, negatives: Tensor) -> Tensor:
        """Return the cosines of predictions with targets, divided by their temperature.

        Parameters
        ----------
        hidden : torch.Tensor, shape (b, t, d)
        quantised : Quantised
            Of the same frames.
        masks : torch.Tensor of bool, shape (b, t)
        negatives : torch.Tensor of int64, shape (m, k)
            See `draw`.

        Returns
        -------
        torch.Tensor, shape (m, 1 + k)
            Column 0 is the right target; minus infinity where a negative has the same units.
        """
        predictions, targets = self.to_predictions(hidden).float(), self.to_targets(quantised.vectors).float()
        with torch.autocast(hidden.device.type, enabled=False):
            cosines = normalize(predictions, dim=-1) @ normalize(targets, dim=-1).transpose(1, 2)
        clips, places = masks.nonzero(as_tuple=True)
        logits = cosines[masks].gather(1, torch.cat([places[:, None], negatives], dim=1)) / SIMILARITY_TEMPERATURE
        codes = self.quantiser.codes(quantised.units)
        same = codes[clips].gather(1, negatives) == codes[masks][:, None]
        return torch.cat([logits[:, :1], logits[:, 1:].masked_fill(same, float("-inf"))], dim=1)

    def carry_on(self, name: str) -> None:
        """Take over the quantiser of a public checkpoint, and what compares with it."""
        published, report = read_with_quantiser(name)
        absent = sorted(key for key in report["missing_keys"] if key.startswith(("quantizer", "project_")))
        if absent:
            raise ValueError(
                f"{name} holds no quantiser ({absent[0]} is missing), whose units wav2vec2 learns to tell: carry on "
                "from a checkpoint of Wav2Vec2ForPreTraining, or with another `objective`."
            )
        table, config = published.quantizer.codevectors, published.config
        groups, units = config.num_codevector_groups, config.num_codevectors_per_group
        if self.config.units not in (0, units):
            raise ValueError(f"The quantiser of {name} has {units} units in a group, not {self.config.units}.")
        self.quantiser = ProductQuantiser(self.encoder.feature_width, groups, units, config.codevector_dim)
        self.quantiser.table.data = table.detach().view(groups, units, -1).clone()
        self.quantiser.logits = published.quantizer.weight_proj
        self.to_targets, self.to_predictions = published.project_q, published.project_hid
        self.start_step(0, 1)


def read_with_quantiser(name: str) -> tuple[Any, dict[str, Any]]:
    """Return a checkpoint as Wav2Vec2ForPreTraining, and which of its weights are missing."""
    from transformers import Wav2Vec2ForPreTraining

    loaded: Any = Wav2Vec2ForPreTraining.from_pretrained(name, dtype=torch.float32, output_loading_info=True)
    published, report = loaded
    return published, report
