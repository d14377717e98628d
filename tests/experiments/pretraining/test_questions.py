"""Who is trained on, who chooses and who is judged when a spoof system is left out."""

import numpy as np
import pytest

from src.experiments.pretraining.questions import CHOOSES, JUDGES, TRAINS, Question, questions_about
from src.utils.clip_table import ClipTable

SYSTEMS = ("world", "xtts")


def table(rows: list[tuple[int, str, str]]) -> tuple[ClipTable, np.ndarray]:
    """Return the clips of rows (part, person, system), and their parts; bona fide ones have no system."""
    parts, people, systems = (np.array(column) for column in zip(*rows, strict=True))
    files = np.array([f"{place}.flac" for place in range(len(rows))])
    return ClipTable((systems == "").astype(int), np.full(len(rows), "F"), people, systems, files), parts


def clips_of(part: int, *, systems: tuple[str, ...] = SYSTEMS, clips: int = 5) -> list[tuple[int, str, str]]:
    return [(part, f"person{part}", system) for system in ("", *systems) for _ in range(clips)]


EVERYWHERE = [row for part in (TRAINS, CHOOSES, JUDGES) for row in clips_of(part)]


def question(rows: list[tuple[int, str, str]], left_out: str) -> Question:
    (found,) = (each for each in questions_about(*table(rows))[0] if each.left_out == left_out)
    return found


def test_in_domain_every_part_is_whole() -> None:
    clips, parts = table(EVERYWHERE)
    asked = question(EVERYWHERE, "")
    for part, rows in ((TRAINS, asked.train), (CHOOSES, asked.choose), (JUDGES, asked.judge)):
        assert rows.tolist() == np.flatnonzero(parts == part).tolist()
    assert len(clips) == sum(len(rows) for rows in (asked.train, asked.choose, asked.judge))


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_left_out_is_nowhere_in_training_and_alone_in_what_is_judged(system: str) -> None:
    clips, parts = table(EVERYWHERE)
    asked = question(EVERYWHERE, system)
    assert system not in clips.systems[asked.train]
    for rows, part in ((asked.choose, CHOOSES), (asked.judge, JUDGES)):
        assert set(clips.systems[rows]) == {"", system}
        assert set(parts[rows]) == {part}
        assert len(rows) == 10


def test_a_voice_of_training_that_speaks_for_the_system_alone_is_judged() -> None:
    rows = [*EVERYWHERE, *[(TRAINS, "robot", "flite")] * 6]
    clips, _ = table(rows)
    asked = question(rows, "flite")
    assert (clips.speakers[asked.judge] == "robot").sum() == 6
    assert not len(asked.choose)
    assert "robot" in clips.speakers[question(rows, "world").train]


def test_voices_of_validation_are_judged_only_where_there_are_no_others_and_then_choose_nothing() -> None:
    rows = [*EVERYWHERE, *[(CHOOSES, "robot", "flite")] * 6]
    clips, _ = table(rows)
    asked = question(rows, "flite")
    assert (clips.speakers[asked.judge] == "robot").sum() == 6
    assert not len(asked.choose)
    rows = [*rows, *[(JUDGES, "machine", "flite")] * 5]
    asked = question(rows, "flite")
    clips, _ = table(rows)
    assert "robot" not in clips.speakers[asked.judge]
    assert (clips.speakers[asked.choose] == "robot").sum() == 6


def test_nobody_is_both_in_training_and_judged() -> None:
    rows = [*EVERYWHERE, *[(TRAINS, "robot", "flite")] * 6, *[(TRAINS, "person0", "flite")] * 6]
    clips, _ = table(rows)
    for asked in questions_about(clips, table(rows)[1])[0]:
        assert not set(clips.speakers[asked.train]) & set(clips.speakers[asked.judge])


def test_what_cannot_be_left_out_is_told() -> None:
    few = [*EVERYWHERE, *[(JUDGES, "person2", "rare")] * 4]
    assert questions_about(*table(few))[1] == ["rare is not left out: there are 4 spoofs to judge by, fewer than 5."]
    one = [row for part in (TRAINS, CHOOSES, JUDGES) for row in clips_of(part, systems=("world",))]
    asked, notes = questions_about(*table(one))
    assert [each.left_out for each in asked] == [""]
    assert notes == ["No system is left out: world made all spoofs."]
    clips, parts = table(one)
    unknown = ClipTable(clips.labels, clips.genders, clips.speakers, np.full(len(clips), ""), clips.files)
    assert "do not name the system" in questions_about(unknown, parts)[1][0]


def test_a_part_without_a_class_is_refused() -> None:
    rows = [*clips_of(TRAINS), *clips_of(CHOOSES, systems=()), *clips_of(JUDGES)]
    with pytest.raises(ValueError, match="the validation clips that can be used hold no spoofed one"):
        questions_about(*table(rows))
