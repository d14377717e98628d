"""Signs of health of a pretraining: gathered step by step, kept as rows, judged in words, and in the end a stop.

A row holds the means over the steps since the row before (of gradient norm and learning rate, what they are at
its own step): the columns of `signs.csv`, each where an objective has it.

    step, hours_seen              how far the training is
    loss, held_out_loss           what is minimised, and the same on speech that is not trained on
    loss_bits, accuracy, chance   of masked frames, where codes are named (`codes.py`); chance is the accuracy by chance
    perplexity, codes_used        how many codes there are in effect, and which share of them occurs
    group_perplexity              the former of the group of codes that has the fewest, where there are groups
    mel_loss, loss_of_mean        of spectra, where they are reconstructed (`mel.py`); the latter is chance
    cosine, cosine_of_mean        to the layers of a teacher, where it is distilled (`distill.py`); the latter is chance
    gradient_norm, temperature, learning_rate

A training has collapsed when its task has become trivial, whatever its loss promises. What says so, and why there:

    perplexity below 2.5     one code for all frames is a perplexity of 1, and of 2 where two groups of codes are summed
                             (wav2vec 2.0: "perplexity at 2 is collapse"). A healthy one is 10 and more
    below 1.25 in a group    the same of one of two groups, which a sum hides where the other one is healthy
    below 2 % of codes used  two of a hundred: the same, told by the number of codes
    loss below 0.05 bits     the right code has a probability of 2 ^ -0.05 = 97 % on average. No masked sound can be
                             told so surely: HuBERT ends at 3 bits and more
    cosine of mean over 0.99 the teacher says the same of all frames: there is nothing to learn from it, in silence
    loss of mean below 0.1   0.8 where bands vary as they should. Where all frames but a share p are the same, it is
                             2 (p (1 - p)) ^ 0.5 at most: 0.1 is a share of 0.25 %, and there is nothing to reconstruct

Only three rows one after another behind the warm-up count: codes may be few while the first weights still say nothing,
and a batch may be silent. A sign that is not finite counts at once.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import pandas as pd

COLUMNS = (
    "step",
    "hours_seen",
    "loss",
    "held_out_loss",
    "loss_bits",
    "accuracy",
    "chance",
    "perplexity",
    "group_perplexity",
    "codes_used",
    "mel_loss",
    "loss_of_mean",
    "cosine",
    "cosine_1",
    "cosine_2",
    "cosine_3",
    "cosine_of_mean",
    "gradient_norm",
    "temperature",
    "learning_rate",
)
LEAST_PERPLEXITY = 2.5
LEAST_GROUP_PERPLEXITY = LEAST_PERPLEXITY / 2
LEAST_CODES_USED = 0.02
LEAST_BITS = 0.05
LEAST_LOSS_OF_MEAN = 0.1
GREATEST_COSINE_OF_MEAN = 0.99
LASTING = 3
"""Rows with a collapse after which a training stops."""
BY_CHANCE = 1.1
"""An accuracy up to so many times chance is no better than it: batches differ by that much."""
AS_THE_MEAN = 0.98
"""Share of the loss of answering with the mean from which a reconstruction is no better than it."""
RISEN = 1.02
"""A held-out loss of so many times the lowest one rises; below that it wavers."""
STEEP = 20.0
"""Gradient norms of healthy trainings lie between 0.5 and 2; ten times that is no chance."""

Row = dict[str, float]


class Health:
    """Rows of signs, and what they say; its state goes into checkpoints.

    Parameters
    ----------
    warm_up : int
        Steps in which nothing stops a training, such as those in which the learning rate rises.
    remedy : str
        What to do where it has collapsed, in a sentence.
    """

    def __init__(self, warm_up: int, remedy: str = "Look for silence (fab DatasetInfo).") -> None:
        self.warm_up, self.remedy = warm_up, remedy
        self.rows: list[Row] = []
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, signs: Mapping[str, float]) -> None:
        """Add the signs of a step: those of the objective, `loss`, `gradient_norm` and `learning_rate`."""
        for name, value in signs.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
            self._counts[name] = self._counts.get(name, 0) + 1

    def end_row(self, step: int, hours_seen: float, held_out_loss: float | None = None) -> str:
        """Make a row of the steps since the last one; return what it says, in words.

        Raises
        ------
        ValueError
            When the training has collapsed, or a sign is not finite; the row is kept, to be seen.
        """
        row = {"step": step, "hours_seen": hours_seen}
        row |= {name: self._sums[name] / self._counts[name] for name in COLUMNS if name in self._sums}
        if held_out_loss is not None:
            row["held_out_loss"] = held_out_loss
        self.rows.append(row)
        self._sums, self._counts = {}, {}
        self._stop_if_hopeless()
        return self.words()

    def _stop_if_hopeless(self) -> None:
        """Raise ValueError where the last rows leave no hope."""
        step = self.rows[-1]["step"]
        for name, value in self.rows[-1].items():
            if not math.isfinite(value):
                raise ValueError(
                    f"{name} is not finite at step {step}: set `learning_rate` lower, or `precision` to fp32."
                )
        last = [row for row in self.rows[-LASTING:] if row["step"] > self.warm_up]
        if len(last) == LASTING and all(collapse_in(row) for row in last):
            raise ValueError(f"The pretraining has collapsed at step {step}: {collapse_in(last[-1])}. {self.remedy}")

    def words(self) -> str:
        """Return in a short phrase how the training is: "learning, 5.21 bits, accuracy 12 % (chance 6 %)"."""
        return judge(self.rows, self.warm_up)

    def table(self) -> pd.DataFrame:
        """Return the rows as a table with the columns that occur, in the order of `COLUMNS`."""
        return pd.DataFrame(self.rows, columns=[name for name in COLUMNS if any(name in row for row in self.rows)])

    def state(self) -> dict[str, Any]:
        """Return what `with_state` goes on from, for JSON."""
        return {"rows": self.rows, "sums": self._sums, "counts": self._counts}

    def with_state(self, state: Mapping[str, Any]) -> Self:
        """Go on from a state."""
        self.rows = [dict(row) for row in state["rows"]]
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])
        return self


def collapse_in(row: Row) -> str:
    """Return what of a row tells that a training has collapsed; empty when nothing does.

    >>> collapse_in({"step": 100, "perplexity": 1.04, "codes_used": 0.01, "loss_bits": 0.02})
    'frames have next to no codes but one (perplexity 1.04)'
    """
    if row.get("perplexity", math.inf) < LEAST_PERPLEXITY:
        return f"frames have next to no codes but one (perplexity {row['perplexity']:.3g})"
    if row.get("group_perplexity", math.inf) < LEAST_GROUP_PERPLEXITY:
        return f"frames have next to no codes but one in one of the groups (perplexity {row['group_perplexity']:.3g})"
    if row.get("codes_used", math.inf) < LEAST_CODES_USED:
        return f"next to no codes are used ({100 * row['codes_used']:.2g} %)"
    if row.get("loss_bits", math.inf) < LEAST_BITS:
        return f"masked frames are known for certain (loss {row['loss_bits']:.2g} bits)"
    if row.get("loss_of_mean", math.inf) < LEAST_LOSS_OF_MEAN:
        return f"spectra do not vary (answering with their mean has a loss of {row['loss_of_mean']:.2g})"
    if row.get("cosine_of_mean", 0.0) > GREATEST_COSINE_OF_MEAN:
        return f"the teacher's answers do not vary (the cosine to their mean is {row['cosine_of_mean']:.3g})"
    return ""


def judge(rows: Sequence[Row], warm_up: int) -> str:
    """Return in a short phrase what the newest of some rows says, the most worrying first.

    >>> judge([{"step": 50, "loss_bits": 4.9, "accuracy": 0.2, "chance": 0.1, "perplexity": 61.0}], 10)
    'learning, 4.90 bits, accuracy 20.0 % (chance 10.0 %), perplexity 61'
    """
    if not rows or rows[-1]["step"] <= warm_up:
        return ", ".join(["warming up", *_numbers(rows[-1] if rows else {})])
    return ", ".join([_state(rows, warm_up), *_numbers(rows[-1])])


def _state(rows: Sequence[Row], warm_up: int) -> str:
    """Return the state that the newest row is in; chance is compared with means of a few rows, which may be short."""
    row = rows[-1]
    late = pd.DataFrame([each for each in rows[-LASTING:] if each["step"] > warm_up]).mean().to_dict()
    held_out = [each["held_out_loss"] for each in rows if "held_out_loss" in each]
    if collapse := collapse_in(row):
        return f"collapsing: {collapse}"
    if row.get("gradient_norm", 0.0) > STEEP:
        return f"unsteady (gradient norm {row['gradient_norm']:.3g})"
    if late.get("accuracy", math.inf) <= BY_CHANCE * late.get("chance", 0.0):
        return "no better than chance"
    if "accuracy" not in row and late.get("mel_loss", 0.0) >= AS_THE_MEAN * late.get("loss_of_mean", math.inf):
        return "no better than the mean"
    if late.get("cosine", math.inf) <= BY_CHANCE * late.get("cosine_of_mean", 0.0):
        return "no better than the mean"
    if held_out and held_out[-1] > RISEN * min(held_out):
        return "held-out loss rises"
    return "learning"


def _numbers(row: Row) -> list[str]:
    """Return the numbers that a phrase ends with."""
    told = []
    if "loss_bits" in row:
        told.append(f"{row['loss_bits']:.2f} bits")
    elif "loss" in row and "loss_of_mean" not in row:
        told.append(f"loss {row['loss']:.3g}")
    if "cosine" in row:
        told.append(f"cosine {row['cosine']:.3f} (mean {row['cosine_of_mean']:.3f})")
    if "accuracy" in row:
        told.append(f"accuracy {100 * row['accuracy']:.1f} % (chance {100 * row.get('chance', 0):.1f} %)")
    if "perplexity" in row:
        told.append(f"perplexity {row['perplexity']:.3g}")
    if "mel_loss" in row:
        told.append(f"spectra {row['mel_loss']:.3g} (mean {row['loss_of_mean']:.3g})")
    return told
