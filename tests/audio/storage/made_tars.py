"""Small tars for tests: members by name, and corpora that are put into shards with their descriptions."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from src.utils.dataset import read_files


def write_tar(path: Path, members: Mapping[str, bytes] | Sequence[tuple[str, bytes]]) -> Path:
    """Write a tar of these members, name and content, in order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items() if isinstance(members, Mapping) else members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def as_json(**told: object) -> bytes:
    return json.dumps(told).encode()


def in_shards(dataset: Path, folder: Path, n_shards: int) -> dict[str, str]:
    """Put the recordings of a corpus, which has its tables, into tars with descriptions; return file -> file there."""
    files = read_files(dataset)
    moved = {}
    for number in range(n_shards):
        shard, members = f"shard-{number:06d}.tar", dict[str, bytes]()
        for place, row in enumerate(files.iloc[number::n_shards].itertuples()):
            name = f"{place:06d}{Path(row.file).suffix}"
            members[name] = (dataset / row.file).read_bytes()
            members[f"{place:06d}.json"] = as_json(label=row.label, speaker=row.speaker, system=row.system)
            moved[row.file] = f"{shard}/{name}"
        write_tar(folder / shard, members)
    return moved


def moved_rows(files: pd.DataFrame, moved: Mapping[str, str]) -> pd.DataFrame:
    """Return rows of a files table as they are when their recordings lie in tars."""
    return files.assign(file=files["file"].map(moved))
