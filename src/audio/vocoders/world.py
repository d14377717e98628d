"""The WORLD vocoder: pitch, spectral envelope and aperiodicity of a recording, and a waveform from these.

Morise, Yokomori and Ozawa, "WORLD: a vocoder-based high-quality speech synthesis system for real-time applications"
(2016), by the package pyworld. Of that only the compiled module is loaded: the package's own first file asks
setuptools for its version, by a module that setuptools no longer has.
"""

from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType

import numpy as np

FRAME = 5.0  # milliseconds between two frames


def world(waveform: np.ndarray, rate: int, seed: int) -> np.ndarray:
    """Resynthesise a recording with WORLD: pitch by Harvest, envelope by CheapTrick, aperiodicity by D4C.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
        Mono.
    rate : int
        Sample rate in Hz, 8000 or more.
    seed : int
        Not used: WORLD starts its noise from the same numbers for each clip.

    Returns
    -------
    np.ndarray, shape (n,)
        float64 at about the level of the original.
    """
    pyworld = _compiled()
    sound = np.ascontiguousarray(waveform, dtype=np.float64)
    pitch, times = pyworld.harvest(sound, rate, frame_period=FRAME)
    envelope = pyworld.cheaptrick(sound, pitch, times, rate)
    aperiodicity = pyworld.d4c(sound, pitch, times, rate)
    copy: np.ndarray = pyworld.synthesize(pitch, envelope, aperiodicity, rate, FRAME)
    return np.pad(copy, (0, max(0, len(sound) - len(copy))))[: len(sound)]


@cache
def _compiled() -> ModuleType:
    package = find_spec("pyworld")
    spec = PathFinder.find_spec("pyworld.pyworld", package.submodule_search_locations) if package else None
    if spec is None or spec.loader is None:
        raise ValueError('The vocoder world needs the package pyworld: pip install -e ".[vocoders]"')
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
