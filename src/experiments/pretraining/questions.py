"""What a probe asks of embeddings: with all spoof systems in training, and without each of them in turn.

    in domain     a head is trained on the training people, and judged on all clips of the test people
    left out      it is trained without the spoofs of one system, and judged on that system's spoofs with all bona fide
                  clips of the test people

Voices of training that spoke for one system alone are judged with it when it is left out, since nothing of them is left
in training; otherwise a system of one voice could not be judged at all. Validation people choose the layer, by the same
question asked of their clips. Where the test has too few spoofs of a system, those of validation are judged as well
and do not choose.
"""

from dataclasses import dataclass

import numpy as np

from src.experiments.corpus.held_out_domains import LEAST_CLIPS, names_of
from src.utils.clip_table import ClipTable
from src.utils.labels import BONAFIDE, SPOOF

TRAINS, CHOOSES, JUDGES = 0, 1, 2
"""The part that a clip plays by its split: that of training, validation and test."""


@dataclass(frozen=True)
class Question:
    """Rows of a table of clips: what a head is trained on, what helps to choose the layer, and what is judged."""

    left_out: str
    """A spoof system; empty in domain."""
    train: np.ndarray
    choose: np.ndarray
    """None where validation has too few spoofs of the system."""
    judge: np.ndarray


def questions_about(table: ClipTable, part: np.ndarray) -> tuple[list[Question], list[str]]:
    """Return the question in domain, one for each system that can be left out, and why others cannot.

    Parameters
    ----------
    table : ClipTable
        The clips of training, validation and test.
    part : np.ndarray, shape (n,)
        TRAINS, CHOOSES or JUDGES.

    Raises
    ------
    ValueError
        When one of the three parts lacks a class.
    """
    for number, name in enumerate(("training", "validation", "test")):
        for label, kind in ((BONAFIDE, "bona fide"), (SPOOF, "spoofed")):
            if not ((part == number) & (table.labels == label)).any():
                raise ValueError(f"A probe needs both classes: the {name} clips that can be used hold no {kind} one.")
    questions = [Question("", *(np.flatnonzero(part == number) for number in (TRAINS, CHOOSES, JUDGES)))]
    left_out, notes = _left_out(table, part)
    return [*questions, *left_out], notes


def _left_out(table: ClipTable, part: np.ndarray) -> tuple[list[Question], list[str]]:
    spoof = table.labels == SPOOF
    systems = np.where(spoof, table.systems, "")
    if (systems[spoof] == "").any():
        return [], ["No system is left out: the tables do not name the system of every spoof."]
    names = names_of(systems)
    if len(names) < 2:
        return [], [f"No system is left out: {names[0]} made all spoofs."]
    questions, notes = [], []
    for name in names:
        question = _without(table, part, systems == name)
        if isinstance(question, str):
            notes.append(f"{name} is not left out: {question}.")
        else:
            questions.append(Question(name, *question))
    return questions, notes


def _without(table: ClipTable, part: np.ndarray, of_system: np.ndarray) -> tuple[np.ndarray, ...] | str:
    """Return the rows of training, choice and judgement where a system is left out, or why it cannot be."""
    bonafide = table.labels == BONAFIDE
    train = (part == TRAINS) & ~of_system
    unknown = ~np.isin(table.speakers, table.speakers[train])
    choose, judge = (part == CHOOSES) & of_system, of_system & ((part == JUDGES) | (part == TRAINS) & unknown)
    if judge.sum() < LEAST_CLIPS <= (judge | choose).sum():
        judge, choose = judge | choose, np.zeros_like(choose)
    if judge.sum() < LEAST_CLIPS:
        return f"there are {judge.sum()} spoofs to judge by, fewer than {LEAST_CLIPS}"
    if not (train & ~bonafide).any():
        return "no spoof would be left in training"
    choose = choose | (part == CHOOSES) & bonafide if choose.sum() >= LEAST_CLIPS else np.zeros_like(choose)
    return np.flatnonzero(train), np.flatnonzero(choose), np.flatnonzero(judge | (part == JUDGES) & bonafide)
