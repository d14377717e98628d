"""Small stand-ins for the public corpora other than ASVspoof, in the exact form in which these are published.

    corpus = WITH_PROTOCOL["in_the_wild"](tmp_path / "corpus")
    generate_tables(corpus.dataset, corpus.layout, corpus.options)

Recordings hold a few bytes that are no sound, unless `write` makes one of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.corpora.stand_ins import StandIn, Write, bytes_alone, trials, write_lines, write_recording


@dataclass(frozen=True)
class Written(StandIn):
    """A corpus whose protocol may begin with a header."""

    header: int = 0
    """Lines before the first recording."""
    name: int = 0
    """Which field names the recording."""
    options: Mapping[str, str] = field(default_factory=dict)


def in_the_wild(folder: Path, write: Write = bytes_alone) -> Written:
    """Make In-the-Wild: eight recordings of two people."""
    release = folder / "release_in_the_wild"
    lines = ["file,speaker,label"]
    for number, speaker, system in trials(("Alec Guinness", "Bill Clinton"), ("x", "y")):
        lines.append(f"{number}.wav,{speaker},{'spoof' if system else 'bona-fide'}")
        write_recording(release / f"{number}.wav", write)
    protocol = write_lines(release / "meta.csv", lines)
    return Written("in_the_wild", folder, protocol, release, 2, ".wav", ",", header=1)


def partialspoof(folder: Path, write: Write = bytes_alone) -> Written:
    """Make PartialSpoof, with segment labels of 0.01 s for half a second of every recording."""
    for place, part in enumerate(("train", "dev", "eval")):
        letter, lines, labels = "TDE"[place], [], {}
        for number, speaker, system in trials((f"LA_{place}1", f"LA_{place}2"), ("CON", "CON")):
            name = f"{'CON' if system else 'LA'}_{letter}_{number:07d}"
            lines.append(f"{speaker} {name} - {system or '-'} {'spoof' if system else 'bonafide'}")
            write_recording(folder / part / "con_wav" / f"{name}.wav", write)
            cells = np.full(50, "1")
            if system:
                cells[10:20] = cells[30:] = "0"
            labels[name] = cells
        write_lines(folder / "protocols/PartialSpoof_LA_cm_protocols" / f"PartialSpoof.LA.cm.{part}.trl.txt", lines)
        (folder / "segment_labels").mkdir(exist_ok=True)
        np.save(folder / "segment_labels" / f"{part}_seglab_0.01.npy", labels, allow_pickle=True)
    protocol = folder / "protocols/PartialSpoof_LA_cm_protocols" / "PartialSpoof.LA.cm.train.trl.txt"
    return Written("partialspoof", folder, protocol, folder / "train" / "con_wav", 4, ".wav", name=1)


def mlaad(folder: Path, write: Write = bytes_alone) -> Written:
    """Make MLAAD: two models, one of them in two languages, and readers of M-AILABS."""
    columns = (
        "path original_file language is_original_language duration training_data model_name architecture transcript"
    )
    for language, model in (("de", "vits--thorsten"), ("de", "bark"), ("en", "bark")):
        lines = [columns.replace(" ", "|")]
        place = folder / "fake" / language / model
        for number in range(2):
            path = f"./fake/{language}/{model}/a_{number}.wav"
            original = f"{language}_XX/by_book/female/r/b/wavs/b_{number}.wav"
            name = model.partition("--")[0]
            lines.append(f'{path}|{original}|{language}|True|1.5|data|tts/{name}|{name}|He said "no, {number}".')
            write_recording(place / f"a_{number}.wav", write)
        write_lines(place / "meta.csv", lines)
    for reader in ("female/eva_k/book", "male/karl/book", "mix/tales"):
        write_recording(folder / "de_DE" / "by_book" / reader / "wavs" / "b_0.wav", write)
    place = folder / "fake" / "de" / "vits--thorsten"
    return Written("mlaad", folder, place / "meta.csv", place, -1, ".wav", "|", header=1)


def generic(folder: Path, write: Write = bytes_alone) -> Written:
    """Make a corpus of one's own with a table."""
    lines = ["path,class,talker,system,split of mine"]
    for number, speaker, system in trials(("Ana", "Bo"), ("melgan", "world")):
        lines.append(f"clips/{number}.wav,{'fake' if system else 'real'},{speaker},{system},s{number % 2}")
        write_recording(folder / "clips" / f"{number}.wav", write)
    protocol = write_lines(folder / "list.csv", lines)
    options = {"table": str(protocol), "path_column": "path", "label_column": "class", "speaker_column": "talker"}
    return Written("generic", folder, protocol, folder / "clips", 1, ".wav", ",", header=1, options=options)


WITH_PROTOCOL: dict[str, Callable[..., Written]] = {
    "in_the_wild": in_the_wild,
    "partialspoof": partialspoof,
    "mlaad": mlaad,
    "generic": generic,
}


def wavefake(folder: Path, write: Write = bytes_alone) -> Path:
    """Make WaveFake with both genuine corpora: two clips in each folder."""
    numbers = {"ljspeech": "LJ001-000{}", "jsut": "BASIC5000_000{}"}
    folders = {"ljspeech_melgan": "ljspeech", "ljspeech_hifiGAN": "ljspeech", "jsut_parallel_wavegan": "jsut"}
    for number in (1, 2):
        for made, corpus in folders.items():
            write_recording(folder / "generated_audio" / made / f"{numbers[corpus].format(number)}_gen.wav", write)
        conformer = "common_voices_prompts_from_conformer_fastspeech2_pwg_ljspeech"
        write_recording(folder / "generated_audio" / conformer / f"gen_{number}.wav", write)
        write_recording(folder / "LJSpeech-1.1" / "wavs" / f"{numbers['ljspeech'].format(number)}.wav", write)
        write_recording(folder / "jsut_ver1.1/basic5000/wav" / f"{numbers['jsut'].format(number)}.wav", write)
    return folder


def fake_or_real(folder: Path, write: Write = bytes_alone) -> Path:
    """Make a version of Fake-or-Real: two clips of each class in each split."""
    for split in ("training", "validation", "testing"):
        for kind in ("real", "fake"):
            for number in (1, 2):
                write_recording(folder / split / kind / f"file{number}.wav_16k.wav_norm.wav", write)
    return folder
