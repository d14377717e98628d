"""The built-in recipes, as JSON has them (`recipes.py` says how to read them).

`field` presents a clip through channels at random: a room, a noise, a microphone, a line, a coding, each with a
probability, and then a level that says nothing. Half of the clips are left as they are but for their level: recipes
that distort three in four or nine in ten took more from clean speech than they gave (docs/benchmarks.md). Every effect
of it keeps the length; none is a vocoder (pitch and tempo are changed by one, whose traces in bona fide speech would
teach the wrong thing). The others ask one question each: additive noise, a telephone, codecs of the web, RawBoost's
three (Tak et al. 2022) one after the other.
"""

from typing import Any

Entries = list[dict[str, Any]]
Options = dict[str, dict[str, Any]]


def _between(low: float, high: float) -> dict[str, float]:
    return {"from": low, "to": high}


def _one_of(probability: float, **effects: dict[str, Any]) -> dict[str, Any]:
    named = [{"effect": effect, "parameters": parameters} for effect, parameters in effects.items()]
    return {"probability": probability, "one_of": named}


NOISES: Options = {
    "white": {"snr": _between(0, 40)},
    "pink": {"snr": _between(0, 35)},
    "babble": {"snr": _between(0, 30), "talkers": _between(1, 5)},
    "rawboost_stationary": {"snr": _between(5, 40)},
}
LINES: Options = {
    "mu_law": {"band": ["line", "open"]},
    "a_law": {"band": ["line", "open"]},
    "g722": {"band": ["line", "open"]},
    "amr": {"kbps": [4.75, 5.9, 7.4, 12.2], "band": ["line", "open"]},
}
CODECS: Options = {
    "mp3": {"kbps": [16, 24, 32, 48, 64, 96, 128]},
    "aac": {"kbps": [16, 24, 32, 48, 64, 96]},
    "opus": {"kbps": [8, 12, 16, 24, 32, 48]},
    "vorbis": {"quality": _between(0, 9)},
}
PACKETS: Options = {"packet_loss": {"loss": _between(1, 12), "burst": _between(1, 4), "conceal": ["repeat", "zeros"]}}
RAWBOOST: tuple[Options, ...] = (
    {"rawboost_convolutive": {"gain": _between(-20, -5)}},
    {"rawboost_impulsive": {"share": _between(0, 15)}},
    {"rawboost_stationary": {"snr": _between(10, 40)}},
)

RECIPES: dict[str, Entries] = {
    "field": [
        _one_of(0.07, room={"rt60": [0.2, 0.3, 0.5], "room": _between(0, 7)}),
        _one_of(0.2, **NOISES),
        _one_of(
            0.09,
            microphone={"depth": _between(2, 12)},
            band={"low": _between(20, 500), "high": _between(2000, 8000)},
            clipping={"share": _between(0.1, 8)},
            agc={"seconds": _between(0.05, 1), "gain": _between(5, 30)},
            resample={"hertz": [4000, 8000, 11025, 12000]},
        ),
        _one_of(0.05, **RAWBOOST[0], **RAWBOOST[1]),
        _one_of(0.22, **LINES, **CODECS),
        _one_of(0.03, **PACKETS),
        _one_of(1.0, level={"dbfs": _between(-45, -18)}),
    ],
    "noise": [_one_of(1.0, **NOISES)],
    "telephone": [_one_of(1.0, **LINES), _one_of(0.3, **PACKETS)],
    "codecs": [_one_of(1.0, **CODECS)],
    "rawboost": [_one_of(1.0, **effect) for effect in RAWBOOST],
}
"""Name of a recipe -> its entries."""
