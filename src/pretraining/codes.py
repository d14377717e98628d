"""What objectives share that ask for codes of masked frames: which of k units does a frame have?

The signs that come with it (natural logarithms inside, bits outside):

    loss_bits    cross-entropy, in bits; log2 k when every unit is equally likely
    accuracy     share of masked frames whose unit is the likeliest of the network's answer
    chance       the accuracy of always naming the unit that was commonest before the first step
    perplexity   of the units that masked frames have: 2 to the entropy of their frequencies, in bits. k when all are
                 equally frequent, 1 when all frames have one and the same: then the targets have collapsed
    codes_used   how many different units masked frames have, as a share of those that they could have at most:
                 k, or their own number where they are fewer
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

Result = tuple[Tensor, dict[str, Tensor]]
"""A loss, and signs by name."""


def predict_codes(logits: Tensor, codes: Tensor, commonest: Tensor) -> Result:
    """Return the cross-entropy of masked frames, in nats, and its signs.

    Parameters
    ----------
    logits : torch.Tensor, shape (m, k)
        Of the m masked frames of a batch.
    codes : torch.Tensor of int64, shape (m,)
    commonest : torch.Tensor of int64, shape ()
        The code that is named by chance.
    """
    loss = cross_entropy(logits.float(), codes)
    signs = {
        "loss_bits": loss.detach() / math.log(2),
        "accuracy": (logits.argmax(dim=1) == codes).float().mean(),
        "chance": (codes == commonest).float().mean(),
        **code_signs(codes, logits.shape[1]),
    }
    return loss, signs


def code_signs(codes: Tensor, n_codes: int) -> dict[str, Tensor]:
    """Return the perplexity of codes (m,), and which share of them is used.

    >>> signs = code_signs(torch.tensor([0, 0, 3, 3]), 8)
    >>> {name: round(float(sign), 4) for name, sign in signs.items()}
    {'perplexity': 2.0, 'codes_used': 0.5}
    """
    frequencies = one_hot(codes, n_codes).float().mean(dim=0)
    return {
        "perplexity": torch.special.entr(frequencies).sum().exp(),
        "codes_used": (frequencies > 0).sum() / min(n_codes, len(codes)),
    }
