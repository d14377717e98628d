"""A splice replaces what it says and nothing else, at the host's level, without a click."""

import numpy as np
import pytest

from src.audio.normalize import rms
from src.audio.splice import FADE, SHARES, Stretch, draw_stretches, splice, spoofed_stretches
from src.audio.unusable import UnusableAudio

RATE = 16_000
N_FADE = round(FADE * RATE)


def noise(seed: int, n_samples: int, level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32).clip(-1, 1)


def test_outside_is_the_host_and_inside_the_donor_at_the_hosts_level() -> None:
    host, donor = noise(0, 20_000, 0.05), noise(1, 15_000, 0.2) + np.float32(0.1)
    made = splice(host, donor, [Stretch(2000, 100, 4000), Stretch(9000, 8000, 5000)], RATE)
    outside = np.r_[0:2000, 6000:9000, 14_000:20_000]
    np.testing.assert_array_equal(made[outside], host[outside])
    expected = (donor - donor.mean()) * rms(host) / rms(donor) + host.mean()
    for start, source, length in ((2000, 100, 4000), (9000, 8000, 5000)):
        inner = slice(start + N_FADE, start + length - N_FADE)
        there = expected[source + N_FADE : source + length - N_FADE]
        np.testing.assert_allclose(made[inner], there, atol=1e-6)


def test_the_power_stays_while_one_fades_into_the_other() -> None:
    powers = []
    for seed in range(300):
        made = splice(noise(2 * seed, 4000), noise(2 * seed + 1, 4000), [Stretch(1000, 1000, 2000)], RATE)
        powers.append(made.astype(float) ** 2)
    in_fade = np.mean(powers, axis=0)[1000 : 1000 + N_FADE]
    assert in_fade.mean() == pytest.approx(0.01, rel=0.03)
    assert in_fade.reshape(6, -1).mean(axis=1) == pytest.approx([0.01] * 6, rel=0.06)


def test_there_is_no_click_where_offsets_and_levels_differ() -> None:
    time = np.arange(16_000) / RATE
    host = 0.3 * np.sin(2 * np.pi * 100 * time) + 0.1
    donor = 0.02 * np.sin(2 * np.pi * 130 * time) - 0.3
    made = splice(host, donor, [Stretch(4000, 2000, 8000)], RATE)
    steps = np.abs(np.diff(made))
    assert steps.max() < 2 * np.abs(np.diff(host)).max()
    assert made.mean() == pytest.approx(0.1, abs=0.01)


def test_a_clip_spliced_with_itself_at_its_own_place_changes_in_the_fades_alone() -> None:
    host = noise(5, 8000)
    made = splice(host, host, [Stretch(1000, 1000, 5000)], RATE)
    changed = np.flatnonzero(np.abs(made - host) > 1e-6)
    assert ((changed < 1000 + N_FADE) | (changed >= 6000 - N_FADE)).all()


def test_nothing_exceeds_full_scale() -> None:
    host, donor = np.tile([0.99, -0.99], 4000), noise(3, 8000)
    made = splice(host, donor, [Stretch(1000, 0, 4000)], RATE)
    assert np.abs(made).max() == pytest.approx(1)
    assert made.dtype == np.float32


def test_drawn_stretches_lie_in_the_speech_of_both_and_do_not_overlap() -> None:
    silence = np.zeros(1600, np.float32)
    counts = set()
    for seed in range(100):
        rng = np.random.default_rng(seed)
        host = np.concatenate([silence, noise(seed, int(rng.integers(16_000, 48_000))), silence])
        donor = np.concatenate([silence, noise(seed + 500, int(rng.integers(16_000, 48_000)))])
        stretches = draw_stretches(host, donor, RATE, rng)
        counts.add(len(stretches))
        end = 1600
        for stretch in stretches:
            assert stretch.start >= end
            end = stretch.start + stretch.length
            assert 1600 <= stretch.source <= donor.size - stretch.length
        assert end <= host.size - 1600
        share = sum(stretch.length for stretch in stretches) / host.size
        assert share <= SHARES[1]
        assert share >= min(SHARES[0], (donor.size - 1600) / host.size) - 0.01
    assert counts == {1, 2}


def test_the_same_generator_draws_the_same() -> None:
    drawn = [draw_stretches(noise(1, 16_000), noise(2, 16_000), RATE, np.random.default_rng(5)) for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_what_is_too_short_is_refused() -> None:
    with pytest.raises(UnusableAudio, match=r"too short to splice \(less than 0\.06 s of speech"):
        draw_stretches(noise(1, 16_000), noise(2, 900), RATE, np.random.default_rng(0))


def test_either_way_round_the_fades_are_spoofed() -> None:
    """Every sample is of the donor, of the host, or of a fade; the two ways overlap in the fades alone."""
    stretches = [Stretch(1600, 0, 3200), Stretch(8000, 0, 1600)]
    masks = []
    for of_donor in (True, False):
        mask = np.zeros(16_000, bool)
        for start, end in (spoofed_stretches(stretches, 16_000, RATE, of_donor=of_donor) * RATE).round().astype(int):
            mask[start:end] = True
        masks.append(mask)
    fades = np.r_[1600:1840, 4560:4800, 8000:8240, 9360:9600]
    assert (masks[0] | masks[1]).all()
    np.testing.assert_array_equal(np.flatnonzero(masks[0] & masks[1]), fades)


def test_stretches_that_touch_are_one() -> None:
    spans = spoofed_stretches([Stretch(0, 0, 1600), Stretch(1600, 4000, 1600)], 8000, RATE, of_donor=True)
    assert spans.tolist() == [[0.0, 0.2]]
    spans = spoofed_stretches([Stretch(0, 0, 8000)], 8000, RATE, of_donor=False)
    assert spans.tolist() == [[0.0, 0.015], [0.485, 0.5]]
