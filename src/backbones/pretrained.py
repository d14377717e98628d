"""Pretrained speech models through transformers' Auto classes: any hub id or local folder of a known family.

Weights are read as float32 whatever the file holds.
"""

import json
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.utils.files import file_digest, text_digest

WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin")
PREPROCESSING_FILES = ("preprocessor_config.json", "processor_config.json")
"""Where a feature extractor is saved: by itself, or by the processor that holds it and a tokenizer."""


@dataclass(frozen=True)
class Pretrained:
    """A model as it was published, and how its waveforms must be prepared."""

    model: Any
    """transformers' own class of it, a torch.nn.Module."""
    config: Any
    normalise: bool
    """Whether each waveform is brought to zero mean and unit variance."""
    rate: int
    digest: str
    """The hub's revision, or a digest of a local folder's weights and settings."""


def load_pretrained(family: str, name: str) -> Pretrained:
    """Load a model, or raise an error of one line.

    A checkpoint with a head, such as one fine-tuned for recognition (CTC), gives the model below its head.

    Parameters
    ----------
    family : str
        transformers' model_type, such as "wav2vec2".
    name : str
        Hub id or local folder.

    Raises
    ------
    FileNotFoundError
        When there is no such folder, a file of it is missing, or the hub cannot be reached.
    ValueError
        When it is of another family, damaged, or weights are missing.
    """
    import torch
    from huggingface_hub.utils import logging as hub_logging
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModel
    from transformers.utils import logging as transformers_logging

    folder = Path(name)
    if folder.is_absolute() or name.startswith((".", "~")) or folder.is_dir():
        _check_model_folder(folder)
    hub_logging.set_verbosity_error()  # its reports of retries would hide our one line
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    with _in_one_line(name):
        config = AutoConfig.from_pretrained(name)
    if config.model_type != family:
        raise ValueError(
            f"{name} is of the family {config.model_type}, not {family}: choose another `backbone` or `model`."
        )
    with _in_one_line(name):
        extractor = AutoFeatureExtractor.from_pretrained(name)
        normalise, rate = bool(extractor.do_normalize), int(extractor.sampling_rate)
        model, report = AutoModel.from_pretrained(
            name, config=config, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True
        )
    # what the file lacks would stay random; the mask is used in training only
    absent = sorted({*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])} - {"masked_spec_embed"})
    if absent:
        raise ValueError(
            f"The weights of {name} do not fit its config.json ({len(absent)} are missing or of another shape, "
            f"first: {absent[0]}); fetch the model again."
        )
    model.adapter = None  # shortens the sequence of frames for a head on top
    return Pretrained(model, config, normalise, rate, model_digest(name))


def model_digest(name: str) -> str:
    """Return what identifies a model: the hub's revision, or a digest of a folder's weights and settings.

    The model is not loaded. Empty for a hub id that is not in the hub's cache.
    """
    folder = Path(name)
    if not folder.is_dir():
        cached = _cached_config(name)  # .../snapshots/<revision>/config.json
        return cached.parent.name if cached else ""
    files = sorted(path for pattern in (*WEIGHT_FILES, "*config.json") for path in folder.glob(pattern))
    return "sha256:" + text_digest("\n".join(f"{path.name} {file_digest(path)}" for path in files))


def read_config(name: str) -> dict[str, Any]:
    """Return a model's config.json without loading the model; empty when it is not on this disk or no JSON object."""
    path = Path(name) / "config.json" if Path(name).is_dir() else _cached_config(name)
    try:
        config = json.loads(path.read_bytes()) if path else {}
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def displayed_name(name: str) -> str:
    """Return a model's name in a store: its hub id, or the name of its folder without the path."""
    return Path(name).name if Path(name).is_dir() else name


def _cached_config(name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        return None
    return Path(cached) if isinstance(cached, str) else None


@contextmanager
def _in_one_line(name: str) -> Iterator[None]:
    """Turn whatever transformers, safetensors and torch raise for a model they cannot load into one line."""
    try:
        yield
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = textwrap.shorten(lines[0].rstrip(".:"), 200)
        if isinstance(error, OSError) and not Path(name).is_dir():
            raise FileNotFoundError(
                f"The model {name} is not in the hub's cache and cannot be downloaded ({reason}); "
                "connect to the network, or name a folder that holds the model (`model=FOLDER`)."
            ) from None
        raise ValueError(
            f"The model {name} cannot be loaded ({reason}): a file of it is damaged or of another kind; fetch it again."
        ) from None


def _check_model_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no model folder {folder}.")
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"The model folder {folder} has no config.json; save the model there: MODEL.save_pretrained(FOLDER)."
        )
    if not any((folder / name).is_file() for name in PREPROCESSING_FILES):
        raise FileNotFoundError(
            f"The model folder {folder} has neither {' nor '.join(PREPROCESSING_FILES)}, which say how waveforms are "
            "prepared; save those of the model that it was made from there: "
            "AutoFeatureExtractor.from_pretrained(MODEL).save_pretrained(FOLDER)."
        )
    if not any(any(folder.glob(pattern)) for pattern in WEIGHT_FILES):
        raise FileNotFoundError(f"The model folder {folder} has no weights ({' or '.join(WEIGHT_FILES)}).")
