"""The engines that carry out a plan; each is a function of the plan, and the stores do not depend on which it is.

    local       this machine (`local.py`): one process, or one for each GPU
    slurm, ray  a cluster (`clusters.py`)

All of them divide the plan into parts (`Plan.part`) and compute a part in the same way. The corpus is surveyed only
once, by the process that makes the plan.
"""

from collections.abc import Iterator
from pathlib import Path

from src.backbones import CPU_ONLY
from src.engines.contract import Cluster
from src.experiments.extraction.claims import claimed
from src.experiments.extraction.clusters import on_cluster
from src.experiments.extraction.extract import finish_without_model
from src.experiments.extraction.local import in_one_process, load_model, on_devices
from src.experiments.extraction.plan import Plan, make_plan
from src.experiments.extraction.requests import Extraction, Request
from src.utils.paths import claim_embeddings


def extract_splits(request: Request, *, root: Path, cluster: Cluster | None = None) -> Iterator[Extraction]:
    """Extract one split after another; invalid requests are refused before the model is loaded.

    The model is loaded only when clips are to be computed. If the machine has several GPUs and the request names none,
    they share the work, with one process each.

    Parameters
    ----------
    request : Request
    root : Path
        Embeddings go to `<root>/embeddings`.
    cluster : Cluster, optional
        What `open_cluster` has opened; None = this machine.

    Raises
    ------
    FileNotFoundError, ValueError, ChildProcessError
        See `make_plan` and `extract`.
    """
    yield from run_plan(make_plan(request, root=root), cluster)


def run_plan(plan: Plan, cluster: Cluster | None = None) -> Iterator[Extraction]:
    """Carry out a plan on a cluster, or with what suits this machine."""
    if not plan.needs_model:
        claim_embeddings(plan.root, plan.request.owner)
        for part in plan.splits:
            yield finish_without_model(part, plan.request)
        return
    devices = _devices(plan.request) if plan.n_waiting else [plan.request.device]
    alone = cluster is None and len(devices) == 1
    backbone = load_model(plan.request) if alone else None  # what is refused writes nothing
    claim_embeddings(plan.root, plan.request.owner)
    with claimed(plan):
        if cluster:
            yield from on_cluster(plan, cluster)
        else:
            yield from in_one_process(plan, backbone) if alone else on_devices(plan, devices)


def _devices(request: Request) -> list[str]:
    """Return the devices that share the work."""
    if request.backbone in CPU_ONLY:
        return [request.device]
    from src.utils.devices import all_devices  # imports torch

    return all_devices(request.device)
