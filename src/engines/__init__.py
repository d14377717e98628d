"""Engines carry out calls on other machines: Slurm by submitit, and Ray. They know nothing of what the calls do.

An engine is one file and one row of the table below; the row names a function `open_...(engine, folder, gpu)`, whose
context yields a `Cluster`. The packages are extras of the project, imported where an engine is opened.

    with open_engine(Engine("ray", address="auto"), folder, gpu=True) as cluster:
        results = cluster.run([Call(extract_part, (plan, 0, 12), "part 1 of 12"), ...], follow=progress)
"""

from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path

from src.engines.contract import Cluster, Engine, Opened
from src.utils.registry import lookup

ENGINES = {
    "slurm": "src.engines.slurm:open_slurm",
    "ray": "src.engines.ray:open_ray",
}
"""Name of an engine -> "module:function"; local is left to who would call."""
PACKAGES = {"slurm": "submitit", "ray": "ray"}
"""Name of an engine -> the package that it needs."""


def open_engine(engine: Engine, folder: Path, *, gpu: bool) -> AbstractContextManager[Cluster]:
    """Return a context in which an engine can be used; entering it connects, and refuses what cannot be reached.

    Parameters
    ----------
    engine : Engine
        Not local.
    folder : Path
        On a disk that all machines share: logs and what else the engine writes. One driver at a time uses it.
    gpu : bool
        Whether a call can make use of a GPU; it gets one where the cluster has any.

    Raises
    ------
    ValueError
        When the package of the engine is missing.
    """
    package = PACKAGES[engine.name]
    if find_spec(package) is None:
        raise ValueError(f"`engine={engine.name}` needs the package {package}: pip install -e '.[{engine.name}]'.")
    opened: Opened = lookup(ENGINES, engine.name, "engine")
    return opened(engine, folder, gpu)
