"""Pretrained speech models through transformers' classes: any hub id or local folder of a known family.

Weights are read as float32 whatever the file holds.
"""

import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.backbones.model_folders import WEIGHT_FILES, check_model_folder, in_one_line
from src.backbones.published import FAMILIES, PARTS, model_type, random_size
from src.backbones.random_weights import EMPTY_FILTER, make_random, random_digest
from src.utils.files import file_digest, text_digest
from src.utils.registry import lookup


@dataclass(frozen=True)
class Pretrained:
    """A model as it was published, and how its waveforms must be prepared."""

    model: Any
    """transformers' own class of it, a torch.nn.Module."""
    config: Any
    extractor: Any
    """transformers' own class that prepares its waveforms."""
    rate: int
    digest: str
    """The hub's revision, or a digest of a local folder's weights and settings."""
    random: bool = False
    """Whether its weights are random, and of no use but to try things out."""

    @property
    def normalise(self) -> bool:
        """Whether each waveform is brought to zero mean and unit variance."""
        return bool(getattr(self.extractor, "do_normalize", False))  # Whisper's has no such setting


def load_pretrained(family: str, name: str) -> Pretrained:
    """Load a model, or raise an error of one line.

    A checkpoint with a head, such as one fine-tuned for recognition (CTC), gives the model below its head, and a
    warning that names the head.

    Parameters
    ----------
    family : str
        A row of `FAMILIES`, such as "wav2vec2".
    name : str
        Hub id, local folder, or random:base and random:large for random weights.

    Raises
    ------
    FileNotFoundError
        When there is no such folder, a file of it is missing, or the hub cannot be reached.
    ValueError
        When it is of another family, damaged, or weights are missing.
    """
    _silence_libraries()
    if size := random_size(family, name):
        warnings.warn(f"{name} has random weights: for trying things out, not for a result", stacklevel=2)
        model, config, extractor = make_random(family, size)
        model = _without_adapter(model)
        return Pretrained(model, config, extractor, extractor.sampling_rate, random_digest(size), random=True)
    check_model_folder(name)
    config = _read_config_of_family(family, name)
    with in_one_line(name):
        extractor = _load_extractor(family, name)
        rate = int(extractor.sampling_rate)
        model, report = _load_model(family, name, config)
    _refuse_missing_weights(name, report)
    head = _head(report["unexpected_keys"])
    if head:
        kind = (config.architectures or ["a model with a head"])[0]
        warnings.warn(f"{name} holds a {kind}: its head ({head}) is not used, the model below it is", stacklevel=2)
    return Pretrained(_without_adapter(model), config, extractor, rate, model_digest(name))


def family_of(name: str) -> str:
    """Return the row of FAMILIES that a model belongs to.

    Raises
    ------
    FileNotFoundError
        When there is no such folder, a file of it is missing, or the hub cannot be reached.
    ValueError
        When it is of no family that is known here.
    """
    from transformers import AutoConfig

    _silence_libraries()
    check_model_folder(name)
    with in_one_line(name):
        found = AutoConfig.from_pretrained(name).model_type
    families = [family for family in FAMILIES if model_type(family) == found]
    if not families:
        raise ValueError(f"{name} is of the family {found}, which is not known here: {', '.join(FAMILIES)} are.")
    return families[0]


def _silence_libraries() -> None:
    """Keep back what libraries say while a model is read: the hub's reports of retries would hide our one line."""
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging as transformers_logging

    hub_logging.set_verbosity_error()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


def _load_model(family: str, name: str, config: Any) -> tuple[Any, dict[str, Any]]:
    """Return a model and the report of its keys.

    A part of a model, such as Whisper's encoder, is read from files of the whole, in which its keys have a prefix:
    without the mapping every weight would be missing, silently.
    """
    import torch
    from transformers import AutoModel

    prefix = FAMILIES[family].prefix
    return (lookup(PARTS, family, "part") if prefix else AutoModel).from_pretrained(
        name,
        config=config,
        dtype=torch.float32,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        **({"key_mapping": {prefix: ""}} if prefix else {}),
    )


def _read_config_of_family(family: str, name: str) -> Any:
    """Return a model's configuration; raise ValueError when it is of another family."""
    from transformers import AutoConfig

    with in_one_line(name):
        config = AutoConfig.from_pretrained(name)
    if config.model_type != model_type(family):
        raise ValueError(
            f"{name} is of the family {config.model_type}, not {model_type(family)}: "
            "name a model of that family, or the backbone of this one."
        )
    return config


def _load_extractor(family: str, name: str) -> Any:
    """Return what prepares a model's waveforms; raise TypeError when it prepares those of other models."""
    import transformers

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", EMPTY_FILTER)
        extractor = transformers.AutoFeatureExtractor.from_pretrained(name)
    wanted = FAMILIES[family].extractor
    if not isinstance(extractor, getattr(transformers, wanted)):
        raise TypeError(f"its feature extractor is a {type(extractor).__name__}, not a {wanted}")
    return extractor


def _refuse_missing_weights(name: str, report: dict[str, Any]) -> None:
    """Raise ValueError for what the file lacks, which would stay random; the mask is used in training only."""
    mismatched = (key for key, *_ in report["mismatched_keys"])
    absent = sorted({*report["missing_keys"], *mismatched} - {"masked_spec_embed"})
    if absent:
        raise ValueError(
            f"The weights of {name} do not fit its config.json ({len(absent)} are missing or of another shape, "
            f"first: {absent[0]}); fetch the model again."
        )


def _head(keys: Iterable[str]) -> str:
    """Return the names of the parts that a file holds beside the model.

    >>> _head(["lm_head.weight", "lm_head.bias", "model.decoder.layers.0.fc1.weight"])
    'decoder, lm_head'
    """
    return ", ".join(sorted({key.removeprefix("model.").split(".")[0] for key in keys} - {"masked_spec_embed"}))


def _without_adapter(model: Any) -> Any:
    """Leave out what shortens the sequence of frames for a head on top."""
    model.adapter = model.intermediate_ffn = None
    return model


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
