"""Folders that hold a model as transformers saves it, and what is said of those that do not."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin")
PREPROCESSING_FILES = ("preprocessor_config.json", "processor_config.json")
"""Where a feature extractor is saved: by itself, or by the processor that holds it and a tokenizer."""


@contextmanager
def in_one_line(name: str) -> Iterator[None]:
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


def check_model_folder(name: str) -> None:
    """Raise FileNotFoundError when a name is that of a folder, which lacks something that a model needs."""
    folder = Path(name)
    if not (folder.is_absolute() or name.startswith((".", "~")) or folder.is_dir()):
        return  # a hub id
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
