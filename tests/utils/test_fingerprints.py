from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.utils.embedding_store import split_digest
from src.utils.files import PROBE_BYTES, fingerprint


@pytest.mark.parametrize("place", [0, PROBE_BYTES - 1, -PROBE_BYTES, -1])
def test_a_fingerprint_sees_size_beginning_and_end(tmp_path: Path, place: int) -> None:
    content = bytearray(np.random.default_rng(0).bytes(3 * PROBE_BYTES))
    paths = [tmp_path / name for name in "abc"]
    paths[0].write_bytes(content)
    paths[1].write_bytes(content + b"\0")
    content[place] ^= 1
    paths[2].write_bytes(content)
    assert len({fingerprint(path) for path in paths}) == 3
    assert fingerprint(paths[0]) == fingerprint(paths[0])


def test_a_fingerprint_of_a_short_file_is_one_too(tmp_path: Path) -> None:
    for name, content in (("a", b""), ("b", b"x"), ("c", b"x")):
        (tmp_path / name).write_bytes(content)
    assert fingerprint(tmp_path / "b") == fingerprint(tmp_path / "c") != fingerprint(tmp_path / "a")


def test_the_digest_of_a_split_follows_its_rows_and_nothing_else() -> None:
    columns = ["file", "speaker", "id", "gender", "label", "system"]
    rows = [[f"{clip}.wav", "Ana", "F001", "F", label, ""] for clip, label in enumerate(["bona-fide", "spoof"] * 3)]
    clips = pd.DataFrame(rows, columns=columns)
    others = [clips.iloc[::-1], clips.iloc[1:], *(clips.assign(**{column: "x"}) for column in columns)]
    assert len({split_digest(each) for each in (clips, *others)}) == 1 + len(others)
    assert split_digest(clips.assign(duration=1.5, row=3)) == split_digest(clips)
