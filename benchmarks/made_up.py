"""Synthetic inputs of the benchmarks: clips of speech, models of true shape with random weights, and embeddings."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import torch

from src.audio.io import SPEECH_RATE, save_waveform
from src.audio.voices import draw_voice, speak
from src.experiments.corpus.splits import split_table
from src.utils.dataset import FILE_COLUMNS, write_table
from src.utils.devices import choose_device
from src.utils.embedding_store import EmbeddingStore, Row
from src.utils.paths import embeddings_folder

SHAPES = {
    "wav2vec2-base": ("wav2vec2", "Wav2Vec2", {}),
    "hubert-base": ("hubert", "Hubert", {}),
    "wavlm-base": ("wavlm", "WavLM", {}),
    "hubert-large": (
        "hubert",
        "Hubert",
        {
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
            "feat_extract_norm": "layer",
            "do_stable_layer_norm": True,
            "conv_bias": True,
        },
    ),
}
"""Name of a model -> its family, its class in transformers, and its differences from the defaults of that class."""
SPLIT = "downstream_train"
PEOPLE = 60
MEAN_SECONDS = 4.9
"""As in CETUC + Fake Voices."""


def draw_seconds(n_clips: int, mean: float, rng: np.random.Generator) -> np.ndarray:
    """Draw lengths of clips: 0.4 to 2.4 of the mean, 2 to 12 s where that is 4.9 s."""
    return np.clip(rng.gamma(6, mean / 6, n_clips), 0.4 * mean, 2.4 * mean)


def write_clips(dataset: Path, seconds: np.ndarray, rng: np.random.Generator) -> float:
    """Write FLAC clips of these lengths and list them in a split; return their total length in seconds."""
    speech = speak(draw_voice("F", rng), 60, rng)
    folder = dataset / "real_voices" / "Nobody_F000"
    folder.mkdir(parents=True)
    rows = []
    for number, n_samples in enumerate((seconds * SPEECH_RATE).astype(int)):
        start = rng.integers(0, len(speech))
        clip = np.take(speech, np.arange(start, start + n_samples), mode="wrap")
        path = folder / f"F000-{number:05d}.flac"
        save_waveform(path, clip)
        rows.append([path.relative_to(dataset).as_posix(), "Nobody", "F000", "F", "bona-fide", ""])
    write_table(split_table(dataset, SPLIT), pd.DataFrame(rows, columns=FILE_COLUMNS))
    return float((seconds * SPEECH_RATE).astype(int).sum() / SPEECH_RATE)


def save_model(folder: Path, shape: str) -> Path:
    """Save a model of this shape with random weights, as save_pretrained does."""
    import transformers

    _, name, options = SHAPES[shape]
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**options)
    getattr(transformers, f"{name}Model")(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


def flops_of_second(config: Any, seconds: float, last_layer: int) -> float:
    """Return the floating-point operations per second of a clip; a multiplication and an addition count as two.

    Parameters
    ----------
    config : transformers configuration
    seconds : float
        Length of the clip, on which attention depends.
    last_layer : int
        The highest hidden layer that is computed.
    """
    operations, length, channels = 0.0, seconds * SPEECH_RATE, 1
    for width, kernel, stride in zip(config.conv_dim, config.conv_kernel, config.conv_stride, strict=True):
        length = (length - kernel) // stride + 1
        operations += 2 * length * width * channels * kernel
        channels = width
    width = config.hidden_size
    operations += 2 * length * channels * width
    operations += 2 * length * width * (width // config.num_conv_pos_embedding_groups) * config.num_conv_pos_embeddings
    of_frame = 2 * 4 * width**2 + 2 * 2 * width * config.intermediate_size + 2 * 2 * width * length
    return (operations + last_layer * length * of_frame) / seconds


def hardware(device: str) -> str:
    """Return the name of the processor, or of the GPU, that a measurement runs on."""
    chosen = choose_device(device)
    if chosen.type == "cuda":
        return torch.cuda.get_device_name(chosen)
    memory = psutil.virtual_memory().total / 1e9
    return f"{torch.cpu.get_capabilities().get('cpu_name', 'CPU')}, {os.cpu_count()} cores, {memory:.0f} GB"


def draw_embeddings(n_clips: int, dimension: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw vectors (n, d) and labels (n,) of classes that overlap: EERs of 5 to 10 % with some thousand clips.

    A vector is a linear mixture of fewer hidden numbers: those of the person plus a random part of each clip. The class
    shifts some of the hidden numbers, by amounts that partly depend on the person.
    """
    fixed = np.random.default_rng(0)  # the same people and mixture for every split
    n_hidden, n_moved = 48, 16
    mixture = fixed.standard_normal((n_hidden, dimension)) * np.linspace(3, 0.3, n_hidden)[:, None]
    voices, habits = fixed.standard_normal((PEOPLE, n_hidden)), fixed.standard_normal((PEOPLE, n_moved))
    who, labels = rng.integers(0, PEOPLE, n_clips), np.arange(n_clips) % 2
    hidden = 0.7 * voices[who] + rng.standard_normal((n_clips, n_hidden))
    hidden[:, 30 : 30 + n_moved] += (labels[:, None] - 0.5) * 1.1 * (1 + habits[who])
    vectors = hidden @ mixture + rng.standard_normal((n_clips, dimension))
    return vectors.astype(np.float32), labels


def write_embeddings(root: Path, dataset: Path, split: str, vectors: np.ndarray, labels: np.ndarray) -> None:
    """Write a split and its store of one layer, as if of the backbone hubert; there are no recordings."""
    dimension = vectors.shape[1]
    rows = [
        [f"{('fake', 'real')[label]}_voices/{number}.wav", "Nobody", "F000", "F", ("spoof", "bona-fide")[label], ""]
        for number, label in enumerate(labels)
    ]
    clips = pd.DataFrame(rows, columns=FILE_COLUMNS)
    write_table(split_table(dataset, split), clips)
    identity = {"model": "drawn", "digest": "drawn", "precision": "fp32", "layers": [0], "dimension": dimension}
    files = clips["file"].tolist()
    with EmbeddingStore(embeddings_folder(root, dataset, "hubert", split), identity) as store:
        statistics = np.stack([vectors, np.zeros_like(vectors)], axis=1)[:, None]
        store.append([Row(file, file, 1) for file in files], statistics)
        store.finish(clips, dict(zip(files, files, strict=True)))
