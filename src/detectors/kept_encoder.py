"""What a run keeps of its encoder, so that it can be read a year later.

The weights of the whole network are kept, and beside them, in backbone.json, what else the encoder consists of: its
config.json, and how waveforms are prepared. From these it is built anew and takes the weights; the hub is not asked.

A frozen encoder is the published one, bit for bit: 95 million unchanged weights (380 MB) in every run and checkpoint
of a study would be a waste. Then the head alone is kept, and reading the run loads the published model again, as
a classifier on embeddings does when it scores recordings. Its digest must be the one that the run was trained with:
another model is refused, never used in silence. Where a model has no digest, or its weights are random, everything is
kept; and where it was pruned or quantised, for it is not the published one any more.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from src.backbones.published import PARTS
from src.detectors.pretrained_encoder import PretrainedEncoder, Source
from src.detectors.pruning import Kept, reshape
from src.utils.registry import lookup

PREFIX = "network.encoder."
"""What the names of the encoder's weights begin with in a trained network and its objective."""
FACTS = ("digest", "encoder_saved", "normalise", "config")
PRUNED = "pruned"
"""Fact of a pruned encoder alone: how many heads and units each layer has left."""


def facts_of(encoder: PretrainedEncoder, freeze: str, *, compressed: bool = False) -> dict[str, Any]:
    """Return what backbone.json holds."""
    source = encoder.source
    is_published = bool(source.digest) and not source.digest.startswith("random")
    settings = source.model.config.to_dict()
    return {
        "model": source.name,  # hyperparameters may leave it to the default of a backbone, which may change
        "digest": source.digest,
        "encoder_saved": freeze != "encoder" or compressed or not is_published,
        "normalise": source.normalise,
        "config": {name: value for name, value in settings.items() if name != "_name_or_path"},
        **({PRUNED: [asdict(kept) for kept in encoder.kept]} if encoder.kept else {}),
    }


def give_shape(encoder: PretrainedEncoder, facts: Mapping[str, Any]) -> None:
    """Give an encoder whose weights are still to be put in the shape that pruning left."""
    encoder.kept = [Kept(**kept) for kept in facts.get(PRUNED, ())]
    if encoder.kept:
        reshape(encoder.blocks(), encoder.kept)


def left_out(facts: Mapping[str, Any]) -> str:
    """Return how the names of the weights begin that are not kept; "" where all are."""
    return "" if facts["encoder_saved"] else PREFIX


def restored(facts: Mapping[str, Any], load_published: Callable[[], Source]) -> Source:
    """Return the encoder's model: of the shape that was saved, its weights still to be put in, or the published one.

    Parameters
    ----------
    facts : mapping
        What `facts_of` returned.
    load_published : callable
        Loads the published model; called only if the encoder was not saved.

    Raises
    ------
    ValueError
        When the published model is not the one that the run was trained with.
    """
    if facts["encoder_saved"]:
        return _of_random_weights(facts)
    published = load_published()
    if published.digest != facts["digest"]:
        raise ValueError(
            f"The run was trained on a frozen encoder with the digest {facts['digest']}, and the model has "
            f"{published.digest or 'none'} now: it has changed since; fetch that one again, or train again."
        )
    return published


def _of_random_weights(facts: Mapping[str, Any]) -> Source:
    from transformers import AutoConfig, AutoModel

    settings = dict(facts["config"])
    family = settings.pop("model_type")
    config = AutoConfig.for_model(family, **settings)
    # of Whisper, the encoder alone
    model = lookup(PARTS, family, "part")(config) if family in PARTS else AutoModel.from_config(config)
    model.float()
    model.adapter = None  # as in `load_pretrained`
    return Source(model, facts["normalise"], facts["digest"], str(facts.get("model", "")))
