"""Models of random weights and of the shape of a published one: for trying things out without a download.

Embeddings of random weights are no result, though they carry some information: convolutions of random weights are
random filters. The identity of such a store says `random`, and so does every page that shows a run made from it.

The weights are drawn as the model's own initialisation draws them, from a fixed seed, so that equal stores come out.
PyTorch draws from global state alone: it is seeded inside `fork_rng`, which puts the state back. Another version of
torch or transformers may draw otherwise, which is why the digest names both.
"""

import warnings
from importlib.metadata import version
from typing import Any

from src.backbones.published import FAMILIES, PARTS, model_type
from src.utils.registry import lookup

SEED = 7
EMPTY_FILTER = "At least one mel filter has all zero values"
"""What transformers warns of for AST, whose lowest of 128 mel bands is empty in the published models as well."""


def random_digest(size: str) -> str:
    """Return what stands in a store for the digest of the weights."""
    return f"random weights ({size}), seed {SEED}, torch {version('torch')}, transformers {version('transformers')}"


def make_random(family: str, size: str) -> tuple[Any, Any, Any]:
    """Return a model of random weights, its configuration and its feature extractor.

    Parameters
    ----------
    family : str
        A row of `FAMILIES`.
    size : str
        One of the family's sizes.
    """
    import torch
    import transformers

    about = FAMILIES[family]
    config = transformers.AutoConfig.for_model(model_type(family), **about.sizes[size])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = lookup(PARTS, family, "part")(config) if about.part else transformers.AutoModel.from_config(config)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", EMPTY_FILTER)
        return model, config, getattr(transformers, about.extractor)()
