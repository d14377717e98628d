"""Voices of nobody: a source-filter synthesiser of speech-like recordings.

The demo and the tests need recordings of several people, offline and free of anyone's rights. `draw_voice` draws a
person, `speak` has that person say something. There are no words in it, but what a detector of machine-made speech
listens to: glottal cycles that are never twice alike, moving formants, consonants, pauses, a room, a noise floor.

After Fant, "Acoustic Theory of Speech Production" (1960), speech is a source through a filter:

- Plan: phrases of syllables become phones (`Phone`), laid on frames of 4 ms and smoothed as a mouth moves.
- Source: pulses of glottal flow (Klatt and Klatt 1990: a rise and a sharp closure) with cycle-to-cycle jitter and
  shimmer, and aspiration noise, loudest while the glottis is open. Lip radiation, a derivative, is taken of the flow
  at once: it commutes with the filter.
- Filter: a cascade of two-pole resonators, one per formant, those beyond the sample rate's reach too, for their skirts.
  Overlapping windows of the source each pass the filter of their moment and are added: formants glide, where switched
  coefficients would click. Fricatives and bursts arise in front of the tongue: noise beside the cascade.
- Recording: a room and a background (`rooms.py`), a microphone amplifier's high-pass, a level drawn per clip.

Phones are those of an average man; `formant_scale` stretches them for shorter vocal tracts. The same state of the
generator gives the same bytes.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from src.audio.rooms import Decibels, Hertz, Seconds, background_noise, impulse_response

FRAME: Seconds = 0.004
UPPER_FORMANTS: tuple[Hertz, ...] = tuple(range(3500, 12000, 1000))  # a tube of 17.5 cm has one in every 1000 Hz

Tracks = dict[str, np.ndarray]  # a field of `Phone` -> its value at every frame


@dataclass(frozen=True)
class Voice:
    """A person in their room: what stays the same from clip to clip."""

    f0: Hertz  # geometric mean of the fundamental frequency
    f0_range: float  # fall over a phrase, and height of its accents, in semitones
    formant_scale: float  # 1 for an average man, more for a shorter vocal tract
    jitter: float  # relative deviation of a cycle's pace
    shimmer: float  # relative deviation of a cycle's amplitude
    breathiness: float  # aspiration noise against the peak of the voice source
    tilt: Decibels  # what the source loses at 3 kHz
    reverb_time: Seconds  # until the room's tail has fallen by 60 dB
    reverb_level: Decibels  # the room against the direct sound
    noise_level: Decibels  # the background against the speech
    syllable_rate: float  # per second, pauses aside


class Phone(NamedTuple):
    """A stretch of constant targets; gains are relative to a stressed vowel."""

    seconds: Seconds
    f1: Hertz
    f2: Hertz
    f3: Hertz
    voicing: float = 0.0
    breath: float = 0.0  # noise at the glottis, through the formants
    noise: float = 0.0  # noise at the tongue or lips, beside them
    noise_hz: Hertz = 0.0  # where that noise is strongest
    accent: float = 0.0  # 1 lifts F0 by half the voice's range
    phrase: float = 0.0  # number of the phrase, 0 for pauses


# Men of Peterson and Barney, "Control methods used in a study of the vowels" (1952), rounded, and vowels between them.
VOWELS = tuple(
    Phone(0.11, *formants, voicing=1.0)
    for formants in (
        (270, 2290, 3010), (390, 2000, 2600), (530, 1840, 2480), (730, 1150, 2440),
        (570, 840, 2410), (450, 900, 2350), (300, 870, 2240), (500, 1450, 2450),
    )
)  # fmt: skip


def _stop(f2: Hertz, noise_hz: Hertz, voicing: float) -> tuple[Phone, ...]:
    """A closure, a burst and, where it is voiceless, a puff of breath."""
    closed = Phone(0.06, 250, f2, 2400, voicing=voicing)
    burst = Phone(0.012, 300, f2, 2400, voicing=voicing, noise=0.35, noise_hz=noise_hz)
    return (closed, burst) if voicing else (closed, burst, Phone(0.024, 400, f2, 2450, breath=0.5))


CONSONANTS: tuple[tuple[Phone, ...], ...] = (
    *(_stop(f2, hz, voicing) for f2, hz in ((900, 900), (1750, 4200), (2100, 1900)) for voicing in (0.0, 0.12)),
    (Phone(0.09, 320, 1700, 2550, noise=0.30, noise_hz=5800),),  # s
    (Phone(0.06, 280, 1700, 2550, voicing=0.3, noise=0.15, noise_hz=5600),),  # z
    (Phone(0.09, 320, 1850, 2500, noise=0.30, noise_hz=3100),),  # sh
    (Phone(0.08, 320, 1100, 2300, noise=0.06, noise_hz=4600),),  # f
    (Phone(0.05, 280, 1100, 2300, voicing=0.3, noise=0.03, noise_hz=4600),),  # v
    (Phone(0.06, 500, 1400, 2450, breath=0.5),),  # h
    (Phone(0.07, 250, 1000, 2200, voicing=0.4),),  # m
    (Phone(0.07, 250, 1600, 2500, voicing=0.4),),  # n
    (Phone(0.06, 360, 1100, 2700, voicing=0.6),),  # l
    (Phone(0.05, 400, 1300, 1700, voicing=0.6),),  # r
)


def draw_voice(gender: str, rng: np.random.Generator) -> Voice:
    """Draw a person of a gender, and the room they record in.

    Parameters
    ----------
    gender : str
        "F" (mean F0 of 165 to 255 Hz) or "M" (85 to 155 Hz).
    rng : np.random.Generator
        Source of every trait.

    Returns
    -------
    Voice
        To be handed to `speak`, as often as wanted.

    Raises
    ------
    ValueError
        If the gender is neither F nor M.

    Examples
    --------
    >>> voice = draw_voice("F", np.random.default_rng(0))
    >>> 165 <= voice.f0 <= 255
    True
    """
    if gender not in ("F", "M"):
        raise ValueError(f"gender {gender!r} is not known; give 'F' or 'M'")
    f0, scale = ((165.0, 255.0), (1.10, 1.24)) if gender == "F" else ((85.0, 155.0), (0.92, 1.06))
    return Voice(
        f0=rng.uniform(*f0),
        f0_range=rng.uniform(3.0, 7.0),
        formant_scale=rng.uniform(*scale),
        jitter=rng.uniform(0.004, 0.012),
        shimmer=rng.uniform(0.02, 0.07),
        breathiness=rng.uniform(0.005, 0.04),
        tilt=rng.uniform(1.0, 8.0),
        reverb_time=rng.uniform(0.15, 0.6),
        reverb_level=rng.uniform(-22.0, -8.0),
        noise_level=rng.uniform(-55.0, -35.0),
        syllable_rate=rng.uniform(3.8, 6.0),
    )


def speak(voice: Voice, seconds: Seconds, rng: np.random.Generator, rate: int = 16000) -> np.ndarray:
    """Record a clip of a voice saying something new.

    Parameters
    ----------
    voice : Voice
        Who speaks, from `draw_voice`.
    seconds : float
        Length of the clip, its silent ends included.
    rng : np.random.Generator
        Source of what is said, how it is said, and the level it is recorded at.
    rate : int
        Sample rate in Hz.

    Returns
    -------
    np.ndarray, shape (round(seconds * rate),)
        float32 with a peak between 0.2 and 0.8.

    Raises
    ------
    ValueError
        If the clip would have no sample, or the rate is below 8000 Hz.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> speak(draw_voice("M", rng), 1.5, rng).shape
    (24000,)
    """
    n = round(seconds * rate)
    if n < 1 or rate < 8000:
        raise ValueError(f"cannot speak {seconds} s at {rate} Hz; give more than 0 s, at 8000 Hz or more")
    at = np.arange(n) / round(FRAME * rate)  # where each sample lies on the grid of frames
    tracks = _frames(_phones(voice, seconds, rng), int(at[-1]) + 2)
    speech = _through_tract(_source(voice, tracks, at, rng, rate), voice, tracks, rate)
    speech /= np.sqrt(np.mean(speech**2)) + 1e-12
    speech += _turbulence(voice, tracks, at, rng, rate)
    speech = fftconvolve(speech, impulse_response(voice.reverb_time, voice.reverb_level, rng, rate))[:n]
    speech += 10 ** (voice.noise_level / 20) * background_noise(n, rng, rate)
    speech = sosfilt(butter(2, 50.0, "highpass", fs=rate, output="sos"), speech)
    return (speech * rng.uniform(0.2, 0.8) / np.max(np.abs(speech))).astype(np.float32)


def _phones(voice: Voice, seconds: Seconds, rng: np.random.Generator) -> list[Phone]:
    """Draw phrases of syllables with pauses between, and silence at both ends, to fill the clip."""
    start, end = rng.uniform(0.02, 0.1, 2) * min(seconds, 3.0)
    phones = [Phone(start, 500, 1500, 2500)]
    phrase, left, spoken = 1, int(rng.integers(4, 11)), start
    while spoken <= seconds - end:
        if left == 0:
            syllable = [Phone(rng.uniform(0.12, 0.4), 500, 1500, 2500)]
            phrase, left = phrase + 1, int(rng.integers(4, 11))
        else:
            accent = float(rng.random() < 0.35)
            pace = 4.5 / voice.syllable_rate * rng.uniform(0.8, 1.25) * (1.4 if left == 1 else 1.0 + 0.2 * accent)
            parts = [*CONSONANTS[rng.integers(len(CONSONANTS))]] if rng.random() < 0.85 else []
            vowel = VOWELS[rng.integers(len(VOWELS))]
            parts.append(vowel._replace(voicing=rng.uniform(0.6, 0.8) + 0.2 * accent, accent=accent))
            if rng.random() < 0.25:
                parts.extend(CONSONANTS[rng.integers(6, len(CONSONANTS))])  # no stop ends a syllable
            syllable = [p._replace(seconds=p.seconds * pace, phrase=phrase) for p in parts]
            left -= 1
        phones.extend(syllable)
        spoken += sum(p.seconds for p in syllable)
    while spoken > seconds - end:
        last = phones.pop()
        spoken -= last.seconds
    return [*phones, last._replace(seconds=seconds - end - spoken), Phone(end + 1.0, 500, 1500, 2500)]


def _frames(phones: list[Phone], n_frames: int) -> Tracks:
    """Lay phones on frames: one track (n_frames,) per field, smoothed by the inertia of tongue and glottis."""
    rows = np.array(phones)
    ends = np.round(np.cumsum(rows[:, 0]) / FRAME).astype(int)
    columns = np.repeat(rows, np.diff(ends, prepend=0), axis=0)[:n_frames].T
    tracks = dict(zip(Phone._fields, columns, strict=True))
    for name, inertia in (("f1", 0.018), ("f2", 0.018), ("f3", 0.018), ("voicing", 0.006), ("breath", 0.006)):
        tracks[name] = gaussian_filter1d(tracks[name], inertia / FRAME)
    return tracks


def _melody(voice: Voice, tracks: Tracks, rng: np.random.Generator) -> np.ndarray:
    """F0 per frame: it falls through each phrase, rises on accents and drifts; its mean over voicing is the voice's."""
    phrases = tracks["phrase"]
    fall = np.zeros(len(phrases))
    for phrase in np.unique(phrases[phrases > 0]):
        inside = np.flatnonzero(phrases == phrase)
        fall[inside] = np.linspace(0.5, -0.5, len(inside))
    drift = gaussian_filter1d(rng.standard_normal(len(phrases)), 0.1 / FRAME) * np.sqrt(0.1 / FRAME)
    accents = gaussian_filter1d(tracks["accent"], 0.05 / FRAME)
    semitones = voice.f0_range * (gaussian_filter1d(fall, 0.03 / FRAME) + 0.5 * accents) + 0.5 * drift
    semitones -= np.average(semitones, weights=tracks["voicing"] + 1e-9)
    return voice.f0 * 2 ** (semitones / 12)


def _source(voice: Voice, tracks: Tracks, at: np.ndarray, rng: np.random.Generator, rate: int) -> np.ndarray:
    """Glottal flow, radiated, with aspiration: (n,) samples at the frame positions `at`, peaks near 1."""
    frames = np.arange(len(tracks["f1"]))
    f0 = np.interp(at, frames, _melody(voice, tracks, rng))
    cycles = np.cumsum(f0 / rate)
    paces = 1 + voice.jitter * rng.standard_normal(2 * int(cycles[-1]) + 9)
    cycles = np.cumsum(f0 * paces[cycles.astype(int)] / rate)
    heights = np.maximum(0.2, 1 + voice.shimmer * rng.standard_normal(len(paces)))

    # Klatt and Klatt's flow x^2 (1 - x) rises over the open part of a cycle and closes at its steepest, with slope -1.
    opened = 0.5 + 3 * voice.breathiness
    x = np.minimum(cycles % 1.0 / opened, 1.0)
    flow = heights[cycles.astype(int)] * x**2 * (1 - x)
    pulses = np.diff(flow, prepend=0.0) * (opened * rate / voice.f0)

    # One pole a: |H|^2 = (1 - a)^2 / (1 - 2 a c + a^2) = g at 3 kHz, where c is the cosine; solved for a.
    g, c = 10 ** (-voice.tilt / 10), np.cos(2 * np.pi * 3000 / rate)
    pole = ((1 - g * c) - np.sqrt((1 - g * c) ** 2 - (1 - g) ** 2)) / (1 - g)
    pulses = lfilter([1 - pole], [1.0, -pole], pulses)

    hiss = rng.standard_normal(len(at))
    voicing, breath = np.interp(at, frames, tracks["voicing"]), np.interp(at, frames, tracks["breath"])
    return voicing * (pulses + voice.breathiness * (0.3 + 4 * x * (1 - x)) * hiss) + 0.1 * breath * hiss


def _through_tract(source: np.ndarray, voice: Voice, tracks: Tracks, rate: int) -> np.ndarray:
    """Filter (n,) samples through the moving formants, by overlap-add of windows two frames long."""
    hop = round(FRAME * rate)
    n_fft = 16 * hop  # 64 ms, in which the narrowest formant decays by 100 dB
    lower = np.stack([tracks[name] for name in ("f1", "f2", "f3")], axis=1)
    omega = 2 * np.pi * np.fft.rfftfreq(n_fft, 1 / rate)
    response = np.ones((1, 1))
    for hz in [*lower.T, *UPPER_FORMANTS]:
        formant = voice.formant_scale * np.atleast_1d(hz)[:, None]
        damping = np.pi * (50 + formant / 20)  # half the bandwidth, 75 Hz at 500 Hz and wider above, in radians
        square = (2 * np.pi * formant) ** 2 + damping**2
        response = response * (square / (square - omega**2 + 2j * damping * omega))  # gain 1 at 0 Hz, as a tube has

    window = np.sin(np.pi * np.arange(2 * hop) / (2 * hop)) ** 2  # centred on its frame; the windows sum to 1
    padded = np.pad(source, (hop, len(lower) * hop + hop - len(source)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * hop)[::hop][: len(lower)] * window
    pieces = np.fft.irfft(np.fft.rfft(windows, n_fft) * response, n_fft).reshape(len(lower), 16, hop)
    blocks = np.zeros((len(lower) + 15, hop))
    for k in range(16):
        blocks[k : k + len(lower)] += pieces[:, k]
    return blocks.ravel()[hop : hop + len(source)]


def _turbulence(voice: Voice, tracks: Tracks, at: np.ndarray, rng: np.random.Generator, rate: int) -> np.ndarray:
    """Frication and bursts: (n,) samples of noise, coloured by where in the mouth it arises."""
    output, white = np.zeros(len(at)), rng.standard_normal(len(at))
    for hz in np.unique(tracks["noise_hz"][tracks["noise"] > 0]):
        angle = 2 * np.pi * min(hz * voice.formant_scale, 0.45 * rate) / rate
        radius = np.exp(-angle / 6)  # a bandwidth of a third of the centre
        colour = lfilter([1.0, 0.0, -1.0], [1.0, -2 * radius * np.cos(angle), radius**2], white)
        gain = gaussian_filter1d(np.where(tracks["noise_hz"] == hz, tracks["noise"], 0.0), 0.004 / FRAME)
        output += np.interp(at, np.arange(len(gain)), gain) * colour / (colour.std() + 1e-12)
    return output
