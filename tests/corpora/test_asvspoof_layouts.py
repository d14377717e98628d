"""ASVspoof as it is published becomes correct tables: every recording once, with person, label, system and split."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from src.corpora import LAYOUTS, Listing
from src.experiments.corpus.catalogue import generate_tables
from src.utils.dataset import read_files, read_people
from src.utils.registry import lookup
from tests.corpora.stand_ins import MAKERS, StandIn, asvspoof2019, asvspoof2021, write_lines

ONE_OF_EACH = {
    "asvspoof2017": {
        "ASVspoof2017_V2_dev/D_1000004.wav": {
            "speaker": "M0011_U000", "id": "U000", "gender": "U", "label": "spoof", "system": "E03-P04-R02",
            "phrase": "S01", "environment": "E03", "playback": "P04", "recorder": "R02", "official": "validation",
        },
        "ASVspoof2017_V2_eval/E_1000001.wav": {
            "speaker": "M0021_U000", "label": "bona-fide", "system": "", "playback": "", "official": "test",
        },
    },
    "asvspoof2019 LA": {
        "ASVspoof2019_LA_train/flac/LA_T_1000140.flac": {
            "speaker": "LA_0079_U000", "id": "U000", "gender": "U", "label": "spoof", "system": "A02",
            "official": "train",
        },
        "ASVspoof2019_LA_eval/flac/LA_E_1000141.flac": {
            "speaker": "LA_0002_U000", "label": "bona-fide", "system": "", "official": "test",
        },
    },
    "asvspoof2019 PA": {
        "ASVspoof2019_PA_eval/flac/PA_E_1000143.flac": {
            "speaker": "PA_0002_U000", "label": "spoof", "system": "BC", "environment": "aac", "official": "test",
        },
    },
    "asvspoof2021 LA": {
        "ASVspoof2021_LA_eval/flac/LA_E_1000149.flac": {
            "speaker": "LA_0023_U000", "label": "spoof", "system": "A07", "codec": "alaw", "transmission": "ita_tx",
            "trim": "notrim", "subset": "eval", "official": "test",
        },
        "ASVspoof2021_LA_eval/flac/LA_E_1000347.flac": {
            "label": "bona-fide", "system": "", "trim": "trim", "subset": "hidden", "official": "hidden",
        },
    },
    "asvspoof2021 DF": {
        "ASVspoof2021_DF_eval/flac/DF_E_1000249.flac": {
            "speaker": "LA_0023_U000", "label": "spoof", "system": "A07", "codec": "mp3m4a", "source": "asvspoof",
            "vocoder": "traditional_vocoder", "official": "progress",
        },
    },
    "asvspoof5": {
        "flac_D/D_0000000006.flac": {
            "speaker": "D_0081_M000", "id": "M000", "gender": "M", "label": "spoof", "system": "A09",
            "attack_tag": "AC1", "codec": "", "official": "validation",
        },
        "flac_E_eval/E_0000000000.flac": {
            "speaker": "E_1607_F000", "gender": "F", "label": "bona-fide", "system": "", "codec": "C05",
            "codec_q": "2", "codec_seed": "17", "official": "test",
        },
    },
}  # fmt: skip


def listed(corpus: StandIn) -> Listing:
    return lookup(LAYOUTS, corpus.layout, "layout")(corpus.dataset)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_the_table_says_what_the_protocol_says(name: str, tmp_path: Path) -> None:
    corpus = MAKERS[name](tmp_path / "corpus")
    files = listed(corpus).files.set_index("file")
    assert files.index.is_monotonic_increasing
    assert files.index.is_unique
    assert all((corpus.dataset / file).is_file() for file in files.index)
    for file, expected in ONE_OF_EACH[name].items():
        assert files.loc[file, list(expected)].to_dict() == expected
    assert len(files) == 24
    assert files["official"].value_counts().tolist() == [8, 8, 8]
    by_person = files.groupby(["speaker", "official", "label"]).size()
    assert by_person.tolist() == [2] * 12, "a spoof belongs to the speaker whom the protocol names"
    assert (files["system"] == "").equals(files["label"] == "bona-fide")


@pytest.mark.parametrize("name", MAKERS)
def test_tables_are_written_and_read_back(name: str, tmp_path: Path) -> None:
    corpus = MAKERS[name](tmp_path / "corpus")
    before = {path: path.read_bytes() for path in corpus.dataset.rglob("*") if path.is_file()}
    made = generate_tables(corpus.dataset, corpus.layout)
    pd.testing.assert_frame_equal(read_files(corpus.dataset), listed(corpus).files, check_dtype=False)
    people = read_people(corpus.dataset)
    assert len(people) == made.n_people == read_files(corpus.dataset)["speaker"].nunique()
    assert people[["spoof_count", "bonafide_count"]].sum().tolist() == [12, 12]
    assert {path: path.read_bytes() for path in before} == before, "the corpus is only read"


def test_nothing_is_said_of_a_corpus_that_is_as_published(tmp_path: Path) -> None:
    notes = {name: listed(maker(tmp_path / name)).notes for name, maker in MAKERS.items()}
    enrols = "Recordings that enrol speakers and have no label, passed over: 1 ({0}_dev/flac/{1}_D_9000001.flac)."
    subsets = tuple(f"Clips of the subset {name}, no part of the official test: 8." for name in ("hidden", "progress"))
    assert notes == {
        "asvspoof2017": (),
        "asvspoof2019 LA": (enrols.format("ASVspoof2019_LA", "LA"),),
        "asvspoof2019 PA": (enrols.format("ASVspoof2019_PA", "PA"),),
        "asvspoof2021 LA": subsets,
        "asvspoof2021 DF": subsets,
        "asvspoof5": (),
    }


@pytest.mark.parametrize("track", ["LA", "PA"])
def test_2019_may_be_given_by_its_parent_folder(track: str, tmp_path: Path) -> None:
    asvspoof2019(tmp_path / track, track=track)
    files = lookup(LAYOUTS, "asvspoof2019", "layout")(tmp_path).files
    assert len(files) == 24
    assert files["file"].str.startswith(f"{track}/ASVspoof2019_{track}_").all()


def test_two_tracks_are_two_corpora(tmp_path: Path) -> None:
    for track in ("LA", "PA"):
        asvspoof2019(tmp_path / "2019" / track, track=track)
    with pytest.raises(ValueError, match=r"holds LA and PA of ASVspoof 2019, .* give the folder of one .*2019/LA\."):
        lookup(LAYOUTS, "asvspoof2019", "layout")(tmp_path / "2019")
    for track in ("LA", "DF"):
        asvspoof2021(tmp_path / "2021", track=track)
    inside = lookup(LAYOUTS, "asvspoof2021", "layout")(tmp_path / "2021" / "ASVspoof2021_DF_eval").files
    assert inside["file"].str.startswith("flac/DF_E_").all(), "the keys beside the folder are found"


@pytest.mark.parametrize("keys", ["keys/{}/CM", "{0}-keys-full/keys/{0}/CM", "{}/CM"])
def test_the_folder_that_is_advised_for_one_track_of_2021_can_be_read(keys: str, tmp_path: Path) -> None:
    for track in ("LA", "DF"):
        corpus = asvspoof2021(tmp_path, track=track)
        place = tmp_path / keys.format(track)
        place.mkdir(parents=True, exist_ok=True)
        corpus.protocol.rename(place / "trial_metadata.txt")
    read_layout = lookup(LAYOUTS, "asvspoof2021", "layout")
    with pytest.raises(ValueError, match=r"LA and DF of ASVspoof 2021.*such as .*/ASVspoof2021_LA_eval\.") as error:
        read_layout(tmp_path)
    advised = str(error.value).rpartition("such as ")[2].removesuffix(".")
    assert len(read_layout(Path(advised)).files) == 24


def test_tracks_whose_folders_are_mixed_are_to_be_moved_apart(tmp_path: Path) -> None:
    for track in ("LA", "PA"):
        asvspoof2019(tmp_path, track=track)
    with pytest.raises(ValueError, match=r"holds LA and PA of ASVspoof 2019, .*: move one of them to another folder\."):
        lookup(LAYOUTS, "asvspoof2019", "layout")(tmp_path)


@pytest.mark.parametrize("place", ["keys/CM", "LA-keys-full/keys/LA/CM", "LA/CM", "CM"])
def test_keys_of_2021_may_lie_in_several_places(place: str, tmp_path: Path) -> None:
    corpus = asvspoof2021(tmp_path)
    (tmp_path / place).mkdir(parents=True)
    corpus.protocol.rename(tmp_path / place / "trial_metadata.txt")
    shutil.rmtree(tmp_path / "keys" / "LA")
    assert len(listed(corpus).files) == 24


def test_2021_may_lie_in_a_folder_of_its_track_beside_its_keys(tmp_path: Path) -> None:
    corpus = asvspoof2021(tmp_path)
    (tmp_path / "LA").mkdir()
    (tmp_path / "ASVspoof2021_LA_eval").rename(tmp_path / "LA" / "ASVspoof2021_LA_eval")
    assert listed(corpus).files["file"].str.startswith("LA/ASVspoof2021_LA_eval/flac/").all()


def test_2021_without_keys_says_that_they_are_needed(tmp_path: Path) -> None:
    corpus = asvspoof2021(tmp_path)
    shutil.rmtree(tmp_path / "keys")
    with pytest.raises(
        FileNotFoundError, match="no labels: the keys of the challenge are needed, published as LA-keys-"
    ):
        listed(corpus)
    names = [row[1] for row in MAKERS["asvspoof2021 LA"](tmp_path / "other").rows()]
    write_lines(corpus.protocol, names)
    with pytest.raises(ValueError, match="holds names without labels: a protocol or key has 8 fields a line"):
        listed(corpus)


@pytest.mark.parametrize("name", ["asvspoof2017", "asvspoof2019 LA", "asvspoof5"])
def test_a_part_of_the_corpus_can_be_used(name: str, tmp_path: Path) -> None:
    corpus = MAKERS[name](tmp_path)
    shutil.rmtree(corpus.folder)
    listing = listed(corpus)
    assert len(listing.files) == 16
    assert "The part train has no folder" in listing.notes[0]
    corpus = MAKERS[name](tmp_path)
    corpus.protocol.unlink()
    listing = listed(corpus)
    assert len(listing.files) == 16
    assert "The part train has no protocol" in listing.notes[0]
    assert "so the recordings in" in listing.notes[0]


def test_protocols_may_lie_elsewhere(tmp_path: Path) -> None:
    corpus = MAKERS["asvspoof2017"](tmp_path / "2017")
    corpus.protocol.rename(corpus.dataset / corpus.protocol.name)
    assert len(listed(corpus).files) == 24
    corpus = MAKERS["asvspoof5"](tmp_path / "5")
    (corpus.dataset / "protocols").mkdir()
    corpus.protocol.rename(corpus.dataset / "protocols" / corpus.protocol.name)
    assert len(listed(corpus).files) == 24


def test_the_counts_of_the_makers_are_noted() -> None:
    from src.corpora import asvspoof2019 as layout

    eval_part = layout.TRACKS["LA"][2]
    assert (eval_part.official, sum(eval_part.published)) == ("test", 71237)
