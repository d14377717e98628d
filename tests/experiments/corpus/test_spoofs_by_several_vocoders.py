"""Several vocoders give several spoofs of each clip, each the same as if it were named alone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

from src.audio.io import load_waveform
from src.corpora.sources import SOURCES_TABLE, read_originals
from src.experiments.corpus.spoofing import create_spoofs
from src.utils.dataset import read_files

MakeCorpus = Callable[..., Path]


@pytest.fixture(autouse=True)
def in_this_process() -> Iterator[None]:
    with joblib.parallel_config(backend="sequential"):
        yield


@pytest.fixture
def corpus(make_corpus: MakeCorpus) -> Path:
    return make_corpus("old", people=2, clips=2)


def test_each_clip_has_a_spoof_by_each_vocoder(corpus: Path) -> None:
    made = create_spoofs(corpus, vocoder="lpc, amrnb")
    table = read_files(made.folder)
    spoofs = table[table["label"] == "spoof"]
    assert made.n_clips == len(table) == 12
    assert spoofs["system"].value_counts().to_dict() == {"lpc": 4, "amrnb": 4}
    originals = read_originals(made.folder)
    assert sorted(originals) == sorted(spoofs["file"])
    for file in spoofs["file"]:
        spoof, original = (load_waveform(made.folder / name) for name in (file, originals[file]))
        assert len(spoof) == len(original)
        assert np.std(spoof) == pytest.approx(np.std(original), rel=0.01)
    assert pd.read_csv(made.folder / SOURCES_TABLE).columns.tolist() == ["file", "system", "original"]


def test_a_vocoder_makes_the_same_alone_and_among_others(corpus: Path) -> None:
    both = create_spoofs(corpus, corpus.with_name("both"), vocoder="lpc,amrnb").folder
    alone = create_spoofs(corpus, corpus.with_name("alone"), vocoder="lpc").folder
    for spoof in sorted((both / "fake_voices").rglob("*_lpc.flac")):
        twin = alone / spoof.relative_to(both).with_name(spoof.name.replace("_lpc", "_fake"))
        assert spoof.read_bytes() == twin.read_bytes()


def test_a_stopped_step_makes_the_missing_spoofs_only(corpus: Path) -> None:
    folder = create_spoofs(corpus, vocoder="lpc,amrnb").folder
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*.flac"))}
    lost = sorted(folder.rglob("*_amrnb.flac"))[1]
    lost.unlink()
    create_spoofs(corpus, vocoder="lpc,amrnb")
    assert {path: path.read_bytes() for path in before} == {path: content for path, (content, _) in before.items()}
    assert [path for path in before if path.stat().st_mtime_ns != before[path][1]] == [lost]


@pytest.mark.parametrize(
    ("vocoder", "words"),
    [
        ("lpc,lpc", "`vocoder` names lpc twice"),
        ("lpc,parrot", "Unknown vocoder 'parrot'; allowed: griffinlim, world, lpc"),
        ("lpc,", "Unknown vocoder ''"),
        ("", "Unknown vocoder ''"),
    ],
)
def test_bad_names_are_refused_before_anything_is_written(corpus: Path, vocoder: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        create_spoofs(corpus, vocoder=vocoder)
    assert [path.name for path in corpus.parent.iterdir()] == ["old"]


def test_another_list_of_vocoders_is_refused_for_the_same_folder(corpus: Path) -> None:
    create_spoofs(corpus, vocoder="lpc")
    with pytest.raises(ValueError, match="was made from other clips or with other settings"):
        create_spoofs(corpus, vocoder="amrnb")
