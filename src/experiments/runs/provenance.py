"""What a reviewer needs to trust a run a year later: code, versions, data, seed, command, machine and time."""

import os
import platform
import re
import shlex
import subprocess
import sys
from datetime import datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from src.utils.processes import n_processes
from src.utils.threads import count_threads

CODE = Path(__file__).resolve().parents[2]
"""The folder `src`, wherever the data lie."""
UNKNOWN = "unknown (no git checkout)"
SENT_VERSION = "AUDIOS_CODE"
"""Variable of the environment by which Remote tells the version of code that it sent."""
PACKAGES = (
    "fabric",
    "numpy",
    "scipy",
    "pandas",
    "soundfile",
    "soxr",
    "torch",
    "transformers",
    "accelerate",
    "scikit-learn",
    "optuna",
)
WHERE_USED = ("av", "python-stretch", "pyroomacoustics")
"""Noted where something was done with them: samples of augmented clips may differ from version to version."""


def describe_origin(*, seed: int, data: dict[str, Any], started: str) -> dict[str, Any]:
    """Describe where a result comes from; call it when the work is done.

    Parameters
    ----------
    seed : int
    data : dict
        Digests of what was read.
    started : str
        When the work began, as `now` gives it.
    """
    return {
        "code": code_version(),
        "python": platform.python_version(),
        "packages": {name: found for name in (*PACKAGES, *_used()) if (found := _version(name))},
        "seed": seed,
        "data": data,
        "command": _command(),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "threads": count_threads(),
            "gpu": _gpu(),
            **({"processes": n_processes()} if n_processes() > 1 else {}),
        },
        "started": started,
        "ended": now(),
    }


def now() -> str:
    """Return the time with its zone, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


@lru_cache
def code_version(code: Path = CODE) -> str:
    """Return the commit of the folder that the code lies in, with `+changes` when files there differ from it.

    The version is unknown where git does not track the code, be it inside the checkout of something else; but where
    the code was sent to a host, it is what the sender says.
    """
    unknown = os.environ.get(SENT_VERSION) or UNKNOWN
    try:
        if not _git(code, "ls-files", "--", "."):
            return unknown
        commit = _git(code, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(code, "status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return unknown


def without_password(storage: str) -> str:
    """Return a storage as it may be shown and written down.

    >>> without_password("postgresql://ann:secret@host/base")
    'postgresql://ann:***@host/base'
    >>> without_password("postgresql://host/base?user=ann&password=secret")
    'postgresql://host/base?user=ann&password=***'
    """
    storage = re.sub(r"(?<=[?&]password=)[^&]*", "***", storage)
    scheme, separator, rest = storage.partition("://")
    account, at, place = rest.rpartition("@")
    user, colon, _ = account.partition(":")
    return f"{scheme}://{user}:***@{place}" if separator and at and colon else storage


def _command() -> str:
    """Return what was typed, without the passwords of databases."""
    program = Path(sys.argv[0]).name.replace("__main__.py", "fab")  # started by python -m fabric
    return shlex.join([program, *map(without_password, sys.argv[1:])])


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _used() -> list[str]:
    return [name for name in WHERE_USED if name.replace("-", "_") in sys.modules]


@lru_cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _gpu() -> str:
    if "torch" not in sys.modules:
        return ""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""
