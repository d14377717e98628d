"""How fast a large protocol becomes tables, compared with a plain pandas script.

    python -m benchmarks.protocol

A stand-in for ASVspoof 2021 DF, of 611,829 recordings of a few bytes, is written first, which takes a minute or two.
Then, one after another, each in a process of its own:

- plain: `read_csv` of the key, the rows whose file is in a list of the folder, labels in our words, `to_csv`;
- ours: `GenerateDatasetCSV` with its checks, people table and notes; and the reading of the key alone, both ways.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from src.corpora.asvspoof import form_of
from src.corpora.protocols import read_protocol
from src.experiments.corpus.catalogue import generate_tables

TRACK = "ASVspoof2021_DF_eval"
KEY = "keys/DF/CM/trial_metadata.txt"
ROWS = 611_829
SYSTEMS = 13
SPEAKERS = 93
SUBSETS = ("progress", "hidden", *["eval"] * 8)


def main() -> None:
    """Write the corpus, measure every way and print it."""
    options = read_options()
    if options.way:
        measure(options.way, options.corpus)
        return
    from benchmarks.made_up import hardware  # imports PyTorch, whose memory is not to be measured

    print(f"{options.rows:,} recordings; {hardware('cpu')}")
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(Path(folder), options.rows)
        seconds = {way: in_a_process(way, Path(folder)) for _ in range(options.rounds) for way in WAYS}
        print(f"reading the key: {seconds['ours: key'] / seconds['plain: key']:.2f} times as long as plain")
        print(f"tables: {seconds['ours'] / seconds['plain']:.2f} times as long as plain")


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="How fast a large protocol becomes tables.")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=1, help="the last one counts")
    parser.add_argument("--way", default="", help=argparse.SUPPRESS)
    parser.add_argument("--corpus", type=Path, default=None, help=argparse.SUPPRESS)
    return parser.parse_args()


def write_corpus(dataset: Path, n_rows: int) -> None:
    """Write a stand-in for ASVspoof 2021 DF."""
    flac, key = dataset / TRACK / "flac", dataset / KEY
    flac.mkdir(parents=True)
    key.parent.mkdir(parents=True)
    with key.open("w") as lines:
        for number in range(n_rows):
            name = f"DF_E_{2000011 + number}"
            system = number % 29
            made = f"A{system % SYSTEMS + 7:02d} spoof" if system else "bonafide bonafide"
            vocoder = "neural_vocoder_autoregressive" if system else "bonafide"
            subset = SUBSETS[number % len(SUBSETS)]
            speaker = f"LA_{number // 29 % SPEAKERS:04d}"
            lines.write(f"{speaker} {name} mp3m4a asvspoof {made} notrim {subset} {vocoder} - - - -\n")
            (flac / f"{name}.flac").write_bytes(b"%d" % number)


def in_a_process(way: str, dataset: Path) -> float:
    """Measure one way in a process of its own, print its line and return the seconds."""
    command = [sys.executable, "-m", "benchmarks.protocol", f"--way={way}", f"--corpus={dataset}"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    print(printed)
    return float(printed.rsplit(" s, ", 1)[0].rsplit(" ", 1)[1])


def measure(way: str, dataset: Path) -> None:
    """Print how long one way takes, and how much memory."""
    started = time.perf_counter()
    WAYS[way](dataset)
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{way}: {seconds:.1f} s, at most {memory / 1e9:.2f} GB")


def plain_key(dataset: Path) -> pd.DataFrame:
    """Read the key as most scripts do."""
    return pd.read_csv(dataset / KEY, sep=" ", header=None)


def plain_tables(dataset: Path) -> None:
    """Write a table of the clips that are there, as a script of ten lines would."""
    rows = plain_key(dataset)
    there = {path.stem for path in (dataset / TRACK / "flac").iterdir()}
    rows = rows[rows[1].isin(there)]
    rows["file"] = f"{TRACK}/flac/" + rows[1] + ".flac"
    rows["label"] = rows[5].map({"bonafide": "bona-fide", "spoof": "spoof"})
    rows.sort_values("file").to_csv(dataset / "plain.csv", index=False)


def our_key(dataset: Path) -> pd.DataFrame:
    """Read the key with all checks."""
    return read_protocol(dataset / KEY, form_of("ASVspoof 2021 DF"))


def our_tables(dataset: Path) -> None:
    """Do what `fab GenerateDatasetCSV --layout=asvspoof2021` does."""
    generate_tables(dataset, "asvspoof2021")


WAYS: dict[str, Callable[[Path], object]] = {
    "plain: key": plain_key,
    "ours: key": our_key,
    "plain": plain_tables,
    "ours": our_tables,
}

if __name__ == "__main__":
    main()
