"""Every step that reads recordings works on a corpus in tars, and gives what it gives on the same files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.audio.io import load_waveform
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.cue_table import read_cues
from src.experiments.corpus.merging import merge_datasets
from src.experiments.corpus.splits import SplitShares, split_dataset
from src.experiments.corpus.transforms import normalize_dataset
from src.experiments.inputs.waveforms import Waveforms
from src.utils.dataset import read_files
from src.utils.paths import as_flac
from tests.audio.storage.made_tars import in_shards, write_tar
from tests.conftest import write_corpus

Corpora = tuple[Path, Path, dict[str, str]]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Corpora:
    """Return a corpus, the same in two tars, and file -> file there."""
    folder = tmp_path_factory.mktemp("in_tars")
    plain = write_corpus(folder / "plain", people=4, clips=2)
    generate_tables(plain)
    moved = in_shards(plain, folder / "tars", 2)
    generate_tables(folder / "tars", "webdataset")
    return plain, folder / "tars", moved


def test_a_derived_corpus_is_one_of_files(corpora: Corpora) -> None:
    plain, tars, moved = corpora
    one, other = (normalize_dataset(dataset, method="rms").folder for dataset in (plain, tars))
    for file, inside in moved.items():
        target = other / as_flac(inside)
        assert target.is_file()
        np.testing.assert_array_equal(load_waveform(target), load_waveform(one / as_flac(file)))
    assert read_files(other)["file"].tolist() == [as_flac(file) for file in read_files(tars)["file"]]


def test_cues_are_those_of_the_files(corpora: Corpora) -> None:
    plain, tars, moved = corpora
    one = read_cues(plain, list(moved), jobs=1).set_index("file")
    other = read_cues(tars, list(moved.values()), jobs=1).set_index("file").loc[list(moved.values())]
    pd.testing.assert_frame_equal(one.loc[list(moved)].reset_index(drop=True), other.reset_index(drop=True))


def test_a_merged_corpus_links_whole_tars(corpora: Corpora, tmp_path: Path) -> None:
    plain, tars, moved = corpora
    merged = tmp_path / "merged"
    made = merge_datasets([plain, tars], merged)
    assert made.n_clips == 2 * len(moved)
    for tar in tars.glob("*.tar"):
        assert (merged / "tars" / tar.name).samefile(tar)
    for file, inside in moved.items():
        np.testing.assert_array_equal(load_waveform(merged / "tars" / inside), load_waveform(plain / file))


def test_networks_are_given_the_recordings(corpora: Corpora, tmp_path: Path) -> None:
    _, tars, moved = corpora
    split_dataset(tars, SplitShares(pretext=0, train=0.5, val=0.25), seed=7)
    opened = Waveforms().open(tars, tmp_path)
    opened.check("downstream_train")
    paths = [Path(path) for path in opened.read("downstream_train").paths.tolist()]
    assert {str(path.relative_to(tars)) for path in paths} <= set(moved.values())
    assert all(len(load_waveform(path)) == 8000 for path in paths)


def test_a_member_that_vanished_is_named(corpora: Corpora, tmp_path: Path) -> None:
    plain, _, _ = corpora
    moved = in_shards(plain, tmp_path / "tars", 1)
    generate_tables(tmp_path / "tars", "webdataset")
    write_tar(tmp_path / "tars" / "shard-000000.tar", {"000000.flac": b"another"})
    with pytest.raises(
        FileNotFoundError, match=rf"1[0-9] recordings .* are missing \(first: .*{min(moved.values())[:6]}"
    ):
        merge_datasets([plain, tmp_path / "tars"], tmp_path / "merged")
