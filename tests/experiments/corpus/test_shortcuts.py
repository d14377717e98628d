"""A cue that separates the classes, or the spoofs of one system, has the EER of theory and gets a warning."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from src.audio.cues import CUES
from src.experiments.corpus.shortcuts import (
    ADVICE,
    Cue,
    find_cues,
    find_cues_of_systems,
    only_of_systems,
    table_of_rates,
)

NUMBERS = ("duration", "peak level", "RMS level", "bandwidth", "noise floor", "DC offset", "codec traces")


def clean_clips(n_each: int, seed: int = 0) -> pd.DataFrame:
    """Return the properties of clips of which none depends on the class."""
    rng = np.random.default_rng(seed)
    n = 2 * n_each
    return pd.DataFrame(
        {
            "label": ["bona-fide", "spoof"] * n_each,
            "duration": rng.normal(3, 1, n),
            "peak level": rng.normal(-6, 3, n),
            "RMS level": rng.normal(-26, 3, n),
            "leading silence": rng.integers(0, 12, n) / 100,
            "trailing silence": rng.integers(0, 12, n) / 100,
            "bandwidth": rng.normal(7000, 500, n),
            "noise floor": rng.normal(-40, 9, n),
            "DC offset": rng.normal(-60, 9, n),
            "codec traces": rng.uniform(0, 0.02, n),
            "sample rate": rng.choice([16_000, 24_000], n),
            "file format": rng.choice(["FLAC PCM_16", "WAV PCM_16", "OGG VORBIS"], n),
        }
    )


def system_cues(clips: pd.DataFrame) -> list[Cue]:
    return only_of_systems(find_cues(clips), find_cues_of_systems(clips))


def telling(clips: pd.DataFrame) -> dict[str, float]:
    return {cue.name: cue.eer for cue in find_cues(clips) if cue.telling}


@pytest.mark.parametrize("distance", [-2.0, -1.0, 1.0, 3.0])
@pytest.mark.parametrize(
    "name", ["duration", "peak level", "RMS level", "bandwidth", "noise floor", "DC offset", "codec traces"]
)
def test_a_shift_between_two_normal_laws_has_the_eer_of_theory(name: str, distance: float) -> None:
    clips = clean_clips(1000)
    is_spoof = clips["label"] == "spoof"
    clips[name] = np.random.default_rng(1).standard_normal(len(clips)) + distance * is_spoof
    assert telling(clips) == {name: pytest.approx(norm.cdf(-abs(distance) / 2), abs=0.03)}


@pytest.mark.parametrize(("share", "eer"), [(1.0, 0.0), (0.5, 1 / 3), (0.4, 0.375)])
@pytest.mark.parametrize(
    ("name", "usual", "other"),
    [
        ("sample rate", 16_000, 24_000),
        ("file format", "FLAC PCM_16", "WAV PCM_16"),
        ("leading silence", 0.1, 0.2),
        ("duration", 3.0, 2.5),
    ],
)
def test_a_share_of_the_spoofs_that_differs_has_the_eer_of_theory(
    name: str, usual: object, other: object, share: float, eer: float
) -> None:
    """If a share s of the spoofs differs and the rest is scored at random, both errors are (1 - s) / (2 - s)."""
    clips = clean_clips(1000)
    clips[name] = usual
    spoofs = clips.index[clips["label"] == "spoof"]
    clips[name] = clips[name].where(~clips.index.isin(spoofs[: int(share * len(spoofs))]), other)
    assert telling(clips) == {name: pytest.approx(eer, abs=0.03)}


def test_a_weak_cue_is_measured_but_not_warned_about() -> None:
    clips = clean_clips(1000)
    clips["duration"] += 0.3 * (clips["label"] == "spoof")
    cues = {cue.name: cue for cue in find_cues(clips)}
    assert cues["duration"].eer == pytest.approx(norm.cdf(-0.15), abs=0.02)
    assert not cues["duration"].telling


def test_clean_corpora_of_every_size_are_not_warned_about() -> None:
    false_alarms = [telling(clean_clips(n_each, seed)) for n_each in (3, 10, 30, 100) for seed in range(20)]
    assert sum(map(bool, false_alarms)) <= 2  # 880 judgements of which chance fools one in a thousand


def test_the_order_of_the_clips_and_the_direction_of_a_cue_change_nothing_but_ties() -> None:
    clips = clean_clips(500)
    clips["duration"] += clips["label"] == "spoof"
    eers = []
    for changed in (clips, clips.sample(frac=1, random_state=1), clips.assign(duration=-clips["duration"])):
        eers.append(telling(changed)["duration"])
    assert eers == [pytest.approx(eers[0], abs=1e-12)] * 3


def test_a_property_that_never_varies_tells_nothing() -> None:
    clips = clean_clips(50).assign(**{"duration": 3.0, "sample rate": 16_000, "file format": "FLAC PCM_16"})
    cues = {cue.name: cue.eer for cue in find_cues(clips)}
    assert [cues[name] for name in ("duration", "sample rate", "file format")] == [0.5] * 3


def test_one_class_alone_has_nothing_to_be_separated_from() -> None:
    clips = clean_clips(50)
    assert find_cues(clips[clips["label"] == "spoof"]) == []


# ---- judging systems one by one


def clips_of_systems(n_each: int, n_systems: int, seed: int = 0) -> pd.DataFrame:
    """Return clean clips whose spoofs are divided among systems A, B, C, ..., `n_each` for each of them."""
    clips = clean_clips(n_each * n_systems, seed)
    names = np.array([chr(ord("A") + number) for number in range(n_systems)])
    return clips.assign(system=np.where(clips["label"] == "spoof", np.repeat(np.tile(names, n_each), 2), ""))


def test_a_cue_of_one_system_that_drowns_among_all_is_found_with_the_eer_of_theory() -> None:
    clips = clips_of_systems(200, 6)
    clips["duration"] -= 2 * (clips["system"] == "C")
    assert telling(clips) == {}
    (cue,) = system_cues(clips)
    assert (cue.name, cue.system, cue.telling) == ("duration", "C", True)
    assert cue.eer == pytest.approx(norm.cdf(-1), abs=0.04)
    assert cue.warning.startswith("duration alone tells the spoofs of C from bona fide speech with an EER of 1")


def test_what_tells_all_spoofs_is_not_said_again_of_each_system() -> None:
    clips = clips_of_systems(200, 4)
    clips["duration"] += 2 * (clips["label"] == "spoof")
    clips["RMS level"] += 9 * (clips["system"] == "B")
    assert set(telling(clips)) == {"duration"}
    assert [(cue.name, cue.system) for cue in system_cues(clips)] == [("RMS level", "B")]


def test_clean_systems_are_not_warned_about_however_many_they_are() -> None:
    false_alarms = [system_cues(clips_of_systems(20, n, seed)) for n in (2, 8, 20) for seed in range(4)]
    assert sum(map(bool, false_alarms)) <= 1  # of 12 corpora, of which chance fools one in 90


def test_one_system_is_all_spoofs_and_an_unknown_one_is_no_system() -> None:
    clips = clips_of_systems(100, 1).assign(duration=lambda table: table["duration"] - 2 * (table["label"] == "spoof"))
    assert set(telling(clips)) == {"duration"}
    assert system_cues(clips) == []
    assert system_cues(clips.assign(system="")) == []


# ---- what users read


def test_the_table_has_a_row_for_each_cue_and_a_column_for_each_system() -> None:
    clips = clips_of_systems(100, 2)
    clips["duration"] -= 20 * (clips["system"] == "B")
    table = table_of_rates(find_cues(clips), find_cues_of_systems(clips), {"": 0.25, "B": 0.0})
    assert list(table) == ["EER in % of", "all", "A", "B"]
    assert table["EER in % of"].tolist() == [*CUES, "all together"]
    assert table.iloc[0].tolist()[0::3] == ["duration", "0.0"]
    assert table.iloc[-1].tolist() == ["all together", "25.0", "", "0.0"]


def test_every_cue_has_advice_that_says_what_helps() -> None:
    assert set(ADVICE) == set(CUES)
