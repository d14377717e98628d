"""Pictures without a writable home folder (fault 10, docs/faults.md)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from src.visualize import places
from src.visualize.places import can_be_written

NOWHERE = Path(os.devnull) / "home"
"""Below a file: not even root makes a folder there."""
SCRIPT = """
import os
from pathlib import Path
import src.visualize
from src.visualize import places
places.find_spec = lambda package: type("", (), {"origin": os.environ["PACKAGES"] + "/x.py"})
places.give_numba_a_place("umap", "pynndescent")
import numba, matplotlib
print(os.environ.get("NUMBA_CACHE_DIR", ""), numba.config.CACHE_DIR, os.environ.get("MPLCONFIGDIR", ""), sep="|")
print(matplotlib.get_cachedir())
"""


def places_of(home: Path, packages: Path, **given: str) -> tuple[list[str], str, str]:
    """Run the script with a home folder; return what it set, matplotlib's folder and what it complained of."""
    left_out = ("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    own = {name: value for name, value in os.environ.items() if name not in left_out}
    own |= {"HOME": str(home), "PACKAGES": str(packages), "PYTHONPATH": str(Path(__file__).parents[2]), **given}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=own, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    return first.split("|"), second, done.stderr


def test_without_a_writable_home_both_have_a_temporary_folder_that_is_removed_at_the_end() -> None:
    (numba, config, matplotlib), cache, complaints = places_of(NOWHERE, NOWHERE)
    assert "audios-numba-" in numba
    assert config == numba
    assert "audios-matplotlib-" in matplotlib
    assert cache == matplotlib
    assert not Path(numba).exists()
    assert not Path(matplotlib).exists()
    assert complaints == ""


def test_where_the_packages_can_be_written_numba_stays_beside_them(tmp_path: Path) -> None:
    assert places_of(NOWHERE, tmp_path)[0][:2] == ["", ""]


def test_a_home_that_can_be_written_is_used(tmp_path: Path) -> None:
    assert places_of(tmp_path, NOWHERE)[0] == ["", "", ""]


def test_what_the_user_set_stays(tmp_path: Path) -> None:
    given = {"NUMBA_CACHE_DIR": str(tmp_path / "a"), "MPLCONFIGDIR": str(tmp_path / "b")}
    assert places_of(NOWHERE, NOWHERE, **given)[0] == [str(tmp_path / "a"), str(tmp_path / "a"), str(tmp_path / "b")]


def test_a_folder_for_numba_that_cannot_be_written_either_is_replaced() -> None:
    (numba, config, _), _, complaints = places_of(NOWHERE, NOWHERE, NUMBA_CACHE_DIR=str(NOWHERE / "numba"))
    assert "audios-numba-" in numba
    assert (config, complaints) == (numba, "")


def test_a_user_without_a_home_at_all_has_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(places.Path, "home", none)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert not can_be_written(places._cache())


def test_the_check_leaves_no_files(tmp_path: Path) -> None:
    assert can_be_written(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
