"""The families of self-supervised speech models: their default models, and what is known of a model without loading it.

This file imports neither torch nor transformers, so that a finished store is quickly compared with what is asked for.
"""

import re
from functools import partial
from typing import Any

from src.backbones.contract import Backbone, parse_layers
from src.backbones.pretrained import displayed_name, model_digest, read_config

FAMILIES = {
    "wav2vec2": "facebook/wav2vec2-base",
    "hubert": "facebook/hubert-large-ls960-ft",
    "wavlm": "microsoft/wavlm-base",
}
"""Family (transformers' model_type) -> its default model."""
DEVICES = re.compile("auto|cpu|cuda(:[0-9]+)?")
PRECISIONS = ("auto", "fp32", "tf32", "bf16")


def _load(family: str, model: str | None, device: str, precision: str, layers: str | None) -> Backbone:
    from src.backbones.self_supervised import load_family

    return load_family(family, model or FAMILIES[family], device=device, precision=precision, layers=layers)


load_wav2vec2 = partial(_load, "wav2vec2")
load_hubert = partial(_load, "hubert")
load_wavlm = partial(_load, "wavlm")


def identify(family: str, model: str | None, device: str, precision: str, layers: str | None) -> dict[str, Any] | None:
    """Return the identity of a model as far as its files on this disk show it; see `identify_backbone`.

    The automatic precision depends on the hardware, which is not queried; it is left out, and so fits any store.
    """
    name = model or FAMILIES[family]
    config, digest = read_config(name), model_digest(name)
    n_layers, width = config.get("num_hidden_layers"), config.get("hidden_size")
    usual = DEVICES.fullmatch(device) and precision in PRECISIONS and config.get("model_type") == family
    if not (usual and digest and isinstance(n_layers, int)):
        return None
    known = {
        "backbone": family,
        "model": displayed_name(name),
        "digest": digest,
        "layers": list(parse_layers(layers, n_layers + 1)),
        "dimension": width,
    }
    return known if precision == "auto" else {**known, "precision": precision}
