"""The cue baseline finds what is planted in the cues of people that it was not fitted to, and else nothing."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from src.audio.cues import CUES
from src.experiments.corpus.cue_baseline import CueBaseline, rates_by_system, scores_across_people
from src.metrics.eer import eer_of


def drawn_clips(n_people: int = 40, n_clips: int = 10, seed: int = 0) -> pd.DataFrame:
    """Return clips of both classes of each person, whose cues are drawn alike."""
    rng = np.random.default_rng(seed)
    n = n_people * n_clips
    people = np.repeat([f"P{number}_F{number:03d}" for number in range(n_people)], n_clips)
    clips = pd.DataFrame(rng.standard_normal((n, len(CUES))), columns=list(CUES))
    return clips.assign(
        **{"file format": rng.choice(["FLAC PCM_16", "WAV PCM_16"], n)},
        file=[f"{number}.flac" for number in range(n)],
        speaker=people,
        id=[person.rpartition("_")[2] for person in people],
        gender="F",
        label=np.where(np.arange(n) % 2, "spoof", "bona-fide"),
        system=np.where(np.arange(n) % 2, np.where(np.arange(n) % 4 == 1, "a", "b"), ""),
    )


def eer(clips: pd.DataFrame, scores: np.ndarray) -> float:
    return eer_of((clips["label"] == "bona-fide").to_numpy(int), scores)


def test_cues_that_are_drawn_alike_tell_nothing() -> None:
    clips = drawn_clips()
    assert eer(clips, scores_across_people(clips)) == pytest.approx(0.5, abs=0.08)


def test_two_shifts_together_have_the_eer_of_theory() -> None:
    clips = drawn_clips(200)
    for name in ("RMS level", "leading silence"):
        clips[name] += 1.0 * (clips["label"] == "spoof")
    assert eer(clips, scores_across_people(clips)) == pytest.approx(norm.cdf(-np.sqrt(2) / 2), abs=0.03)


def test_a_file_format_of_one_class_is_learnt_and_an_unknown_one_says_nothing() -> None:
    clips = drawn_clips()
    clips["file format"] = np.where(clips["label"] == "spoof", "MP3", "FLAC PCM_16")
    baseline = CueBaseline.fit(clips)
    assert eer(clips, baseline.scores(clips)) < 0.01
    elsewhere = drawn_clips(seed=1).assign(**{"file format": "OGG"})
    assert eer(elsewhere, baseline.scores(elsewhere)) == pytest.approx(0.5, abs=0.08)


def test_what_is_fitted_here_is_tested_there() -> None:
    here, there = drawn_clips(), drawn_clips(seed=1)
    here["RMS level"] += 9 * (here["label"] == "spoof")
    there["RMS level"] -= 9 * (there["label"] == "spoof")
    assert eer(there, CueBaseline.fit(here).scores(there)) > 0.9


def test_a_persons_own_clips_teach_nothing_about_them() -> None:
    """Each person's level tells the person's class; other people's levels do not."""
    clips = drawn_clips(12, 12)
    spoofers = {person: number % 2 for number, person in enumerate(sorted(set(clips["speaker"])))}
    clips["label"] = [("bona-fide", "spoof")[spoofers[person]] for person in clips["speaker"]]
    clips["RMS level"] = [float(person[1:].partition("_")[0]) for person in clips["speaker"]]
    assert eer(clips, scores_across_people(clips)) > 0.2


def test_each_system_is_judged_against_all_bona_fide_clips() -> None:
    clips = drawn_clips(100)
    clips["bandwidth"] += 9 * (clips["system"] == "b")
    rates = rates_by_system(clips, clips["bandwidth"].to_numpy() * -1)
    assert rates["b"] < 0.01
    assert rates["a"] == pytest.approx(0.5, abs=0.06)
    assert rates[""] == pytest.approx(1 / 3, abs=0.04)


def test_people_of_one_class_each_and_too_few_of_them_are_not_judged() -> None:
    clips = drawn_clips(2)
    clips["label"] = np.where(clips["speaker"] == "P0_F000", "spoof", "bona-fide")
    assert scores_across_people(clips) is None


def test_the_same_clips_give_the_same_scores_in_any_order() -> None:
    clips = drawn_clips(10)
    clips["duration"] += clips["label"] == "spoof"
    mixed = clips.sample(frac=1, random_state=1)
    first = pd.Series(scores_across_people(clips), index=clips.index)
    assert first.loc[mixed.index].to_numpy() == pytest.approx(scores_across_people(mixed), abs=1e-4)
