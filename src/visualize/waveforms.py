"""Waveforms of clips, and below them their spectrograms.

Clips are drawn side by side on the same scales: amplitude, time, and colour. The spectrogram is
the power of 25 ms of sound (Hann window) every 10 ms, in decibels below the loudest point of all clips shown;
what lies 80 dB or more below it is black.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from src.audio.framing import frame_signal
from src.visualize.style import BLACK, new_panels, require_finite

FLOOR_DB = -80.0
_WINDOW, _HOP = 0.025, 0.010  # seconds
_WIDTH, _HEIGHT = 3.6, 4.2  # inches for each clip


def waveforms_figure(waveforms: Mapping[str, np.ndarray], rate: int) -> Figure:
    """Draw clips side by side: waveform above, spectrogram below.

    Parameters
    ----------
    waveforms : mapping of str to np.ndarray, shape (n,)
        Title -> samples within [-1, 1]; the clips may differ in length.
    rate : int
        Sample rate of all of them, in Hz.

    Raises
    ------
    ValueError
        When there is no clip, one is empty or not of shape (n,), or a sample is NaN or infinite.

    Examples
    --------
    >>> tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000)
    >>> figure = waveforms_figure({"a tone": tone, "quieter": 0.1 * tone}, rate=16000)
    >>> [axes.get_title() for axes in figure.axes[:2]]
    ['a tone', 'quieter']
    """
    if not waveforms:
        raise ValueError("There is no clip to draw: give at least one.")
    for name, waveform in waveforms.items():
        if np.ndim(waveform) != 1 or np.size(waveform) == 0:
            raise ValueError(f"A waveform must have shape (n,), n >= 1; that of {name!r} has {np.shape(waveform)}.")
        require_finite(np.asarray(waveform), f"samples of {name!r}")
    spectrograms = {name: _power_db(np.asarray(waveform, np.float64), rate) for name, waveform in waveforms.items()}
    loudest = max(float(power.max()) for power in spectrograms.values())
    figure, panels = new_panels(2, len(waveforms), (_WIDTH * len(waveforms), _HEIGHT), sharex=True, sharey="row")
    for (above, below), (name, waveform) in zip(panels.T, waveforms.items(), strict=True):
        above.plot(np.arange(len(waveform)) / rate, waveform, color=BLACK, linewidth=0.4, rasterized=True)
        above.set_title(name, fontsize=10, parse_math=False)
        n_rows, n_frames = spectrograms[name].shape
        step = rate / 2000 / (n_rows - 1)  # kHz; rows and columns are centred at their frequencies and times
        extent = (-_HOP / 2, (n_frames - 0.5) * _HOP, -step / 2, rate / 2000 + step / 2)
        image = below.imshow(
            spectrograms[name] - loudest,
            cmap="magma",
            vmin=FLOOR_DB,
            vmax=0,
            aspect="auto",
            origin="lower",
            extent=extent,
        )
        below.set(xlabel="time (s)", facecolor=BLACK)
    seconds = max(len(waveform) for waveform in waveforms.values()) / rate
    panels[0, 0].set(ylabel="amplitude", xlim=(0, seconds))
    panels[1, 0].set(ylabel="frequency (kHz)", ylim=(0, rate / 2000))
    figure.colorbar(image, ax=panels[1, :].tolist(), label="dB", pad=0.02)
    return figure


def _power_db(waveform: np.ndarray, rate: int) -> np.ndarray:
    """Return the power spectrogram in dB, shape (frequencies, t); frame t lies around t * hop seconds."""
    length, hop = round(_WINDOW * rate), round(_HOP * rate)
    frames = frame_signal(np.pad(waveform, length // 2), length, hop)
    spectrum = np.fft.rfft(frames * np.hanning(length), axis=1).T
    # Digital silence has no logarithm; -140 dB lies far below the floor of every audible clip.
    return 20 * np.log10(np.maximum(np.abs(spectrum), 1e-7))
