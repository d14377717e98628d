"""Steps: what is done to one waveform, recorded so that it can be done again.

A step holds the effect's name, the value of every parameter, the seed of its Generator and the names of the recordings
that it mixes in, as plain JSON. Replaying it on the same waveform with the same sources gives the same samples.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from src.audio.augment.contract import Value, check_machine, check_parameters, find_effect
from src.audio.augment.sources import NO_SOURCES, Sources

RATES = (8_000, 48_000)
"""Lowest and highest sample rate that effects are made for, in hertz."""
KEYS = ("effect", "parameters", "seed", "files")


@dataclass(frozen=True)
class Step:
    """An effect with everything that decides what it does."""

    effect: str
    parameters: Mapping[str, Value]
    """Every parameter of the effect."""
    seed: int = 0
    files: tuple[str, ...] = ()
    """Recordings mixed in: paths relative to their folder in the sources, with forward slashes."""

    def __post_init__(self) -> None:
        check_parameters(self.effect, self.parameters)
        missing = [name for name in find_effect(self.effect).parameters if name not in self.parameters]
        if missing:
            raise ValueError(f"A step of the effect '{self.effect}' lacks {', '.join(missing)}.")

    def as_json(self) -> dict[str, Any]:
        """Return the step as plain JSON.

        >>> make_step("white", snr=10).as_json()
        {'effect': 'white', 'parameters': {'snr': 10}, 'seed': 0, 'files': []}
        """
        return {
            "effect": self.effect,
            "parameters": dict(self.parameters),
            "seed": self.seed,
            "files": list(self.files),
        }

    @classmethod
    def from_json(cls, record: Any) -> "Step":
        """Return the step that `as_json` wrote.

        Raises
        ------
        ValueError
            When the record is no step, or its effect or a parameter is unknown or out of range.

        >>> step = make_step("white", seed=3, snr=10)
        >>> Step.from_json(step.as_json()) == step
        True
        """
        if not isinstance(record, dict) or set(record) != set(KEYS) or not isinstance(record["parameters"], dict):
            raise ValueError(f"A step is a JSON object of {', '.join(KEYS)}, not {record!r:.80}.")
        seed, files = record["seed"], record["files"]
        if not isinstance(seed, int) or seed < 0:
            raise ValueError(f"The seed of a step must be a whole number from 0, not {seed!r}.")
        if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
            raise ValueError(f"The files of a step must be a list of paths, not {files!r:.80}.")
        return cls(record["effect"], record["parameters"], seed, tuple(files))

    def __str__(self) -> str:
        """Return the step in words.

        >>> str(make_step("white", snr=10))
        'white (snr 10 dB)'
        """
        units = {name: allowed.unit for name, allowed in find_effect(self.effect).parameters.items()}
        values = {
            name: f"{value:.4g}" if isinstance(value, float) else value for name, value in self.parameters.items()
        }
        told = ", ".join(f"{name} {value} {units[name]}".rstrip() for name, value in values.items())
        return f"{self.effect} ({told.replace('_', ' ')})" if told else self.effect


def make_step(effect: str, seed: int = 0, files: tuple[str, ...] = (), **parameters: Value) -> Step:
    """Return a step; parameters that are left out have their defaults.

    >>> make_step("level").parameters
    {'dbfs': -26}
    """
    defaults = {name: allowed.default for name, allowed in find_effect(effect).parameters.items()}
    return Step(effect, defaults | parameters, seed, files)


def apply_steps(steps: Iterable[Step], waveform: np.ndarray, rate: int, sources: Sources = NO_SOURCES) -> np.ndarray:
    """Apply steps to a waveform, one after another.

    Parameters
    ----------
    steps : iterable of Step
    waveform : np.ndarray, shape (n,)
        Finite.
    rate : int
        In hertz, 8,000 to 48,000.
    sources : Sources
        Where the recordings lie that steps mix in.

    Returns
    -------
    np.ndarray, shape (m,)
        float32, finite, within [-1, 1]; m = n where every effect keeps the length (`keep_length`). With no steps, the
        waveform itself.

    Raises
    ------
    ValueError
        When the waveform or the rate is impossible, or the machine lacks a package or an encoder.
    FileNotFoundError
        When a recording of a step does not exist.

    Examples
    --------
    >>> tone = 0.5 * np.sin(np.arange(1600, dtype=np.float32))
    >>> apply_steps([make_step("level", dbfs=-20)], tone, 16000).std().round(3)
    np.float32(0.1)
    """
    if waveform.ndim != 1 or not waveform.size or not np.isfinite(waveform).all():
        raise ValueError(f"`waveform` must be finite samples of shape (n,), n >= 1, not {waveform.shape}.")
    if not RATES[0] <= rate <= RATES[1]:
        raise ValueError(f"`rate` must lie between {RATES[0]} and {RATES[1]} Hz, not {rate}.")
    for step in steps:
        effect = find_effect(step.effect)
        check_machine(step.effect)
        rng = np.random.default_rng(step.seed)
        mixed_in = (
            {"recordings": sources.read(effect.draws, step.files, waveform.size, rate, rng)} if effect.draws else {}
        )
        changed = effect.function(waveform, rate, rng, **step.parameters, **mixed_in)
        waveform = (changed / max(1.0, np.abs(changed).max())).astype(np.float32)
    return waveform


def keep_length(steps: Iterable[Step]) -> bool:
    """Tell whether a waveform is as long after these steps as before.

    >>> keep_length([make_step("white"), make_step("level")])
    True
    """
    return all(find_effect(step.effect).keeps_length for step in steps)
