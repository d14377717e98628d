"""Which band and which background suit all clips of a corpus, read off its cues.

Clips are grouped: the bona fide ones, and those of each system. The band ends where that of the narrowest group does,
and the floor is the background of the noisiest one, by the medians of the groups; a group of fewer than five clips does
not count. One telephone call must not cost all others half of their band, so the band never ends below 3.4 kHz, and no
more than a faint noise is added, 30 dB below the level of the clip.
"""

import numpy as np
import pandas as pd

from src.audio.evening import CommonSound

LEAST_CLIPS = 5
LOWEST_BAND, HIGHEST_BAND = 3400.0, 7500.0
"""In hertz; higher, the slope of the filter would not end before 8 kHz."""
LOUDEST_FLOOR, LOWEST_FLOOR = -30.0, -60.0
"""In dB over the level of the clip."""


def common_sound(clips: pd.DataFrame) -> CommonSound:
    """Return what the clips of a corpus can all be brought to.

    Parameters
    ----------
    clips : pd.DataFrame
        Columns label, system and the cues `bandwidth` and `noise floor`.
    """
    groups = clips.groupby(["label", "system"])[["bandwidth", "noise floor"]]
    medians = groups.median()[groups.size() >= LEAST_CLIPS]
    if medians.empty:
        medians = clips[["bandwidth", "noise floor"]].median().to_frame().T
    band = np.floor(medians["bandwidth"].min() / 100) * 100
    floor = np.ceil(medians["noise floor"].max())
    return CommonSound(
        float(np.clip(band, LOWEST_BAND, HIGHEST_BAND)), float(np.clip(floor, LOWEST_FLOOR, LOUDEST_FLOOR))
    )
