"""The build of this project: setuptools, but for editable installations alone.

The package is called `src`, lies beside the tasks, notebooks and documents that belong to it, and is never published: a
copy of it in site-packages would find none of them and would shadow every other project's `src`. So whatever would make
such a copy is refused before anything is downloaded, in one line.
"""

from typing import NoReturn

from setuptools.build_meta import build_editable, get_requires_for_build_editable, prepare_metadata_for_build_editable

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]


def refuse(*_: object, **__: object) -> NoReturn:
    """End the build with one line, which pip shows."""
    raise SystemExit("AUDIOS runs from its own folder and is never copied elsewhere: use pip install -e . instead.")


get_requires_for_build_wheel = prepare_metadata_for_build_wheel = build_wheel = refuse
get_requires_for_build_sdist = build_sdist = refuse
