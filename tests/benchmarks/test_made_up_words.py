"""The made-up words are a corpus in the layout of Speech Commands, whatever says them."""

from pathlib import Path

import joblib
import numpy as np
import pytest

from benchmarks import made_up_words
from src.corpora.speech_commands import read_layout
from src.experiments.corpus.noise_cutting import cut_noise
from tests.conftest import tone


def test_the_corpus_has_the_layout_and_its_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_up_words, "say", lambda speaker, word, folder: tone(len(word), noise=0.01, seconds=0.4))
    monkeypatch.setattr(made_up_words, "WORDS", ("yes", "no"))
    monkeypatch.setattr(made_up_words, "NOISE_SECONDS", 2)
    people = {speaker.hash for speaker in made_up_words.speakers()}
    assert len(people) == len(made_up_words.speakers()) >= 12
    folder = tmp_path / "words"
    assert made_up_words.write_words(folder, seed=7) == 2 * 2 * len(people)
    listing = read_layout(folder)
    assert {person.removesuffix("_U000") for person in listing.files["speaker"]} == people
    by_split = listing.files.groupby("official")["speaker"]
    assert by_split.nunique()[["test", "validation"]].tolist() == [3, 3]
    assert listing.files.groupby("speaker")["official"].nunique().eq(1).all()
    with joblib.parallel_config(backend="sequential"):
        assert cut_noise(folder).n_clips == 4 * len(people) + 6 * made_up_words.NOISE_TAKES * 2


def test_a_word_lies_in_its_second_and_nothing_is_too_loud() -> None:
    rng = np.random.default_rng(0)
    starts = set()
    for seed in range(20):
        clip = made_up_words.in_a_second(tone(seed, noise=0.01, seconds=0.4), rng)
        assert clip.shape == (16_000,)
        assert np.abs(clip).max() <= 1
        starts.add(int(np.argmax(np.abs(clip))) // 1600)
    assert len(starts) > 4, "words lie at many places"
    assert made_up_words.in_a_second(tone(0, noise=0.01, seconds=1.5), rng).shape == (16_000,)


@pytest.mark.parametrize(("slope", "decibels"), [(0.0, 0.0), (1.0, -3.0), (2.0, -6.0)])
def test_noise_has_its_colour(slope: float, decibels: float) -> None:
    """Power falls by 3 dB an octave in pink noise and by 6 dB in brown noise."""
    noise = made_up_words.coloured_noise(slope, 2**17, np.random.default_rng(1))
    power = np.abs(np.fft.rfft(noise)) ** 2
    frequencies = np.fft.rfftfreq(noise.size, 1 / 16_000)
    levels = [10 * np.log10(power[(frequencies > low) & (frequencies < 2 * low)].mean()) for low in (250, 500, 1000)]
    assert np.diff(levels) == pytest.approx([decibels] * 2, abs=0.3)
