"""Derive a corpus of partly spoofed speech: splices of bona fide clips and spoofs of the same person.

In one half of the spoofed clips, stretches of a spoof replace stretches of bona fide speech; in the other half it is
the other way round, so that neither the middle nor the ends of a clip give the spoof away. As many clips are spliced
from bona fide speech alone, so that a splice gives nothing away either; they are bona fide. People who lack either
class are left out: a change of voice would be easier to find than a spoof.

`segments` lists the spoofed stretches of each clip, fades included; it stands in `SOURCES.csv` too, from which the
tables can be made again. It follows from the recordings and the seed, as the clips do, so it needs no file of its own
while the step runs.
"""

from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

from src.audio.io import SPEECH_RATE, load_waveform
from src.audio.splice import Stretch, draw_stretches, splice, spoofed_stretches
from src.corpora.audios import FAKE_FOLDER, REAL_FOLDER
from src.corpora.sources import SOURCES_TABLE
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.derivation import Derivation, Derived, Job
from src.utils.csv_tables import write_table
from src.utils.dataset import person_of, read_files, reject
from src.utils.files import text_digest
from src.utils.labels import LABEL_NAMES, SPOOF
from src.utils.parallel import map_clips
from src.utils.segments import SEGMENTS, format_segments


@dataclass(frozen=True)
class Pair:
    """Two clips of one person, and the clip that they become; all relative to their corpora."""

    host: str
    donor: str
    target: str
    spoof: str = ""
    """Which of the two is the spoof; empty where both are bona fide."""
    system: str = ""


def splice_spoofs(dataset: Path, output: Path | None = None, *, clips: int = 200, seed: int = 7) -> Derived:
    """Write a corpus of partly spoofed and of spliced bona fide clips; default output `<dataset>_spliced`.

    Parameters
    ----------
    dataset, output : Path
    clips : int
        How many partly spoofed clips to make, dealt evenly to the people; as many bona fide ones are made.
    seed : int

    Raises
    ------
    ValueError
        When there are partly spoofed clips already, or nobody has both bona fide and spoofed clips.
    """
    if clips < 1:
        raise ValueError(f"`clips` must be 1 or more, not {clips}.")
    target = output or dataset.with_name(f"{dataset.name}_spliced")
    pairs = draw_pairs(_whole_clips(dataset), clips, np.random.default_rng(seed), dataset)
    recipe = {"step": "SpliceSpoofs", "clips": clips, "seed": seed, "pairs": text_digest(repr(pairs))}
    jobs = [
        Job(dataset / pair.host, target / pair.target, crc32(f"{seed}/{pair.target}".encode()), (dataset / pair.donor,))
        for pair in pairs
    ]
    derivation = Derivation(dataset, target, recipe, jobs)
    derivation.start()
    reasons = derivation.run(jobs, _spliced, "splices")
    derivation.finish()
    made = [(pair, job) for pair, job in zip(pairs, jobs, strict=True) if pair.spoof and job.target.exists()]
    if not made:
        file, reason = next(iter(reasons.items()))
        raise ValueError(f"None of the {clips} clips can be made ({file}: {reason}).")
    cells = map_clips(_cell, made, description="segments")
    rows = [(pair.target, pair.system, cell) for (pair, _), cell in zip(made, cells, strict=True)]
    write_table(target / SOURCES_TABLE, pd.DataFrame(rows, columns=["file", "system", SEGMENTS]))
    n_clips = generate_tables(target).n_clips
    reject(target, reasons)
    return Derived(target, n_clips, len(reasons))


def draw_pairs(files: pd.DataFrame, clips: int, rng: np.random.Generator, dataset: Path) -> list[Pair]:
    """Draw which clips are spliced: `clips` pairs with a spoof, then as many without, dealt to the people in turn.

    Parameters
    ----------
    files : pd.DataFrame
        A files table without partly spoofed clips.
    clips : int
    rng : np.random.Generator
    dataset : Path
        For errors.
    """
    is_spoof = files["label"] == LABEL_NAMES[SPOOF]
    both = {
        str(person): (rows["file"][~rows["is_spoof"]].tolist(), rows[rows["is_spoof"]])
        for person, rows in files.assign(is_spoof=is_spoof).groupby(person_of(files))
        if rows["is_spoof"].nunique() == 2
    }
    if not both:
        raise ValueError(f"Nobody in {dataset} has both bona fide and spoofed clips; voices are not mixed.")
    order = [list(both)[place] for place in rng.permutation(len(both))]
    turned = rng.permutation(clips) % 2 == 1
    dealt = list(enumerate(islice(cycle(order), clips)))
    return [
        *(_with_spoof(f"{person}_Fake/{number:04d}", *both[person], turned[number], rng) for number, person in dealt),
        *(_without(f"{person}/{number:04d}", both[person][0], rng) for number, person in dealt),
    ]


def _with_spoof(name: str, bonafide: list[str], spoofs: pd.DataFrame, turned: bool, rng: np.random.Generator) -> Pair:
    one = bonafide[int(rng.integers(len(bonafide)))]
    spoof, system = spoofs[["file", "system"]].iloc[int(rng.integers(len(spoofs)))]
    host, donor = (spoof, one) if turned else (one, spoof)
    return Pair(host, donor, f"{FAKE_FOLDER}/{name}_spliced.flac", spoof, system)


def _without(name: str, bonafide: list[str], rng: np.random.Generator) -> Pair:
    """Return a pair of bona fide clips; the same one twice, at other places, where a person has no other."""
    host, donor = (bonafide[place] for place in np.resize(rng.permutation(len(bonafide)), 2))
    return Pair(host, donor, f"{REAL_FOLDER}/{name}_spliced.flac")


def _whole_clips(dataset: Path) -> pd.DataFrame:
    files = read_files(dataset)
    if SEGMENTS in files and files[SEGMENTS].any():
        raise ValueError(
            f"{dataset} holds partly spoofed clips already: give one of wholly bona fide and spoofed clips."
        )
    return files


def _spliced(host: np.ndarray, donor: np.ndarray, seed: int) -> np.ndarray:
    return splice(host, donor, _drawn(host, donor, seed), SPEECH_RATE)


def _drawn(host: np.ndarray, donor: np.ndarray, seed: int) -> list[Stretch]:
    return draw_stretches(host, donor, SPEECH_RATE, np.random.default_rng(seed))


def _cell(made: tuple[Pair, Job]) -> str:
    """Return the spoofed stretches of a clip, drawn once more from its recordings."""
    pair, job = made
    host, donor = map(load_waveform, job.sources)
    stretches = _drawn(host, donor, job.seed)
    spans = spoofed_stretches(stretches, host.size, SPEECH_RATE, of_donor=pair.spoof == pair.donor)
    return format_segments(spans)
