"""The spans that a detector of frames finds in a test: their errors, an RTTM file, and a picture of one clip."""

from pathlib import Path

import numpy as np

from src.audio.io import SPEECH_RATE, load_waveform
from src.experiments.runs.artefacts import SPANS_PICTURE, SPANS_RTTM, save_figure
from src.experiments.training.localization import FRAME_THRESHOLD, Localization, localize
from src.experiments.training.trained import Trained
from src.metrics.verdict import Metric
from src.utils.clip_table import ClipTable
from src.utils.rttm import write_rttm
from src.utils.waveform_table import WaveformTable


def locate_spoofs(trained: Trained, table: ClipTable, folder: Path) -> dict[str, Metric]:
    """Write the spans found in the clips of a test, and return how well they fit the truth.

    Parameters
    ----------
    trained : Trained
    table : ClipTable
    folder : Path
        Of the test's results.

    Returns
    -------
    dict
        Segment EERs and range EER; empty for a model that does not decide frame by frame.
    """
    found = localize(trained.model, table)
    if found is None:
        return {}
    threshold = float(trained.metrics[FRAME_THRESHOLD])
    spans = found.spans(threshold)
    write_rttm(folder / SPANS_RTTM, spans)
    _draw_one(found, spans, threshold, folder)
    return found.errors_with_intervals()


def _draw_one(found: Localization, spans: dict[str, np.ndarray], threshold: float, folder: Path) -> None:
    """Draw the first clip that is partly spoofed, else the first one."""
    from src.visualize.spans import spans_figure

    table = found.table
    assert isinstance(table, WaveformTable)
    partly = np.flatnonzero(table.segments != "")
    number = int(partly[0]) if len(partly) else 0
    clip, file = found.clips[number], str(table.files[number])
    frames = (clip.frame_scores, clip.hop, threshold)
    waveform = load_waveform(Path(str(table.paths[number])))
    figure = spans_figure(waveform, SPEECH_RATE, frames, (clip.spans, spans[file]), title=file)
    save_figure(folder / SPANS_PICTURE, figure)
