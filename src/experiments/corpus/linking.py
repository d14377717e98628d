"""Recordings get a second name in another folder: a hard link, or a copy where hard links are impossible."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from src.audio.storage.places import carrier
from src.utils.files import atomic_path, fingerprint


def link_recordings(dataset: Path, output: Path, files: Sequence[str]) -> tuple[int, int]:
    """Give every recording of a corpus its second name; one that has it keeps it, unless the recording changed since.

    Parameters
    ----------
    dataset : Path
    output : Path
    files : sequence of str
        The recordings, `<corpus>/<file>`: below the folder in which the corpus lies, and below the output.

    Returns
    -------
    tuple of int
        How many had to be copied, and how many were there but had changed.
    """
    copied, replaced, made = 0, 0, set()
    held = dict.fromkeys(carrier(dataset.parent / file).relative_to(dataset.parent) for file in files)
    for file in tqdm(held, desc=dataset.name, unit="file", disable=None):  # a tar is linked as a whole
        recording, target = (dataset.parent / file).resolve(), output / file
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        if target.is_file():
            if target.samefile(recording) or fingerprint(target) == fingerprint(recording):
                continue
            target.unlink(missing_ok=True)
            replaced += 1
        copied += _link_or_copy(recording, target)
    return copied, replaced


def _link_or_copy(recording: Path, target: Path) -> bool:
    """Link a recording, whose path is resolved because a link to a link would break; return whether it was copied."""
    try:
        os.link(recording, target)
    except FileExistsError:  # another process was quicker
        return False
    except OSError:  # another disk, one without hard links, or a recording of another user
        with atomic_path(target) as temporary:
            shutil.copyfile(recording, temporary)
        return True
    return False
