"""What every classifier offers, and what its training leaves behind.

A constructor stores its config and its seed; `fit` trains on the training table and evaluates on the validation
table; the history it returns describes the weights that `save` writes: `val_eers[best]` is their validation EER.
"""

import dataclasses
import math
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    import optuna


Watch = Callable[[int, float], bool]
"""Called with an epoch (from 0) and the lowest validation EER so far, at the end of every epoch; True = stop here."""


def keep_going(epoch: int, best_eer: float) -> bool:
    """Watch a training without ever stopping it."""
    return False


@dataclass(frozen=True)
class Config:
    """Hyperparameters of a classifier: a frozen dataclass whose fields all have defaults and are checked."""

    trials: ClassVar[int] = 30
    """How many trials a study has by default."""

    @property
    def epochs(self) -> int:
        """How many epochs a training has at most; 1 for a classifier without epochs."""
        return 1

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial of a study choose the hyperparameters, for a training on `n_clips` clips (0 = unknown)."""
        raise NotImplementedError

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Make a config of JSON values; fields not named keep their defaults.

        Raises
        ------
        ValueError
            When a name is unknown or a value is not allowed.
        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            allowed = ", ".join(f"{name}={_as_typed(field.default)}" for name, field in known.items())
            raise ValueError(f"Unknown hyperparameter '{unknown[0]}'; allowed, with their defaults: {allowed}.")
        for name, value in values.items():
            _check_kind(name, value, known[name].default)
        return cls(**values)


@dataclass(frozen=True)
class History:
    """Losses and validation EERs, one value per epoch; a classifier without epochs has one of each."""

    train_losses: np.ndarray
    val_losses: np.ndarray
    val_eers: np.ndarray
    best: int
    """The epoch whose weights are kept, chosen by the validation EER."""

    @classmethod
    def of_one(cls, train_loss: float, val_loss: float, val_eer: float) -> Self:
        """Return the history of a classifier without epochs."""
        return cls(np.array([train_loss]), np.array([val_loss]), np.array([val_eer]), best=0)

    @property
    def best_eer(self) -> float:
        """Validation EER of the weights that are kept."""
        return float(self.val_eers[self.best])


@dataclass(frozen=True)
class Workspace:
    """What a training of hours finds around it; none of it changes the numbers."""

    folder: Path
    """Where the training keeps its checkpoints."""
    curves: Path | None = None
    """Where curves go while they grow, for TensorBoard; None = nowhere."""
    workers: int = 0
    """Processes that read recordings."""


@runtime_checkable
class Resumable(Protocol):
    """A model whose training can be killed and resumed: whoever trains it gives it a workspace first."""

    workspace: Workspace | None


class Classifier(Protocol):
    """The contract of all classifiers, which differ in nothing that their users see."""

    Config: ClassVar[type[Config]]
    takes: ClassVar[str]
    """The kind of input that it is trained on: "embeddings"."""
    files: ClassVar[tuple[str, ...]]
    """What `save` writes; a study keeps them of its best trials only."""

    def __init__(self, config: Any, *, seed: int = 7) -> None: ...

    def fit(self, train: Any, val: Any, watch: Watch = keep_going) -> History:
        """Train on the table `train`, choose the weights by the table `val`, both of the kind that it takes.

        `watch` is called at the end of every epoch, if there are epochs.
        """

    def scores(self, inputs: Any, /) -> np.ndarray:
        """Return a score for every clip of a table's `inputs`: shape (n,), higher = more bona fide."""

    def save(self, folder: Path) -> None:
        """Write the weights in a format that runs no code when it is read."""

    @classmethod
    def load(cls, folder: Path, config: Any) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        FileNotFoundError
            When the folder holds no weights.
        ValueError
            When they are damaged or another classifier's.
        """


_KINDS = {
    bool: "true or false",
    int: "a whole number such as {}",
    float: "a number such as {}",
    str: "a word such as '{}'",
}
"""What a hyperparameter must be, by the type of its default."""


def _as_typed(default: object) -> str:
    """Return a value as it is typed on a command line."""
    return str(default).lower() if isinstance(default, bool) else str(default)


def _check_kind(name: str, value: Any, default: Any) -> None:
    """Raise ValueError when a value is not of its default's kind; a whole number may stand for a real one."""
    allowed = (int, float) if isinstance(default, float) else type(default)
    is_finite = not isinstance(value, float) or math.isfinite(value)
    if not isinstance(value, allowed) or (isinstance(value, bool) and not isinstance(default, bool)) or not is_finite:
        given = str(value).lower() if isinstance(value, bool) else repr(value)
        raise ValueError(f"Hyperparameter {name} must be {_KINDS[type(default)].format(default)}, not {given}.")


@contextmanager
def reading_weights(path: Path) -> Iterator[None]:
    """Say in one line why weights cannot be read; each library that reads them raises errors of its own."""
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} holds no {path.name}: its training did not finish.")
    try:
        yield
    except Exception as error:
        reason = textwrap.shorten(str(error) or type(error).__name__, 200)
        raise ValueError(f"{path} cannot be read ({reason}): it is damaged or another model's; train again.") from None


def cross_entropy(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean cross entropy of log-odds of bona fide, in nats.

    >>> round(cross_entropy(np.array([1, 0]), np.array([0.0, 0.0])), 4)
    0.6931
    """
    return float(np.logaddexp(0.0, -(2 * labels - 1) * scores).mean())


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise ValueError when a hyperparameter lies outside [low, high].

    >>> check_range("dropout", 1.5, 0, 0.9)
    Traceback (most recent call last):
    ValueError: Hyperparameter dropout must lie in [0, 0.9], not 1.5.
    """
    if not low <= value <= high:
        raise ValueError(f"Hyperparameter {name} must lie in [{low:g}, {high:g}], not {value:g}.")


def check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raise ValueError when a hyperparameter is none of the values allowed; "" stands for the default.

    >>> check_choice("size", "huge", ("", "small", "base"))
    Traceback (most recent call last):
    ValueError: `size` must be small or base, not 'huge'.
    """
    if value not in allowed:
        *others, last = filter(None, allowed)
        listed = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(f"`{name}` must be {listed}, not '{value}'.")
