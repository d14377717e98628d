import cmath
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.audio.vocoders.compiled import load_librosa
from src.backbones import load_backbone
from src.backbones.lfcc import Lfcc, lfcc, linear_filters
from src.backbones.log_energies import delta


def noise(n: int, seed: int = 0) -> np.ndarray:
    """Return noise of a tenth of full scale."""
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def lfcc_in_loops(waveform: np.ndarray) -> list[list[float]]:
    """Compute the features one number at a time, straight from their definition."""
    x = [float(sample) for sample in waveform]
    x = [x[n] - 0.97 * x[n - 1] if n else x[0] for n in range(len(x))]
    cepstra = []
    for start in range(0, len(x) - 320 + 1, 160):
        window = [0.54 - 0.46 * math.cos(2 * math.pi * n / 319) for n in range(320)]
        frame = [x[start + n] * window[n] for n in range(320)]
        power = []
        for k in range(257):
            step = cmath.exp(-2j * math.pi * k / 512)
            total = 0j
            for sample in reversed(frame):  # Horner: the sum of frame[n] * step^n
                total = total * step + sample
            power.append(abs(total) ** 2)
        energies = []
        for m in range(40):
            low, centre, high = (8000 * (m + i) / 41 for i in range(3))
            energy = 0.0
            for k in range(257):
                frequency = k * 16000 / 512
                if low < frequency <= centre:
                    energy += power[k] * (frequency - low) / (centre - low)
                elif centre < frequency < high:
                    energy += power[k] * (high - frequency) / (high - centre)
            energies.append(math.log(energy + 1e-10))
        frame_cepstra = []
        for j in range(40):
            total = sum(energies[m] * math.cos(math.pi * j * (2 * m + 1) / 80) for m in range(40))
            frame_cepstra.append(total * math.sqrt((1 if j == 0 else 2) / 40))
        cepstra.append(frame_cepstra)
    deltas = slopes_in_loops(cepstra)
    doubles = slopes_in_loops(deltas)
    return [c + d + dd for c, d, dd in zip(cepstra, deltas, doubles, strict=True)]


def slopes_in_loops(rows: list[list[float]]) -> list[list[float]]:
    last = len(rows) - 1
    return [
        [(rows[min(t + 1, last)][j] - rows[max(t - 1, 0)][j]) / 2 for j in range(len(rows[t]))]
        for t in range(len(rows))
    ]


def test_features_are_those_of_the_definition_in_plain_loops() -> None:
    waveform = noise(320 + 4 * 160 + 37)
    np.testing.assert_allclose(lfcc(waveform), lfcc_in_loops(waveform), rtol=1e-9, atol=1e-9)


def test_features_are_those_put_together_from_librosa() -> None:
    librosa = load_librosa()
    waveform = noise(8000).astype(np.float64)
    emphasised = librosa.effects.preemphasis(waveform, coef=0.97, zi=[0.0])
    # librosa centres the window of 320 in the 512 of the transform: 96 zeros on either side bring the frames in line.
    spectrum = librosa.stft(
        np.pad(emphasised, 96), n_fft=512, hop_length=160, win_length=320, window=np.hamming(320), center=False
    )
    edges = np.linspace(0, 8000, 42)
    bins = np.arange(257) * 31.25
    filters = np.array([np.interp(bins, edges[m : m + 3], [0, 1, 0]) for m in range(40)])
    energies = np.log(filters @ np.abs(spectrum) ** 2 + 1e-10)
    cepstra = librosa.feature.mfcc(S=energies, n_mfcc=40, dct_type=2, norm="ortho")
    deltas = librosa.feature.delta(cepstra, width=3, mode="nearest")
    doubles = librosa.feature.delta(deltas, width=3, mode="nearest")
    expected = np.vstack([cepstra, deltas, doubles]).T
    np.testing.assert_allclose(lfcc(waveform), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("samples", "frames"), [(1, 1), (319, 1), (320, 1), (479, 1), (480, 2), (16_000, 99), (64_000, 399)]
)
def test_frame_counts(samples: int, frames: int) -> None:
    assert Lfcc().frames(noise(samples)).shape == (1, frames, 120)
    assert Lfcc().statistics([noise(samples)])[1] == [frames]


@settings(max_examples=30, deadline=None)
@given(st.integers(320, 3000), st.integers(0, 99))
def test_a_frame_depends_on_its_own_20_ms_alone(samples: int, seed: int) -> None:
    whole = lfcc(noise(samples, seed))[:, :40]
    assert len(whole) == 1 + (samples - 320) // 160
    last = len(whole) - 1
    # one sample more in front, which pre-emphasis looks back to, and which the next line cuts off again
    alone = lfcc(noise(samples, seed)[max(0, 160 * last - 160) : 160 * last + 320])[-1, :40]
    np.testing.assert_allclose(whole[-1], alone, rtol=1e-9, atol=1e-9)


def test_loudness_moves_the_first_coefficient_alone() -> None:
    waveform = noise(4000)
    difference = lfcc(2 * waveform) - lfcc(waveform)
    np.testing.assert_allclose(difference[:, 0], math.log(4) * math.sqrt(40), rtol=1e-4)
    np.testing.assert_allclose(difference[:, 1:], 0, atol=1e-3)


@pytest.mark.parametrize("place", [0, 20, 39])
def test_a_tone_at_the_centre_of_a_filter_rings_in_that_filter(place: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 8000 * (place + 1) / 41 * np.arange(3200) / 16000)
    cepstra = lfcc(tone)[5, :40]
    # the orthonormal cosine transform undone: its matrix transposed
    basis = np.cos(np.pi * np.outer(np.arange(40), 2 * np.arange(40) + 1) / 80) * np.sqrt(2 / 40)
    basis[0] /= np.sqrt(2)
    assert int((basis.T @ cepstra).argmax()) == place


def test_filters_are_triangles_of_equal_width_over_all_frequencies() -> None:
    filters = linear_filters()
    assert filters.shape == (40, 257)
    assert (filters >= 0).all()
    assert (filters <= 1).all()
    assert (filters[:, [0, -1]] == 0).all()
    assert (np.diff(filters.argmax(axis=1)) > 0).all()
    np.testing.assert_allclose(filters[::-1, ::-1], filters, atol=1e-12)


def test_slopes_of_a_straight_line_are_its_slope_but_at_the_ends() -> None:
    slopes = delta(3.0 * np.arange(6)[None])
    assert slopes.ravel().tolist() == [1.5, 3, 3, 3, 3, 1.5]
    assert (delta(np.ones((4, 1))) == 0).all()


def test_digital_silence_gives_numbers() -> None:
    assert np.isfinite(lfcc(np.zeros(1000))).all()


def test_statistics_are_mean_and_population_deviation_whatever_stands_beside() -> None:
    """Fault 7: what is kept is pooled."""
    clips = [noise(n, seed) for seed, n in enumerate((320, 5000, 16_000, 5000, 500))]
    pooled, counts = Lfcc().statistics(clips)
    assert pooled.shape == (5, 1, 2, 120)
    assert pooled.dtype == np.float32
    assert counts == [1, 30, 99, 30, 2]
    for clip, statistics in zip(clips, pooled, strict=True):
        frames = lfcc(clip)
        np.testing.assert_allclose(statistics[0, 0], frames.mean(axis=0), rtol=1e-6, atol=1e-6)
        deviation = np.sqrt(((frames - frames.mean(axis=0)) ** 2).sum(axis=0) / len(frames))
        np.testing.assert_allclose(statistics[0, 1], deviation, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(Lfcc().statistics([clip])[0][0], statistics)
        np.testing.assert_array_equal(Lfcc().begin([clip])()[0][0], statistics)
        np.testing.assert_array_equal(Lfcc().frames(clip)[0], frames.astype(np.float32))
    assert (pooled[0, 0, 1] == 0).all(), "a single frame does not deviate"


def test_identity_is_json_and_agrees_with_the_shapes() -> None:
    backbone = load_backbone("lfcc")
    identity = json.loads(json.dumps(backbone.identity()))
    assert identity == backbone.identity()
    assert (identity["backbone"], identity["rate"], identity["layers"]) == ("lfcc", 16_000, [0])
    assert identity["dimension"] == backbone.frames(noise(400)).shape[2] == 120
    assert backbone.min_samples == 320


@pytest.mark.parametrize("options", [{}, {"device": "cpu"}, {"precision": "fp32"}, {"device": "auto"}, {"layers": "0"}])
def test_settings_that_lfcc_has(options: dict[str, str]) -> None:
    assert load_backbone("lfcc", **options).layers == (0,)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"model": "facebook/x"}, "lfcc has no models to choose from; leave out `model=facebook/x`"),
        ({"precision": "bf16"}, "lfcc knows no precision 'bf16'; leave out `precision`"),
        ({"device": "cuda"}, "lfcc runs on the CPU; leave out `device=cuda`"),
        ({"layers": "1"}, "There is no layer 1: this model has the layers 0 to 0"),
    ],
)
def test_settings_that_lfcc_has_not_are_refused(options: dict[str, str], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        load_backbone("lfcc", **options)


@pytest.mark.parametrize(("name", "line"), [("ear", "Unknown backbone 'ear'"), ("", r"No backbone given \(`backbone`")])
def test_unknown_backbones_are_refused_with_those_there_are(name: str, line: str) -> None:
    with pytest.raises(ValueError, match=line + ".*; allowed: wav2vec2, hubert, wavlm, .*lfcc"):
        load_backbone(name)
