"""Pretrained speech models through transformers' Auto classes: any hub id or local folder of a known family.

Weights are read as float32 whatever the file holds.
"""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from src.utils.files import file_digest, text_digest

WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin")


@dataclass(frozen=True)
class Pretrained:
    """A model as it was published, and how it wants its waveforms."""

    model: Any
    """transformers' own class of it, a torch.nn.Module."""
    config: Any
    normalise: bool
    """Whether each waveform is brought to zero mean and unit variance."""
    rate: int
    digest: str
    """The hub's revision, or a digest of a local folder's weights and settings."""


def load_pretrained(family: str, name: str) -> Pretrained:
    """Load a model, or say in one line why that cannot be.

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
    from huggingface_hub.utils import logging as hub_logging
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModel
    from transformers.utils import logging as transformers_logging

    folder = Path(name)
    if folder.is_absolute() or name.startswith((".", "~")) or folder.is_dir():
        _check_model_folder(folder)
    hub_logging.set_verbosity_error()  # its retries would bury our one line
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    with _in_one_line(name):
        config = AutoConfig.from_pretrained(name)
    if config.model_type != family:
        raise ValueError(
            f"{name} is of the family {config.model_type}, not {family}: choose another --backbone or --model."
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
    return Pretrained(model, config, normalise, rate, _model_digest(name))


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
                "connect to the network, or give a folder that holds the model by --model=FOLDER."
            ) from None
        raise ValueError(
            f"The model {name} cannot be loaded ({reason}): a file of it is damaged or of another kind; fetch it again."
        ) from None


def _check_model_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no model folder {folder}.")
    for needed in ("config.json", "preprocessor_config.json"):
        if not (folder / needed).is_file():
            raise FileNotFoundError(
                f"The model folder {folder} has no {needed}; save the model there with save_pretrained."
            )
    if not any(any(folder.glob(pattern)) for pattern in WEIGHT_FILES):
        raise FileNotFoundError(f"The model folder {folder} has no weights ({' or '.join(WEIGHT_FILES)}).")


def _model_digest(name: str) -> str:
    if not Path(name).is_dir():
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(name, "config.json")  # .../snapshots/<revision>/config.json
        return Path(str(cached)).parent.name
    files = sorted(path for pattern in (*WEIGHT_FILES, "*config.json") for path in Path(name).glob(pattern))
    return "sha256:" + text_digest("\n".join(f"{path.name} {file_digest(path)}" for path in files))
