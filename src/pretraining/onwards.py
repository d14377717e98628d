"""How a pretraining begins: with random weights, or onwards from a model that learnt before.

    model                                           objectives that carry it on
    wav2vec2 as published (Wav2Vec2ForPreTraining)  all; wav2vec2 needs the quantiser that it brings
    hubert, wavlm and other models on waveforms     all but wav2vec2
    model/ of an earlier pretraining of ours        its own: everything that learnt goes on from where it was
    whisper as published                            none: it learnt from transcripts, by an objective that is not here

Our own pretrainings are known by `pretraining.json`, which lies beside the model with the settings, and by
`objective.safetensors`, which holds what learnt beside the model: quantiser, units, heads, the vector of masked frames.
What follows the steps, learning rate and temperature, begins anew.
"""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from src.backbones.pretrained import family_of, load_pretrained, model_digest
from src.backbones.published import OF_WAVEFORMS, RANDOM
from src.pretraining.beside_mel import make_objective
from src.pretraining.contract import ENCODER_WEIGHTS, SIZES, Objective, PretrainingConfig, own_weights
from src.pretraining.encoders import PretrainingEncoder, encoder_of, new_encoder
from src.utils.files import atomic_path, read_record, write_json

SETTINGS, OWN_WEIGHTS = "pretraining.json", "objective.safetensors"
SHAPING = ("units", "mel_weight", "teacher", "teacher_layer")
"""Settings that say what learns beside the model; one that is carried on keeps them."""
SCRATCH_RATE, ONWARDS_RATE = 5e-4, 5e-5
ONWARDS_DECAY = 0.9


def completed(config: PretrainingConfig) -> PretrainingConfig:
    """Return a config in which nothing is left open.

    Raises
    ------
    ValueError, FileNotFoundError
        When the model that it names cannot be carried on so.
    """
    if not config.model or config.model.startswith(RANDOM):
        if config.model:
            config = replace(config, size=_size_of_random(config), front_end="conv")
        rate, decay = (ONWARDS_RATE, ONWARDS_DECAY) if config.model else (SCRATCH_RATE, 1.0)
        shape: dict[str, Any] = {"front_end": config.front_end or "mel", "size": config.size or "small"}
    else:
        rate, decay = ONWARDS_RATE, ONWARDS_DECAY
        shape = _shape_of_model(config)
    rates: dict[str, Any] = {"learning_rate": config.learning_rate or rate, "layer_decay": config.layer_decay or decay}
    return replace(config, **shape, **rates)


def _size_of_random(config: PretrainingConfig) -> str:
    """Return the size of a model of random weights; raise ValueError where other settings ask for something else."""
    size = config.model.removeprefix(RANDOM)
    if size not in SIZES[1:]:
        allowed = " or ".join(f"`model={RANDOM}{known}`" for known in SIZES[1:])
        raise ValueError(f"`model={config.model}` names no size that a new encoder has: give {allowed}.")
    if config.front_end == "mel" or config.size not in ("", size):
        raise ValueError(
            f"`model={config.model}` is a model on waveforms of the size {size}: leave `front_end` and `size` out, or "
            "`model` to choose both."
        )
    return size


def begin(config: PretrainingConfig) -> tuple[Objective, bool]:
    """Return an objective with its encoder, and whether it has learnt before and need not start.

    Parameters
    ----------
    config : PretrainingConfig
        Completed; random weights are drawn from PyTorch's state.
    """
    own = own_settings(config.model)
    objective = make_objective(_encoder(config), config)
    if own:
        _read_own_weights(objective, Path(config.model))
    elif config.model and not config.model.startswith(RANDOM):
        objective.carry_on(config.model)
    return objective, bool(own)


def save_pretrained(objective: Objective, folder: Path, facts: Mapping[str, Any]) -> None:
    """Write a model so that `--model=` reads it, and what else its pretraining goes on from; `facts` are noted."""
    folder.mkdir(parents=True, exist_ok=True)
    objective.encoder.save(folder)
    weights = {name: tensor.contiguous() for name, tensor in own_weights(objective.state_dict()).items()}
    with atomic_path(folder / OWN_WEIGHTS) as temporary:
        save_file(weights, temporary)
    write_json(folder / SETTINGS, {**objective.describe(), **facts, "settings": asdict(objective.config)})


def own_settings(model: str) -> dict[str, Any]:
    """Return the settings of an earlier pretraining of ours; empty where a model is none."""
    path = Path(model) / SETTINGS
    return dict(read_record(path, "settings")["settings"]) if model and path.is_file() else {}


def _shape_of_model(config: PretrainingConfig) -> dict[str, Any]:
    """Return front end and size of a model that is to be carried on, and what else it settles."""
    family, own = family_of(config.model), own_settings(config.model)
    front_end = "mel" if family == "whisper" else "conv"
    if own:
        _require_own(config, own)
        kept = {name: own[name] for name in SHAPING if not _is_given(config, name) and name in own}
        return {"front_end": front_end, "size": own["size"], **kept}
    if family == "whisper":
        raise ValueError(
            f"{config.model} learnt from transcripts, and no `objective` here goes on with that: carry on a wav2vec2, "
            "hubert or wavlm, or the model/ of an earlier pretraining, or leave `model` out to begin anew."
        )
    allowed = ("wav2vec2",) if config.objective == "wav2vec2" else OF_WAVEFORMS
    if family not in allowed:
        raise ValueError(
            f"{config.model} is a {family} model, which the objective {config.objective} cannot carry on: it needs "
            f"a model of {', '.join(allowed)}."
        )
    if config.front_end not in ("", front_end):
        raise ValueError(f"{config.model} has the front end {front_end}, not {config.front_end}.")
    if config.size:
        raise ValueError("`size` is that of a new encoder: leave it out to carry on a model, which has its own.")
    return {"front_end": front_end}


def _require_own(config: PretrainingConfig, own: Mapping[str, Any]) -> None:
    """Raise ValueError when an earlier pretraining of ours was another one."""
    for name in ("objective", "front_end", "size"):
        wanted = getattr(config, name)
        if wanted and wanted != own[name]:
            raise ValueError(
                f"{config.model} was pretrained with the {name} {own[name]}, not {wanted}: carry it on with "
                f"`{name}={own[name]}`, or leave `model` out to begin anew."
            )
    for name in SHAPING:  # what learnt beside the model belongs to them
        wanted, was = getattr(config, name), own.get(name)
        if _is_given(config, name) and wanted != was and not (name == "teacher" and _is_same_model(wanted, was)):
            raise ValueError(
                f"{config.model} was pretrained with `{name}={was}`, to which what it learnt belongs, not {wanted}: "
                f"leave `{name}` out to carry it on, or `model` to begin anew."
            )


def _is_given(config: PretrainingConfig, name: str) -> bool:
    return getattr(config, name) != getattr(PretrainingConfig(), name)


def _is_same_model(folder: str, other: Any) -> bool:
    digest = model_digest(folder)
    return bool(digest) and digest == model_digest(str(other))


def _encoder(config: PretrainingConfig) -> PretrainingEncoder:
    if not config.model or config.model.startswith(RANDOM):
        return new_encoder(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has a head: that is what is looked for
        loaded = load_pretrained(family_of(config.model), config.model)
    return encoder_of(loaded.model, loaded.extractor)


def _read_own_weights(objective: Objective, folder: Path) -> None:
    """Read what learnt beside the model in an earlier pretraining."""
    path = folder / OWN_WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {OWN_WEIGHTS}, which holds what learnt beside the model.")
    try:
        report = objective.load_state_dict(load_file(path), strict=False)
        absent = [name for name in report.missing_keys if not name.startswith(ENCODER_WEIGHTS)]
    except Exception as error:  # of torch for shapes, of safetensors for damage
        absent = [str(error).splitlines()[-1].strip()]
    if absent:
        raise ValueError(f"{path} does not fit its pretraining.json ({absent[0]}): it is damaged or another one's.")
