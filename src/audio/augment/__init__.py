"""Effects of the real world on a waveform: noise, rooms, telephones, codecs; each of them recorded and repeatable.

An effect is one function and one row of `EFFECTS`; the row names an `Effect` (`contract.py`): the function, the ranges
of its parameters, whether it keeps the length. A `Step` (`steps.py`) is an effect with all of its parameters, a seed,
and the recordings that it mixes in: plain JSON, enough to do exactly the same again. A `Recipe` (`recipes.py`) draws
steps. `Sources` (`sources.py`) says where recordings of noise, of rooms and of other people lie.

    recipe = read_recipe("field")
    steps = recipe.draw(np.random.default_rng(7), sources)
    heard = apply_steps(steps, waveform, rate, sources)

Conventions: waveforms have the shape (n,), float32, within [-1, 1]; their rate lies between 8 and 48 kHz. What exceeds
full scale after an effect is scaled down as a whole, never clipped unless clipping is the effect. A delay that an
effect has (a codec's, a room's) is taken away, so that spoofed segments keep their place. Effects that change the
length say so (`Effect.keeps_length`). Nothing touches global random state: every effect draws from a numpy Generator
of its step's seed, so that the same step gives the same samples in any process and order; a codec's samples may differ
from one version of FFmpeg to the next.
"""

from src.audio.augment.noise import add_noise
from src.audio.augment.table import EFFECTS

__all__ = ["EFFECTS", "add_noise"]
