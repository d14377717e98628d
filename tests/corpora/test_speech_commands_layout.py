"""Speech Commands: each word and each clip of noise is listed once, as what it is, by whom, and nothing else."""

from pathlib import Path

import pytest

from src.corpora import Finding
from src.corpora.speech_commands import read_layout
from src.experiments.corpus.catalogue import generate_tables
from src.utils.classes import CLASSES, read_classes
from src.utils.dataset import read_files, read_people

WORDS = ("yes/0a7c2a8d_nohash_0.wav", "yes/0a7c2a8d_nohash_1.wav", "no/0a7c2a8d_nohash_0.wav", "no/bfe1_nohash_0.wav")
NOISE = ("_background_noise_/running tap/0000.flac", "_background_noise_/running tap/0001.flac")


def touch(dataset: Path, *files: str) -> Path:
    """Write empty recordings: a layout is read from names alone."""
    for file in files:
        (dataset / file).parent.mkdir(parents=True, exist_ok=True)
        (dataset / file).write_bytes(b"sound")
    return dataset


def test_words_are_positive_and_noise_is_not(tmp_path: Path) -> None:
    listing = read_layout(touch(tmp_path, *WORDS, *NOISE))
    rows = [tuple(row) for row in listing.files.itertuples(index=False)]
    assert rows == [
        ("no/0a7c2a8d_nohash_0.wav", "0a7c2a8d_U000", "U000", "U", "bona-fide", "", "no"),
        ("no/bfe1_nohash_0.wav", "bfe1_U000", "U000", "U", "bona-fide", "", "no"),
        ("yes/0a7c2a8d_nohash_0.wav", "0a7c2a8d_U000", "U000", "U", "bona-fide", "", "yes"),
        ("yes/0a7c2a8d_nohash_1.wav", "0a7c2a8d_U000", "U000", "U", "bona-fide", "", "yes"),
        (NOISE[0], "running tap_U000", "U000", "U", "spoof", "noise", ""),
        (NOISE[1], "running tap_U000", "U000", "U", "spoof", "noise", ""),
    ]
    assert list(listing.files.columns) == ["file", "speaker", "id", "gender", "label", "system", "word"]
    assert listing.classes == {1: "word", 0: "noise"}
    assert listing.notes == ()


def test_one_word_against_all_that_is_another_sound(tmp_path: Path) -> None:
    listing = read_layout(touch(tmp_path, *WORDS, *NOISE), "yes")
    assert listing.files["label"].tolist() == ["spoof"] * 2 + ["bona-fide"] * 2 + ["spoof"] * 2
    assert listing.files["system"].tolist() == ["other word"] * 2 + [""] * 2 + ["noise"] * 2
    assert listing.classes == {1: '"yes"', 0: "other sound"}


def test_the_official_split_is_noted_where_there_is_one(tmp_path: Path) -> None:
    touch(tmp_path, *WORDS, *NOISE)
    (tmp_path / "validation_list.txt").write_text("no/0a7c2a8d_nohash_0.wav\n")
    (tmp_path / "testing_list.txt").write_text("yes/0a7c2a8d_nohash_1.flac\nyes/not_there_nohash_0.wav\n")
    found = read_layout(tmp_path).files["official"].tolist()
    assert found == ["validation", "train", "train", "test", "", ""]


def lists(dataset: Path, validation: str | bytes | None, testing: str | bytes | None) -> Path:
    """Write the official split beside words and noise."""
    touch(dataset, *WORDS, *NOISE)
    for name, text in (("validation_list.txt", validation), ("testing_list.txt", testing)):
        if text is not None:
            (dataset / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return dataset


def test_how_a_list_was_saved_changes_no_split(tmp_path: Path) -> None:
    lists(tmp_path, "\ufeffno/0a7c2a8d_nohash_0.wav\r\n\r\n", "\ufeff yes/0a7c2a8d_nohash_1.wav \n")
    listing = read_layout(tmp_path)
    assert listing.files["official"].tolist() == ["validation", "train", "train", "test", "", ""]
    assert listing.notes == ()


def test_what_a_list_names_and_the_folder_lacks_is_a_finding(tmp_path: Path) -> None:
    lists(tmp_path, f"{WORDS[2]}\nrubbish line;x\n", f"{WORDS[0]}\n")
    (note,) = read_layout(tmp_path).notes
    assert note == "Rows of validation_list.txt without a recording, passed over: 1 (rubbish line;x)."
    assert isinstance(note, Finding)


@pytest.mark.parametrize("missing", ["validation_list.txt", "testing_list.txt"])
def test_half_an_official_split_is_a_finding(missing: str, tmp_path: Path) -> None:
    (lists(tmp_path, f"{WORDS[2]}\n", f"{WORDS[0]}\n") / missing).unlink()
    (note,) = read_layout(tmp_path).notes
    assert f"no {missing}, so its clips count as training in the official split" in note
    assert isinstance(note, Finding)


@pytest.mark.parametrize(
    ("testing", "words"),
    [
        (f"{WORDS[0]}\n\n{WORDS[0]}\n", r"testing_list\.txt, line 3: yes/.*wav is listed on line 1 already; keep one"),
        (f"{WORDS[0]}\n{WORDS[2]}\n", r"testing_list\.txt names no/0a7c2a8d_nohash_0.wav, as validation_list\.txt"),
        (f"{WORDS[0]}\t1\n", r"testing_list\.txt, line 1: 2 fields instead of 1 \(file\)\.$"),
        ("", r"testing_list\.txt is empty"),
        (b"no/caf\xe9_nohash_0.wav\n", r"testing_list\.txt is not a text file in UTF-8"),
    ],
)
def test_an_official_split_that_cannot_be_trusted_is_refused(testing: str | bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words) as error:
        read_layout(lists(tmp_path, f"{WORDS[2]}\n", testing))
    assert len(str(error.value).splitlines()) == 1


def test_what_is_no_clip_is_told(tmp_path: Path) -> None:
    touch(tmp_path, *WORDS, "_background_noise_/hum.wav", "yes/odd.wav", "_silence_/a_nohash_0.wav", "LICENSE")
    touch(tmp_path, "splits/a_nohash_0.wav", ".git/a_nohash_0.wav", "yes/README.md")
    listing = read_layout(tmp_path)
    assert listing.files["file"].tolist() == sorted(WORDS)
    odd, whole = listing.notes
    assert odd == "Recordings not named <speaker>_nohash_<number>, passed over: 1 (first: yes/odd.wav)."
    assert (
        "Recordings of noise passed over, as they are not clips of a second: 1 (first: hum.wav); fab CutNoise" in whole
    )
    (tmp_path / "_background_noise_" / "hum.wav").unlink()
    assert read_layout(tmp_path).notes[-1] == "There is no noise in _background_noise_/."


def test_it_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no word: the layout speech_commands is"):
        read_layout(touch(tmp_path, *NOISE))
    touch(tmp_path, *WORDS)
    with pytest.raises(ValueError, match="`positive_label` must be word, which is any of them, or one of no, yes, not"):
        read_layout(tmp_path, "maybe")
    for side in ("real_voices/Ana_F001", "fake_voices/Ana_F001_Fake"):
        touch(tmp_path / "other", f"{side}/1.wav")
    with pytest.raises(
        ValueError,
        match="audios has no `positive_label`, leave out `positive_label=word`: it takes no options",
    ):
        generate_tables(tmp_path / "other", "audios", {"positive_label": "word"})


def test_tables_are_read_back_and_the_classes_are_noted(tmp_path: Path) -> None:
    touch(tmp_path, *WORDS, *NOISE)
    made = generate_tables(tmp_path, "speech_commands", {"positive_label": "word"})
    assert (made.n_clips, made.n_people) == (6, 3)
    assert not any("no bona fide clip" in note for note in made.notes), "nobody expects speech of a running tap"
    assert read_files(tmp_path)["word"].tolist() == ["no", "no", "yes", "yes", "", ""]
    people = read_people(tmp_path).set_index("person")
    assert people["bonafide_count"].to_dict() == {"0a7c2a8d_U000": 3, "bfe1_U000": 1, "running tap_U000": 0}
    assert read_classes(tmp_path) == {1: "word", 0: "noise"}


def test_a_corpus_that_is_listed_as_another_layout_loses_the_note(tmp_path: Path) -> None:
    touch(tmp_path, *WORDS, *NOISE, "real_voices/Ana_F001/1.wav", "fake_voices/Ana_F001_Fake/1.wav")
    generate_tables(tmp_path, "speech_commands")
    assert (tmp_path / CLASSES).is_file()
    generate_tables(tmp_path)
    assert not (tmp_path / CLASSES).exists()
    assert read_classes(tmp_path) == {}


def test_a_note_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / CLASSES).write_text('{"bona-fide": "word"}')
    with pytest.raises(ValueError, match=r"classes\.json"):
        read_classes(tmp_path)
