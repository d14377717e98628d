"""Windows of training and clips of validation, changed as sound is changed on its way: a recipe is drawn from.

The draws come from the generator that is given. That of a training window follows from seed, epoch and clip: a
training that is resumed hears what it would have heard. Babble is made of bona fide clips of the same split, by other
people than the clip's own where there are others: in training nobody of validation is ever heard, and nobody of the
test in either. Where clips are partly spoofed, effects that change the length are left out for all clips: they would
move the stretches that are labelled, and left out for some clips only, they would tell these apart. They are left out
as well where a distorted clip must stay beside the clip as it is.
"""

from pathlib import Path
from typing import Protocol

import numpy as np

from src.audio.augment.contract import find_effect
from src.audio.augment.sources import Sources
from src.audio.augment.steps import apply_steps
from src.audio.io import SPEECH_RATE
from src.utils.babble import OthersVoices
from src.utils.labels import BONAFIDE
from src.utils.recipes import parse_recipe
from src.utils.waveform_table import WaveformTable

ANYWHERE = Path()
"""The paths of a table are whole: whatever they are joined to, they stay."""


class Augmenting(Protocol):
    """What a config says of augmentation."""

    @property
    def augment(self) -> str:
        """A recipe: its name, or all of it as JSON."""

    @property
    def noise_folder(self) -> str:
        """Folder of recordings of noise; empty for none."""

    @property
    def rooms_folder(self) -> str:
        """Folder of responses of rooms; empty for none."""


class Augmentation:
    """A recipe, and the recordings of a split that its effects mix in."""

    def __init__(self, table: WaveformTable, config: Augmenting, *, keeps_length: bool = False) -> None:
        self.recipe = parse_recipe(config.augment)
        folders = [Path(folder) if folder else None for folder in (config.noise_folder, config.rooms_folder)]
        self.speakers = table.speakers
        self.keeps_length = keeps_length or any(str(cell) for cell in table.segments)
        sources, is_bonafide = Sources(ANYWHERE, (), *folders), table.labels == BONAFIDE
        self.voices = OthersVoices(sources, table.paths, table.speakers, is_bonafide)

    def check(self) -> None:
        """Raise ValueError where an effect of the recipe cannot be had."""
        self.recipe.check(self.voices.into_clips_of(""))

    def __call__(self, waveform: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
        """Return a stretch of the clip with this number as it is heard: (n,) -> (m,), at SPEECH_RATE."""
        sources = self.voices.into_clips_of(str(self.speakers[number]))
        steps = self.recipe.draw(rng, sources)
        if self.keeps_length:
            steps = tuple(step for step in steps if find_effect(step.effect).keeps_length)
        return apply_steps(steps, waveform, SPEECH_RATE, sources)
