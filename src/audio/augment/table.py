"""The table of effects, which imports nothing: help texts and recipes read it."""

EFFECTS = {
    "white": "src.audio.augment.noise:WHITE",
    "level": "src.audio.augment.level:LEVEL",
}
"""Name of an effect -> "module:attribute"; the attribute is an `Effect`."""
