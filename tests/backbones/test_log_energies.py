"""Features computed in blocks and in threads are those of the whole clip at once, by one thread."""

import functools

import loky
import numpy as np
import pytest
from scipy.fft import dct
from scipy.sparse import csr_array

from src.backbones import clip_by_clip, load_backbone
from src.backbones.contract import Backbone
from src.backbones.lfcc import linear_filters
from src.backbones.log_energies import BLOCK, LogEnergies, delta, with_slopes
from src.backbones.mel import hann, mel_filters
from tests.forked import finished, forked

SPECTRA = {
    "lfcc": (np.hamming(320), linear_filters(), 0.97),
    "mfcc": (np.hamming(320), mel_filters(40), 0.97),
    "logmel": (hann(400), mel_filters(80), 0.0),
}
LENGTHS = (400, 12_345, 16_000, 160 * (BLOCK + 3), 40_000)


def noise(n: int) -> np.ndarray:
    """Return noise of its own for each length, a tenth of full scale."""
    return (0.1 * np.random.default_rng(n).standard_normal(n)).astype(np.float32)


def at_once(kind: str, waveform: np.ndarray) -> np.ndarray:
    """Return features (d, t) by the plain formulas on the whole clip, as stores had them before there were blocks."""
    window, filters, pre_emphasis = SPECTRA[kind]
    waveform = waveform.astype(np.float64)
    emphasised = np.append(waveform[:1], waveform[1:] - pre_emphasis * waveform[:-1])
    frames = np.lib.stride_tricks.sliding_window_view(emphasised, len(window))[::160] * window
    energies = np.log(np.abs(np.fft.rfft(frames, 512)) ** 2 @ filters.T + 1e-10).T
    if kind == "logmel":
        return energies
    cepstra = dct(energies, norm="ortho", axis=0)
    return np.concatenate([cepstra, np.gradient(extended(cepstra), axis=1)[:, 1:-1], double_delta(cepstra)])


def extended(features: np.ndarray) -> np.ndarray:
    return np.pad(features, ((0, 0), (1, 1)), mode="edge")


def double_delta(cepstra: np.ndarray) -> np.ndarray:
    once = np.gradient(extended(cepstra), axis=1)[:, 1:-1]
    return np.gradient(extended(once), axis=1)[:, 1:-1]


@pytest.fixture(params=SPECTRA)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    return load_backbone(request.param)


@pytest.mark.parametrize("kind", SPECTRA)
@pytest.mark.parametrize("n_frames", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 7])
@pytest.mark.parametrize("beyond", [0, 159])
def test_blocks_give_the_frames_of_the_whole_clip(kind: str, n_frames: int, beyond: int) -> None:
    window, filters, pre_emphasis = SPECTRA[kind]
    waveform = noise(len(window) + 160 * (n_frames - 1) + beyond)
    energies = LogEnergies(window, csr_array(filters), pre_emphasis)(waveform)
    assert energies.shape == (len(filters), n_frames)
    found = energies if kind == "logmel" else with_slopes(energies)
    np.testing.assert_allclose(found, at_once(kind, waveform), rtol=0, atol=1e-12 * np.abs(found).max())


def test_a_frame_does_not_depend_on_its_block() -> None:
    """Frames of a clip that begins some frames later lie in other places of other blocks."""
    energies = LogEnergies(hann(400), csr_array(mel_filters(80)))
    waveform = noise(160 * (2 * BLOCK + 50))
    whole = energies(waveform)
    for later in (1, 5, BLOCK):
        np.testing.assert_allclose(energies(waveform[160 * later :]), whole[:, later:], rtol=0, atol=1e-13)


def test_stores_of_before_hold_the_same_numbers(backbone: Backbone) -> None:
    """To the last digit of float32, of which a rounding of float64 may cross the border."""
    statistics, counts = backbone.statistics([noise(n) for n in LENGTHS])
    for n, (found,), count in zip(LENGTHS, statistics, counts, strict=True):
        features = at_once(str(backbone.identity()["backbone"]), noise(n))
        assert count == features.shape[1]
        expected = np.array([features.mean(axis=1), features.std(axis=1)])
        np.testing.assert_allclose(found, expected, rtol=1.2e-7, atol=1e-9)


def test_numbers_do_not_depend_on_the_number_of_threads(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = [noise(n) for n in (*LENGTHS, *LENGTHS[::-1], 50_000)]
    alone = np.concatenate([backbone.statistics([clip])[0] for clip in clips])
    for n_threads in (1, 2, 5):
        monkeypatch.setattr(loky, "cpu_count", lambda n=n_threads: n)
        monkeypatch.setattr(clip_by_clip, "_threads", functools.lru_cache(clip_by_clip._threads.__wrapped__))
        np.testing.assert_array_equal(backbone.statistics(clips)[0], alone)
        assert clip_by_clip._threads.cache_info().currsize == 1


def test_a_forked_process_has_threads_of_its_own() -> None:
    backbone, clips = load_backbone("lfcc"), [noise(n) for n in LENGTHS]
    expected = backbone.statistics(clips)[0]

    def compare() -> None:
        np.testing.assert_array_equal(backbone.statistics(clips)[0], expected)

    assert finished(forked(compare)) == 0


def test_an_error_of_one_clip_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = load_backbone("lfcc")

    def refuse(waveform: np.ndarray) -> np.ndarray:
        raise MemoryError("no room")

    monkeypatch.setattr(backbone, "features", refuse)
    with pytest.raises(MemoryError, match="no room"):
        backbone.statistics([noise(400), noise(500)])


def test_slopes_at_the_edges_are_half_a_step() -> None:
    assert delta(np.array([[0.0, 2.0]])).tolist() == [[1.0, 1.0]]
    assert delta(np.array([[3.0]])).tolist() == [[0.0]]
    assert delta(np.array([[0.0, 1.0, 4.0, 9.0]])).tolist() == [[0.5, 2.0, 4.0, 2.5]]
