"""A corpus of spoofs that a text-to-speech engine speaks: one clip for each sentence of a text file and each voice.

The engine has to be installed (`src/utils/speech_engines.py`). Each voice is a person of the corpus, named after engine
and voice; `SOURCES.csv` names the engine as the system, and the sentence (`text`). `recipe.json` holds the engine's
version and a digest of the text. A step that was killed resumes where it stopped. There is no bona fide speech in it:
merge it with a corpus that has some, or judge a run by it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from src.audio.io import UnusableAudio, load_waveform, save_waveform
from src.corpora.audios import FAKE_FOLDER, REAL_FOLDER
from src.corpora.sources import SOURCES_TABLE
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.derivation import RECIPE, Derived
from src.utils.csv_tables import write_table
from src.utils.dataset import reject
from src.utils.files import atomic_path, read_json, remove_leftovers, text_digest, write_json
from src.utils.parallel import map_clips
from src.utils.registry import require_known
from src.utils.speech_engines import ENGINES, Engine


@dataclass(frozen=True)
class Voice:
    """A voice of an engine, which is a person of the corpus."""

    name: str
    """As the engine knows it."""
    gender: str
    """F or M."""

    def person(self, engine: str, number: int) -> str:
        """Return the person's name, such as `espeak-en-us_M001`."""
        plain = re.sub(r"[^\w+-]+", "-", Path(self.name).stem if self.name.endswith(".onnx") else self.name)
        return f"{engine}-{plain}_{self.gender}{number:03d}"


@dataclass(frozen=True)
class _Sentence:
    voice: str
    text: str
    target: Path


def speak_text(text: Path, output: Path | None = None, *, tts: str, voice: str = "") -> Derived:
    """Write a corpus in which an engine speaks a text; default output `<text>_<engine>` beside the text.

    Parameters
    ----------
    text : Path
        A text file in UTF-8, one sentence a line; empty lines are left out.
    output : Path, optional
    tts : str
        A name of `ENGINES`.
    voice : str
        One voice of the engine, or several separated by commas; ":F" or ":M" behind one says the gender.

    Raises
    ------
    FileNotFoundError
        When there is no such text.
    ValueError
        When the engine is unknown or not installed, a voice cannot be used, or the folder holds something else.
    """
    require_known(ENGINES, tts, "tts")
    engine = ENGINES[tts]
    engine.command()
    sentences = read_sentences(text)
    voices = parse_voices(voice, tts)
    target = output or text.with_name(f"{text.stem}_{tts}")
    recipe = {
        "step": "CreateSpoofs",
        "tts": tts,
        "version": engine.version(),
        "voices": [f"{each.name}:{each.gender}" for each in voices],
        "text": text_digest("\n".join(sentences)),
    }
    _start(target, recipe)
    jobs = [
        _Sentence(each.name, sentence, target / FAKE_FOLDER / f"{each.person(tts, place)}_Fake" / f"{number}_fake.flac")
        for place, each in enumerate(voices, start=1)
        for number, sentence in enumerate(sentences)
    ]
    (target / REAL_FOLDER).mkdir(parents=True, exist_ok=True)
    waiting = [job for job in jobs if not job.target.exists()]
    outcomes = map_clips(partial(_spoken, engine), waiting, description=tts)
    reasons = {
        job.target.relative_to(target).as_posix(): why for job, why in zip(waiting, outcomes, strict=True) if why
    }
    made = [job for job in jobs if job.target.exists()]
    if not made:
        raise ValueError(f"{tts} spoke none of the {len(jobs)} sentences ({next(iter(reasons.values()))}).")
    rows = [(job.target.relative_to(target).as_posix(), tts, job.text) for job in made]
    write_table(target / SOURCES_TABLE, pd.DataFrame(rows, columns=["file", "system", "text"]))
    n_clips = generate_tables(target).n_clips
    reject(target, reasons)
    return Derived(target, n_clips, len(reasons))


def read_sentences(text: Path) -> list[str]:
    """Return the lines of a text that are not empty."""
    if not text.is_file():
        raise FileNotFoundError(f"There is no text {text}: `text` names a file with one sentence a line.")
    try:
        lines = text.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{text} is no text in UTF-8: save it as that.") from None
    sentences = [" ".join(line.split()) for line in lines if line.strip()]
    if not sentences:
        raise ValueError(f"{text} holds no sentence: one a line is expected.")
    return sentences


def parse_voices(given: str, tts: str) -> Sequence[Voice]:
    """Return the voices that a text names, separated by commas, with their genders.

    >>> parse_voices("en-us, en-us+f3, pt-br:F", "espeak")[1:]
    [Voice(name='en-us+f3', gender='F'), Voice(name='pt-br', gender='F')]
    """
    engine = ENGINES[tts]
    names = [name.strip() for name in (given or engine.default_voice).split(",")]
    voices = []
    for named in names:
        name, said = (named[:-2], named[-1]) if named[-2:] in (":F", ":M") else (named, "")
        if not name:
            raise ValueError(f"Which voice of {tts}? Name it by `voice=NAME`.")
        is_woman = engine.women(name)
        if not said and is_woman is None:
            raise ValueError(f"Whose voice is {name}? Say the gender behind it: `voice={name}:F` or :M.")
        voices.append(Voice(name, said or ("F" if is_woman else "M")))
    if len(set(voices)) < len(voices):
        raise ValueError(f"`voice` names a voice twice: {given}.")
    return voices


def _start(target: Path, recipe: Mapping[str, Any]) -> None:
    """Record the recipe in the folder; refuse to mix two."""
    if (target / RECIPE).is_file():
        if read_json(target / RECIPE) != recipe:
            raise ValueError(
                f"{target} was made from another text, by other voices or another version (see its {RECIPE}); "
                "choose another `output` or delete it."
            )
        remove_leftovers(target)
    elif target.exists() and any(target.iterdir()):
        raise ValueError(f"{target} is not empty and was not made by this step; choose another `output`.")
    else:
        write_json(target / RECIPE, recipe)


def _spoken(engine: Engine, job: _Sentence) -> str:
    """Write one clip; return why it cannot be made, or ""."""
    with TemporaryDirectory(prefix="audios-tts-") as folder:
        spoken = Path(folder) / "spoken.wav"
        try:
            engine.speak(job.voice, job.text, spoken)
            waveform = load_waveform(spoken)
        except (UnusableAudio, ValueError) as error:
            return str(error)
    with atomic_path(job.target) as temporary:
        save_waveform(temporary, waveform)
    return ""
