"""Every effect reaches what it was asked for: ratio, level, band, length, loss, decay, pitch, place in time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate, welch

from src.audio.augment.contract import find_effect
from src.audio.augment.packet_loss import draw_losses
from src.audio.augment.rawboost import add_impulses, draw_filter
from src.audio.augment.rooms import N_ROOMS, decay_time, room_response
from src.audio.augment.steps import apply_steps, make_step
from src.audio.normalize import rms

RATE = 16_000
SOON = settings(deadline=None, max_examples=20)
snrs = st.floats(-20, 60)
rates = st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000])
seeds = st.integers(0, 2**32 - 1)


def noise(seed: int, rate: int = RATE, seconds: float = 1.0, level: float = 0.1) -> np.ndarray:
    made = np.random.default_rng(seed).standard_normal(round(rate * seconds))
    return (level * made / np.abs(made).max()).astype(np.float32)


def tone(hertz: float, rate: int = RATE, seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def decibels(waveform: np.ndarray) -> float:
    return 20 * np.log10(rms(waveform))


def power_in(waveform: np.ndarray, rate: int, low: float, high: float) -> float:
    frequencies, power = welch(waveform, rate, nperseg=min(1024, waveform.size))
    return float(10 * np.log10(power[(frequencies >= low) & (frequencies <= high)].mean() + 1e-20))


def lag(made: np.ndarray, clean: np.ndarray) -> int:
    """Return by how many samples a waveform comes after another."""
    return int(correlate(made, clean, method="fft").argmax()) - clean.size + 1


@pytest.mark.parametrize("name", ["white", "pink", "rawboost_stationary", "babble", "noise"])
def test_noise_has_the_ratio_asked_for_to_a_thousandth_of_a_decibel(name: str) -> None:
    @SOON
    @given(snrs, rates, seeds, st.sampled_from([0.1, 0.5]), st.floats(1e-2, 1))
    def check(snr: float, rate: int, seed: int, seconds: float, level: float) -> None:
        clean = noise(1, rate, seconds, level).astype(np.float64)
        effect, step = find_effect(name), make_step(name, seed, snr=snr)
        others = {"recordings": [noise(2, rate, seconds), noise(3, rate, seconds)]} if effect.draws else {}
        made = effect.function(clean, rate, np.random.default_rng(seed), **step.parameters, **others)
        assert decibels(clean) - decibels(made - clean) == pytest.approx(snr, abs=1e-3)

    check()


def test_noise_that_passes_full_scale_is_scaled_down_with_the_speech() -> None:
    clean = noise(1, level=1.0)
    made = apply_steps([make_step("white", 5, snr=-20)], clean, RATE)
    assert np.abs(made).max() == 1
    assert np.count_nonzero(np.abs(made) == 1) == 1


def test_pink_noise_falls_by_three_decibels_an_octave() -> None:
    made = find_effect("pink").function(tone(100, seconds=20), RATE, np.random.default_rng(0), snr=-20)
    bands = [power_in(made, RATE, low, 2 * low) for low in (250, 500, 1000, 2000, 4000)]
    np.testing.assert_allclose(np.diff(bands), -3.01, atol=0.3)


def test_babble_has_every_talker_at_the_same_level() -> None:
    people = [0.1 * tone(500), 0.9 * tone(1500)]
    babble = find_effect("babble").function
    made = babble(np.ones(RATE), RATE, np.random.default_rng(0), snr=0, talkers=2, recordings=people)
    assert rms(made) == 0  # an offset alone is no sound
    made = babble(tone(3000), RATE, np.random.default_rng(0), snr=0, talkers=2, recordings=people)
    assert power_in(made, RATE, 450, 550) == pytest.approx(power_in(made, RATE, 1450, 1550), abs=0.1)


@SOON
@given(st.floats(-70, -10), st.floats(1e-3, 1), seeds)
def test_level_is_reached_or_full_scale_first(dbfs: float, gain: float, seed: int) -> None:
    clean = noise(seed, seconds=0.2, level=gain)
    made = apply_steps([make_step("level", dbfs=dbfs)], clean, RATE)
    crest = np.abs(clean).max() / rms(clean)
    if 10 ** (dbfs / 20) * crest <= 1:
        assert decibels(made) == pytest.approx(dbfs, abs=1e-3)
    else:
        assert np.abs(made).max() == pytest.approx(1)


@settings(deadline=None, max_examples=10)
@given(st.floats(100, 900), st.floats(2000, 3700), rates)
def test_a_band_keeps_what_lies_within_and_is_forty_decibels_down_an_octave_beyond(
    low: float, high: float, rate: int
) -> None:
    def change(hertz: float) -> float:
        clean = tone(hertz, rate)
        made = apply_steps([make_step("band", low=low, high=high)], clean, rate)
        middle = slice(rate // 4, -rate // 4)
        return decibels(made[middle]) - decibels(clean[middle])

    assert change(1.3 * low) == pytest.approx(0, abs=0.5)
    assert change(0.77 * high) == pytest.approx(0, abs=0.5)
    assert change(low) == pytest.approx(-6, abs=0.5)
    assert change(low / 2) < -40
    if 2.2 * high < rate / 2:
        assert change(high) == pytest.approx(-6, abs=0.5)
        assert change(2 * high) < -40


def test_a_band_delays_nothing() -> None:
    assert lag(apply_steps([make_step("band")], noise(1), RATE), noise(1)) == 0


@SOON
@given(st.floats(0, 20), seeds)
def test_a_response_lies_within_its_depth_and_keeps_the_level(depth: float, seed: int) -> None:
    clean = noise(2, seconds=4)
    made = apply_steps([make_step("microphone", seed, depth=depth)], clean, RATE)
    assert decibels(made) == pytest.approx(decibels(clean), abs=0.01)
    changes = [
        power_in(made, RATE, f, f + 100) - power_in(clean, RATE, f, f + 100) for f in (200, 500, 1000, 3000, 6000)
    ]
    assert max(changes) - min(changes) <= 2 * depth + 0.3
    assert lag(made, clean) == 0


@SOON
@given(st.floats(0, 50), seeds)
def test_clipping_takes_the_share_asked_for(share: float, seed: int) -> None:
    clean = noise(seed)
    made = apply_steps([make_step("clipping", share=share)], clean, RATE)
    assert np.count_nonzero(made != clean) == pytest.approx(share / 100 * clean.size, abs=1.5)
    assert np.all(np.abs(made) <= np.abs(clean))


@pytest.mark.parametrize("level", [0.001, 0.03, 0.9])
def test_automatic_gain_brings_a_steady_sound_to_its_level_as_far_as_its_gain_reaches(level: float) -> None:
    clean = noise(4, seconds=3, level=level)
    made = apply_steps([make_step("agc", dbfs=-30, seconds=0.1, gain=20)], clean, RATE)[RATE:]
    gain = np.clip(-30 - decibels(clean), -20, 20)
    assert decibels(made) == pytest.approx(decibels(clean) + gain, abs=0.5)


CODECS = {
    "mu_law": 3_400, "a_law": 3_400, "g722": 7_000, "amr": 3_400, "mp3": 3_000, "aac": 3_000, "vorbis": 3_000,
    "opus": 3_000,
}  # fmt: skip
"""Effect -> a frequency in hertz up to which it keeps the band."""


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_a_codec_keeps_every_sound_in_its_place_and_about_as_loud(name: str, rate: int) -> None:
    n = rate
    swell = np.sin(np.pi * 5 * np.arange(n) / n) ** 2
    clean = apply_steps([make_step("band", low=300, high=2000)], (swell * noise(3, rate)).astype(np.float32), rate)
    made = apply_steps([make_step(name)], clean, rate)
    assert abs(lag(made, clean)) <= (3 * rate / 8000 if name == "amr" else rate / 8000)
    assert decibels(made) == pytest.approx(decibels(clean), abs=3)
    # The envelope, too: where it was silent it is silent.
    loud, soft = (np.abs(np.arange(n) / n * 5 % 1 - middle) < 0.1 for middle in (0.5, 0.0))
    assert decibels(made[loud]) > decibels(made[soft]) + 10


@pytest.mark.parametrize("name", ["mu_law", "a_law", "amr"])
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_a_telephone_ends_at_four_kilohertz(name: str, rate: int) -> None:
    clean = noise(3, rate, 2)
    made = apply_steps([make_step(name)], clean, rate)
    assert power_in(made, rate, 4_300, 7_500) < power_in(made, rate, 500, 3_000) - 45


@pytest.mark.parametrize(("name", "decoded"), [("mu_law", 37), ("a_law", 37), ("g722", 25)])
def test_a_coding_is_as_good_as_its_standard_says(name: str, decoded: float) -> None:
    clean = tone(1000, 16_000)
    made = apply_steps([make_step(name, band="open")], clean, 16_000)[1000:-1000]
    error = made - clean[1000:-1000]
    assert decibels(clean) - decibels(error) > decoded - 4


@pytest.mark.parametrize("name", ["mp3", "aac", "opus"])
def test_more_bits_are_nearer_to_the_original(name: str) -> None:
    swell = np.sin(np.pi * 5 * np.arange(RATE) / RATE) ** 2
    clean = (noise(3) * swell).astype(np.float32)
    errors = [rms(apply_steps([make_step(name, kbps=kbps)], clean, RATE) - clean) for kbps in (12, 32, 128)]
    assert errors[0] > errors[1] > errors[2]


@SOON
@given(st.integers(1, 400), st.floats(0, 50), st.floats(1, 10), seeds)
def test_as_many_packets_are_lost_as_asked_for(n_packets: int, loss: float, burst: float, seed: int) -> None:
    lost = draw_losses(n_packets, loss, burst, np.random.default_rng(seed))
    assert lost.size == n_packets
    assert lost.sum() == round(loss / 100 * n_packets)


def test_losses_come_in_bursts_of_the_length_asked_for() -> None:
    lost = draw_losses(200_000, 10, 3, np.random.default_rng(0))
    n_bursts = np.count_nonzero(np.diff(np.r_[0, lost.astype(int)]) == 1)
    assert lost.sum() / n_bursts == pytest.approx(3, rel=0.15)


def test_a_lost_packet_is_the_one_before_and_fades_within_sixty_milliseconds() -> None:
    step = make_step("packet_loss", 3, loss=20, burst=6, ms=20, conceal="repeat")
    clean = np.ones(32_000, np.float32)
    made = apply_steps([step], clean, RATE)
    packets = made.reshape(-1, 320)
    changed = packets[(packets != 1).any(axis=1)]
    assert len(changed) <= 20
    assert np.all(np.diff(changed, axis=1) <= 0)
    assert np.any(changed == 0)


@SOON
@given(st.sampled_from([2_000, 4_000, 8_000, 11_025]), rates)
def test_a_way_through_a_lower_rate_takes_what_lies_above_its_half(hertz: int, rate: int) -> None:
    clean = noise(1, rate, 2)
    made = apply_steps([make_step("resample", hertz=hertz)], clean, rate)
    assert made.size == clean.size
    assert lag(made, clean) == 0
    if hertz < 0.8 * rate:
        top = min(rate / 2, hertz)
        assert power_in(made, rate, 0.6 * hertz, top) < power_in(clean, rate, 0.6 * hertz, top) - 60
    assert power_in(made, rate, 100, 0.4 * hertz) == pytest.approx(power_in(clean, rate, 100, 0.4 * hertz), abs=0.3)


def pitch_of(waveform: np.ndarray, rate: int) -> float:
    windowed = waveform * np.hanning(waveform.size)
    return float(np.abs(np.fft.rfft(windowed)).argmax() * rate / waveform.size)


@SOON
@given(st.floats(0.5, 2), rates)
def test_speed_changes_length_and_pitch_and_tempo_the_length_alone(factor: float, rate: int) -> None:
    clean = tone(500, rate, 2)
    fast = apply_steps([make_step("speed", factor=factor)], clean, rate)
    assert abs(fast.size - clean.size / factor) <= 0.5
    assert pitch_of(fast, rate) == pytest.approx(500 * factor, rel=0.01)
    stretched = apply_steps([make_step("stretch", factor=factor)], clean, rate)
    assert abs(stretched.size - clean.size / factor) <= 0.5
    assert pitch_of(stretched, rate) == pytest.approx(500, rel=0.01)


@SOON
@given(st.floats(-12, 12), rates)
def test_pitch_changes_the_pitch_alone(semitones: float, rate: int) -> None:
    clean = tone(500, rate, 2)
    made = apply_steps([make_step("pitch", semitones=semitones)], clean, rate)
    assert made.size == clean.size
    assert pitch_of(made, rate) == pytest.approx(500 * 2 ** (semitones / 12), rel=0.01)


@pytest.mark.parametrize("effect", [make_step("pitch", semitones=2), make_step("stretch", factor=1.25)])
def test_a_moment_stays_where_it_was(effect: object) -> None:
    burst = noise(0) * (np.abs(np.arange(RATE) - 6000) < 200)
    made = apply_steps([effect], burst.astype(np.float32), RATE)  # type: ignore[list-item]
    centre = (np.arange(made.size) * made.astype(float) ** 2).sum() / (made.astype(float) ** 2).sum()
    factor = effect.parameters.get("factor", 1.0)  # type: ignore[attr-defined]
    assert centre / RATE == pytest.approx(6000 / RATE / factor, abs=0.01)


@pytest.mark.parametrize("rt60", [0.1, 0.2, 0.3, 0.5])
def test_a_room_decays_in_the_time_asked_for_and_begins_with_the_direct_sound(rt60: float) -> None:
    for room in range(0, N_ROOMS, 5):
        response = room_response(rt60, room, RATE)
        assert decay_time(response, RATE) == pytest.approx(rt60, rel=0.05)
        assert np.abs(response[:2]).max() > 0.5 * np.abs(response).max()
        assert not response.flags.writeable


def test_a_response_that_ends_before_its_time_is_measured_without_a_warning() -> None:
    response = room_response(1.0, 2, RATE)  # its images of the highest order are heard earlier
    assert response[-1] == 0
    assert decay_time(response, RATE) == pytest.approx(1.0, rel=0.05)


def test_a_room_keeps_speech_in_its_place_and_as_loud() -> None:
    clean = (noise(0) * (np.abs(np.arange(RATE) - 6000) < 800)).astype(np.float32)
    for room in range(4):
        made = apply_steps([make_step("room", rt60=0.3, room=room)], clean, RATE)
        assert abs(lag(made, clean)) <= 1
        assert decibels(made) == pytest.approx(decibels(clean), abs=0.01)
        assert np.abs(made[: 6000 - 800 - 90]).max() < 1e-6


@SOON
@given(st.floats(0, 1), st.floats(0.05, 0.5), st.floats(0.05, 0.5))
def test_trimming_leaves_as_much_silence_as_asked_for(keep: float, before: float, after: float) -> None:
    spans = [round(RATE * seconds / 160) * 160 for seconds in (before, 0.5, after)]
    parts = [np.zeros(spans[0]), 0.3 * np.resize([1, -1], spans[1]), np.zeros(spans[2])]
    made = apply_steps([make_step("trim", keep=keep)], np.concatenate(parts).astype(np.float32), RATE)
    kept = round(keep * RATE)
    assert made.size == min(kept, spans[0]) + spans[1] + min(kept, spans[2])


@SOON
@given(st.floats(0, 50), seeds)
def test_impulses_change_the_share_asked_for_by_no_more_than_their_gain(share: float, seed: int) -> None:
    clean = np.ones(1000)
    made = add_impulses(clean, RATE, np.random.default_rng(seed), share=share, gain=2)
    assert np.count_nonzero(made != 1) == round(share / 100 * 1000)
    assert np.abs(made - 1).max(initial=0) <= 2


@SOON
@given(st.sampled_from([8_000, 16_000, 48_000]), st.integers(1, 10), st.floats(-40, 0), seeds)
def test_a_random_filter_has_its_gain_and_no_delay(rate: int, bands: int, gain: float, seed: int) -> None:
    coefficients = draw_filter(rate, bands, np.random.default_rng(seed), gain)
    np.testing.assert_allclose(coefficients, coefficients[::-1], atol=1e-12)
    response = np.abs(np.fft.rfft(coefficients, 8192))
    assert 20 * np.log10(response.max()) == pytest.approx(gain, abs=0.2)


def test_nonlinear_noise_of_one_order_is_a_filter_and_of_more_makes_harmonics() -> None:
    clean = tone(1000)
    linear, distorted = (
        apply_steps([make_step("rawboost_convolutive", 2, orders=orders, gain=-5)], clean, RATE) for orders in (1, 3)
    )
    spectrum = np.abs(np.fft.rfft(linear * np.hanning(RATE)))
    assert spectrum[2990:3010].max() < 1e-3 * spectrum[1000]
    spectrum = np.abs(np.fft.rfft(distorted * np.hanning(RATE)))
    assert spectrum[2990:3010].max() > 1e-2 * spectrum[1000]
    assert np.abs(distorted).max() == pytest.approx(np.abs(clean).max(), rel=1e-6)
