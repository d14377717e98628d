"""The requests by which the embeddings of a run were made: its model, layers, precision and windows.

Whoever scores sound that lies in no store (distorted clips, recordings from outside) computes embeddings by them, so
that a run is given the same numbers as in its training.
"""

from pathlib import Path

from src.backbones import CPU_ONLY
from src.backbones.clips import WINDOW_SECONDS
from src.backbones.published import RANDOM
from src.experiments.extraction.requests import Limits, Request
from src.experiments.inputs.choices import MIX, layers_in
from src.experiments.inputs.contract import TRAIN
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.training.trained import Trained
from src.utils.embeddings import resolve_layer


def own_requests(
    trained: Trained, wanted: Embeddings, *, split: str = TRAIN, model: str | None = None, device: str = "auto"
) -> list[Request]:
    """Return the request of each of a run's backbones, without a corpus; of one layer, that layer alone is kept.

    Parameters
    ----------
    trained : Trained
    wanted : Embeddings
        The input of the run.
    split : str
        Of the clips that are to be computed.
    model : str, optional
        Folder of the backbone's model, where the run's was a local one.
    device : str
        Of backbones that have a choice.

    Raises
    ------
    ValueError
        When the run's model was a local folder and `model` is missing.
    """
    return [_request(trained, wanted, backbone, split, model, device) for backbone in wanted.backbones]


def takes_folder(trained: Trained, wanted: Embeddings) -> bool:
    """Tell whether a backbone of a run had its model from a local folder, which has to be named again."""
    named = [backbone for backbone in wanted.backbones if backbone not in CPU_ONLY]
    return any(is_local(str(trained.store_of(backbone)["model"])) for backbone in named)


def is_local(model: str) -> bool:
    """Tell whether a store's model was a local folder, of which the name alone is noted.

    >>> is_local("small"), is_local("facebook/wav2vec2-base")
    (True, False)
    """
    return "/" not in model and not model.startswith(RANDOM)


def _request(
    trained: Trained, wanted: Embeddings, backbone: str, split: str, model: str | None, device: str
) -> Request:
    meta = trained.store_of(backbone)
    limits = Limits(window_seconds=float(meta.get("max_seconds", WINDOW_SECONDS)))
    if backbone in CPU_ONLY:
        return Request(Path(), [split], backbone, limits=limits)
    layers = ",".join(map(str, meta["layers"])) if wanted.layer == MIX else None
    if layers is None and wanted.layer is not None:
        numbers = layers_in(wanted.layer, len(wanted.backbones))
        layers = str(resolve_layer(numbers[wanted.backbones.index(backbone)], tuple(meta["layers"])))
    name = str(meta["model"])
    is_folder = is_local(name)
    if is_folder and model is None:
        raise ValueError(
            f"{trained.name} was trained on embeddings of the model {name}, a local folder: give it as `model`."
        )
    return Request(
        Path(),
        [split],
        backbone,
        model if is_folder else name,
        device=device,
        precision=meta["precision"],
        layers=layers,
        limits=limits,
        window=meta.get("window"),
    )
