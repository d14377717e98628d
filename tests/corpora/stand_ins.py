"""Small stand-ins for public corpora, in the exact form in which these are published.

    corpus = MAKERS["asvspoof2019 LA"](tmp_path / "LA")
    generate_tables(corpus.dataset, corpus.layout)

Each part has two speakers, and each of them two bona fide recordings and two spoofs by two systems: eight trials.
Recordings hold a few bytes that are no sound, unless `write` makes one of them. To add a corpus, write a function and
give it a row in `MAKERS`: the tests of damage (`test_damaged_corpora.py`) then try it as well.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Write = Callable[[Path], None]


@dataclass(frozen=True)
class StandIn:
    """A corpus that was made up, and where it can be damaged."""

    layout: str
    dataset: Path
    protocol: Path
    """One of its protocols."""
    folder: Path
    """The recordings of that protocol lie here."""
    label: int
    """Which field of a line is the label, from 0."""
    suffix: str = ".flac"
    separator: str = " "

    def rows(self) -> list[list[str]]:
        """Return the fields of the lines of the protocol."""
        return [line.split(self.separator) for line in self.protocol.read_text().splitlines()]

    def write_rows(self, rows: list[list[str]], separator: str = "") -> None:
        """Write the protocol anew."""
        write_lines(self.protocol, [(separator or self.separator).join(row) for row in rows])


def bytes_alone(path: Path) -> None:
    """Write a recording that only looks like one; no two have the same bytes."""
    path.write_bytes(str(path).encode())


def write_lines(path: Path, lines: list[str]) -> Path:
    """Write a text file of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def write_recording(path: Path, write: Write) -> None:
    """Write a recording, and its folder where that is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)


def trials(people: tuple[str, str], systems: tuple[str, str]) -> Iterator[tuple[int, str, str]]:
    """Yield number, speaker and system ("" = bona fide) of the eight trials of a part."""
    pairs = [(speaker, system) for speaker in people for system in ("", "", *systems)]
    yield from ((number, *pair) for number, pair in enumerate(pairs))


def asvspoof2017(folder: Path, write: Write = bytes_alone) -> StandIn:
    """Make ASVspoof 2017 V2."""
    parts = {
        "train": ("trn", ("M0001", "M0002"), ("E01 P01 R01", "E02 P01 R01")),
        "dev": ("trl", ("M0011", "M0012"), ("E01 P01 R01", "E03 P04 R02")),
        "eval": ("trl", ("M0021", "M0022"), ("E05 P07 R09", "E06 P08 R10")),
    }
    for part, (ending, people, systems) in parts.items():
        lines = []
        for number, speaker, system in trials(people, systems):
            name = f"{part[0].upper()}_{1000001 + number}.wav"
            lines.append(f"{name} {'spoof' if system else 'genuine'} {speaker} S01 {system or '- - -'}")
            write_recording(folder / f"ASVspoof2017_V2_{part}" / name, write)
        write_lines(folder / "protocol_V2" / f"ASVspoof2017_V2_{part}.{ending}.txt", lines)
    protocol = folder / "protocol_V2" / "ASVspoof2017_V2_train.trn.txt"
    return StandIn("asvspoof2017", folder, protocol, folder / "ASVspoof2017_V2_train", label=1, suffix=".wav")


def asvspoof2019(folder: Path, write: Write = bytes_alone, track: str = "LA") -> StandIn:
    """Make a track of ASVspoof 2019, with a recording in dev that enrols a speaker."""
    known, unknown, environment = ("A01", "A02"), ("A07", "A08"), "-"
    if track == "PA":
        known, unknown, environment = ("AA", "AB"), ("BC", "CC"), "aac"
    parts = {
        "train": ("trn", (f"{track}_0079", f"{track}_0080"), known),
        "dev": ("trl", (f"{track}_0069", f"{track}_0070"), known),
        "eval": ("trl", (f"{track}_0001", f"{track}_0002"), unknown),
    }
    for part, (ending, people, systems) in parts.items():
        lines = []
        for number, speaker, system in trials(people, systems):
            name = f"{track}_{part[0].upper()}_{1000137 + number}"
            lines.append(f"{speaker} {name} {environment} {system or '-'} {'spoof' if system else 'bonafide'}")
            write_recording(folder / f"ASVspoof2019_{track}_{part}" / "flac" / f"{name}.flac", write)
        protocol = f"ASVspoof2019.{track}.cm.{part}.{ending}.txt"
        write_lines(folder / f"ASVspoof2019_{track}_cm_protocols" / protocol, lines)
    enrols = f"{track}_D_9000001"
    write_recording(folder / f"ASVspoof2019_{track}_dev" / "flac" / f"{enrols}.flac", write)
    enrolment = f"ASVspoof2019_{track}_asv_protocols/ASVspoof2019.{track}.asv.dev.male.trn.txt"
    write_lines(folder / enrolment, [f"{track}_0069 {enrols},{enrols[:-1]}2"])
    protocol_path = folder / f"ASVspoof2019_{track}_cm_protocols" / f"ASVspoof2019.{track}.cm.train.trn.txt"
    return StandIn("asvspoof2019", folder, protocol_path, folder / f"ASVspoof2019_{track}_train" / "flac", label=4)


def asvspoof2019_pa(folder: Path, write: Write = bytes_alone) -> StandIn:
    """Make the track PA of ASVspoof 2019."""
    return asvspoof2019(folder, write, "PA")


def asvspoof2021(folder: Path, write: Write = bytes_alone, track: str = "LA") -> StandIn:
    """Make a track of ASVspoof 2021: eight trials of each of the subsets eval, progress and hidden."""
    lines = []
    audio = folder / f"ASVspoof2021_{track}_eval"
    for place, subset in enumerate(("eval", "progress", "hidden")):
        trim = "trim" if subset == "hidden" else "notrim"
        for number, speaker, system in trials(("LA_0023", "LA_0048"), ("A07", "A14")):
            name = f"{track}_E_{1000147 + 100 * place + number}"
            key, made = ("spoof", system) if system else ("bonafide", "bonafide")
            line = f"{speaker} {name} alaw ita_tx {made} {key} {trim} {subset}"
            if track == "DF":
                vocoder = "traditional_vocoder" if system else "bonafide"
                line = f"{speaker} {name} mp3m4a asvspoof {made} {key} {trim} {subset} {vocoder} - - - -"
            lines.append(line)
            write_recording(audio / "flac" / f"{name}.flac", write)
    write_lines(audio / f"ASVspoof2021.{track}.cm.eval.trl.txt", [line.split()[1] for line in lines])
    protocol = write_lines(folder / "keys" / track / "CM" / "trial_metadata.txt", lines)
    return StandIn("asvspoof2021", folder, protocol, audio / "flac", label=5)


def asvspoof2021_df(folder: Path, write: Write = bytes_alone) -> StandIn:
    """Make the track DF of ASVspoof 2021."""
    return asvspoof2021(folder, write, "DF")


def asvspoof5(folder: Path, write: Write = bytes_alone) -> StandIn:
    """Make ASVspoof 5, track 1: a woman and a man in each part."""
    parts = {
        "flac_T": ("train", ("T_4850", "T_2101"), ("A01", "A02")),
        "flac_D": ("dev.track_1", ("D_4461", "D_0081"), ("A09", "A14")),
        "flac_E_eval": ("eval.track_1", ("E_1607", "E_0512"), ("A17", "A32")),
    }
    for audio, (part, people, systems) in parts.items():
        lines = []
        for number, speaker, system in trials(people, systems):
            name = f"{audio[5]}_{number:010d}"
            codec = "C05 2 17" if audio == "flac_E_eval" else "- - -"
            kind = f"AC1 {system} spoof" if system else "bonafide bonafide bonafide"
            lines.append(f"{speaker} {name} {'FM'[people.index(speaker)]} {codec} {kind} -")
            write_recording(folder / audio / f"{name}.flac", write)
        write_lines(folder / f"ASVspoof5.{part}.tsv", lines)
    return StandIn("asvspoof5", folder, folder / "ASVspoof5.train.tsv", folder / "flac_T", label=8)


MAKERS: dict[str, Callable[..., StandIn]] = {
    "asvspoof2017": asvspoof2017,
    "asvspoof2019 LA": asvspoof2019,
    "asvspoof2019 PA": asvspoof2019_pa,
    "asvspoof2021 LA": asvspoof2021,
    "asvspoof2021 DF": asvspoof2021_df,
    "asvspoof5": asvspoof5,
}

ASV_TRIALS = (
    *(("target", score) for score in (3.0, 4.0, 5.0)),
    *(("nontarget", score) for score in (0.0, 1.0, 2.0)),
    *(("spoof", score) for score in (1.0, 4.0)),
)
"""Kind and score of the trials of a speaker verification system: those of the examples in `metrics/tandem.py`."""


def write_asv_2019(folder: Path, track: str = "LA") -> None:
    """Write the ASV scores that are published with ASVspoof 2019; those of dev are others."""
    for part, shift in (("dev", 10), ("eval", 0)):
        lines = [f"{'A07' if kind == 'spoof' else 'bonafide'} {kind} {score + shift}" for kind, score in ASV_TRIALS]
        write_lines(
            folder / f"ASVspoof2019_{track}_asv_scores/ASVspoof2019.{track}.asv.{part}.gi.trl.scores.txt", lines
        )


def write_asv_2021(folder: Path) -> None:
    """Write the ASV scores that are published with ASVspoof 2021 LA; a trial of the subset progress does not count."""
    trials_of_all = [(*trial, "eval") for trial in ASV_TRIALS] + [("target", -9.0, "progress")]
    names = [f"LA_E_{number}" for number in range(len(trials_of_all))]
    made = {"spoof": "A07"}
    kinds = [
        f"LA_0001 {name} alaw ita_tx {made.get(kind, 'bonafide')} {kind} notrim {subset}"
        for name, (kind, _, subset) in zip(names, trials_of_all, strict=True)
    ]
    scores = [f"LA_0001 {name} {score}" for name, (_, score, _) in zip(names, trials_of_all, strict=True)]
    write_lines(folder / "keys" / "LA" / "ASV" / "trial_metadata.txt", kinds)
    write_lines(folder / "keys" / "LA" / "ASV" / "ASVTorch_Kaldi" / "score.txt", scores)
