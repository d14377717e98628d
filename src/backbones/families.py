"""Pretrained speech models as backbones: how they are loaded, and what is known of a model without loading it.

This file imports neither torch nor transformers, so that a finished store is quickly compared with what is asked for.
"""

import re
from functools import partial
from typing import Any

from src.backbones.contract import Backbone, parse_layers
from src.backbones.pretrained import displayed_name, model_digest, read_config
from src.backbones.published import FAMILIES, choose_window, model_type, random_size
from src.backbones.random_weights import random_digest

DEVICES = re.compile("auto|cpu|cuda(:[0-9]+)?")
PRECISIONS = ("auto", "fp32", "tf32", "bf16")


def _load(
    family: str, model: str | None, device: str, precision: str, layers: str | None, window: str | None = None
) -> Backbone:
    from src.backbones.self_supervised import load_family

    name = model or FAMILIES[family].default
    return load_family(family, name, device=device, precision=precision, layers=layers, window=window)


load_wav2vec2 = partial(_load, "wav2vec2")
load_hubert = partial(_load, "hubert")
load_wavlm = partial(_load, "wavlm")
load_unispeech_sat = partial(_load, "unispeech-sat")
load_data2vec_audio = partial(_load, "data2vec-audio")
load_wav2vec2_conformer = partial(_load, "wav2vec2-conformer")
load_wav2vec2_bert = partial(_load, "wav2vec2-bert")
load_whisper = partial(_load, "whisper")
load_ast = partial(_load, "ast")


def identify(
    family: str, model: str | None, device: str, precision: str, layers: str | None, window: str | None = None
) -> dict[str, Any] | None:
    """Return the identity of a model as far as its files on this disk show it; see `identify_backbone`.

    The automatic precision depends on the hardware, which is not queried; it is left out, and so fits any store.
    """
    about = FAMILIES[family]
    name = model or about.default
    chosen, size = choose_window(family, window), random_size(family, name)
    if size:
        config: dict[str, Any] = {**about.sizes[size], "model_type": model_type(family)}
        digest = random_digest(size)
    else:
        config, digest = read_config(name), model_digest(name)
    n_layers, width = config.get(about.depth), config.get(about.width)
    usual = DEVICES.fullmatch(device) and precision in PRECISIONS and config.get("model_type") == model_type(family)
    if not (usual and digest and isinstance(n_layers, int)):
        return None
    known = {
        "backbone": family,
        "model": displayed_name(name),
        "digest": digest,
        "layers": list(parse_layers(layers, n_layers + 1)),
        "dimension": width,
        **({"window": chosen} if chosen else {}),
        **({"random": True} if size else {}),
    }
    return known if precision == "auto" else {**known, "precision": precision}
