"""How much memory extraction takes, and how long it takes to load a layer of a large store.

    python -m benchmarks.memory

Memory is that of the extracting process and its readers together (proportional set size), sampled ten times a second:
for a recording of an hour, and for 2,000 and 20,000 short clips. The store that a layer is loaded from has 46,184 clips
and 13 layers of 768 dimensions.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from benchmarks.made_up import SHAPES, SPLIT, hardware, save_model, write_clips
from benchmarks.peak import memory_of
from src.experiments.extraction.engines import in_one_process
from src.experiments.extraction.plan import make_plan
from src.experiments.extraction.requests import Request
from src.utils.dataset import FILE_COLUMNS
from src.utils.embedding_store import EmbeddingStore, Row
from src.utils.embeddings import load_embeddings

CORPUS_CLIPS, CORPUS_LAYERS, CORPUS_WIDTH = 46_184, 13, 768
FEW, MANY = 2_000, 20_000
CLIP_SECONDS = 0.25
SAMPLES_PER_SECOND = 10


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description="How much memory extraction takes.")
    parser.add_argument("--shape", default="wav2vec2-base", choices=SHAPES, help="shape of the model")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    parser.add_argument("--extract", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.extract:
        extract_corpus(options)
        return
    print(f"{options.shape}, precision {options.precision}; {hardware(options.device)}")
    with tempfile.TemporaryDirectory() as place:
        folder, rng = Path(place), np.random.default_rng(7)
        save_model(folder / "model", options.shape)
        write_clips(folder / "hour", np.array([3600.0]), rng)
        print(f"a recording of an hour: {peak_memory(folder / 'hour', options) / 1e9:.2f} GB")
        peaks = []
        for n_clips in (FEW, MANY):
            write_clips(folder / str(n_clips), np.full(n_clips, CLIP_SECONDS), rng)
            peaks.append(peak_memory(folder / str(n_clips), options))
            print(f"{n_clips:,} clips of {CLIP_SECONDS} s: {peaks[-1] / 1e9:.2f} GB")
        print(f"ratio: {peaks[1] / peaks[0]:.3f} times the memory for {MANY // FEW} times the clips")
    with tempfile.TemporaryDirectory() as place:
        write_store(Path(place))
        load_embeddings(Path(place), layer=6)
        for pooling in ("mean", "mean+std"):
            before, started = psutil.Process().memory_info().rss, time.perf_counter()
            table = load_embeddings(Path(place), layer=6, pooling=pooling)
            seconds, grown = time.perf_counter() - started, psutil.Process().memory_info().rss - before
            print(
                f"one layer of {CORPUS_CLIPS:,} clips, {pooling}: {seconds:.2f} s from warm cache, "
                f"{table.vectors.nbytes / 1e6:.0f} MB of vectors, {grown / 1e6:.0f} MB more memory"
            )


def extract_corpus(options: argparse.Namespace) -> None:
    """Extract the embeddings of a corpus, as `fab GenerateEmbeddings` does."""
    family, _, _ = SHAPES[options.shape]
    model = str(options.extract.parent / "model")
    request = Request(options.extract, [SPLIT], family, model, options.device, options.precision)
    list(in_one_process(make_plan(request, root=options.extract.parent)))


def peak_memory(dataset: Path, options: argparse.Namespace) -> float:
    """Extract a corpus in a process of its own; return the peak bytes of it and its readers."""
    command = [sys.executable, "-m", "benchmarks.memory", f"--extract={dataset}", f"--shape={options.shape}"]
    command += [f"--device={options.device}", f"--precision={options.precision}"]
    peak = 0.0
    with subprocess.Popen(command) as running:
        while running.poll() is None:
            peak = max(peak, memory_of(psutil.Process(running.pid)))
            time.sleep(1 / SAMPLES_PER_SECOND)
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)
    return peak


def write_store(folder: Path) -> None:
    """Write a finished store of random vectors."""
    files = [f"real_voices/Nobody_F000/F000-{number:05d}.flac" for number in range(CORPUS_CLIPS)]
    clips = pd.DataFrame(
        {"file": files, "speaker": "Nobody", "id": "F000", "gender": "F", "label": "spoof", "system": ""}
    )
    prints = dict.fromkeys(files, "-")
    rng = np.random.default_rng(7)
    with EmbeddingStore(folder, {"layers": list(range(CORPUS_LAYERS)), "dimension": CORPUS_WIDTH}) as store:
        for start in range(0, CORPUS_CLIPS, 2_000):
            rows = [Row(file, "-", 1) for file in files[start : start + 2_000]]
            shape = (len(rows), CORPUS_LAYERS, 2, CORPUS_WIDTH)
            store.append(rows, rng.standard_normal(shape, dtype=np.float32))
        store.finish(clips[FILE_COLUMNS], prints)


if __name__ == "__main__":
    main()
