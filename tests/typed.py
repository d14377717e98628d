"""Tasks as they are typed, in this process and for a project of the test's."""

import sys
from pathlib import Path

import pytest

from src.utils import paths

REPOSITORY = Path(__file__).resolve().parents[1]


def run_fab(arguments: str | list[str], root: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run `fab ARGUMENTS` in this process with `root` as the project's root; return the exit code."""
    words = arguments.split() if isinstance(arguments, str) else arguments
    from fabric.main import make_program

    monkeypatch.setattr(paths, "ROOT", root)
    for module in [name for name in sys.modules if name.startswith("src.tasks")]:
        monkeypatch.delitem(sys.modules, module)  # they took the root when they were imported
    monkeypatch.chdir(root)
    try:
        make_program().run(["fab", "--search-root", str(REPOSITORY), *words])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0
