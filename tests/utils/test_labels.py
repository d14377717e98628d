import pytest

from src.utils.labels import ALIASES, BONAFIDE, LABEL_NAMES, SPOOF, parse_label


def test_bona_fide_is_1_and_spoof_is_0():
    assert (BONAFIDE, SPOOF) == (1, 0)
    assert LABEL_NAMES == {1: "bona-fide", 0: "spoof"}


@pytest.mark.parametrize("word", ["bona-fide", "bonafide", "bona fide", "bona_fide", "genuine", "real", "human"])
def test_words_for_bona_fide(word):
    assert parse_label(word) == parse_label(word.upper()) == parse_label(f" {word.title()}\n") == BONAFIDE


@pytest.mark.parametrize("word", ["spoof", "spoofed", "fake", "deepfake", "synthetic"])
def test_words_for_spoof(word):
    assert parse_label(word) == parse_label(word.upper()) == parse_label(f" {word.title()}\n") == SPOOF


def test_names_of_the_tables_parse_to_their_own_labels():
    for label, name in LABEL_NAMES.items():
        assert parse_label(name) == label
    assert set(ALIASES.values()) == {BONAFIDE, SPOOF}


@pytest.mark.parametrize("word", ["", "0", "1", "bona", "spoofs", "target", "nan"])
def test_any_other_word_is_refused_by_name(word):
    with pytest.raises(ValueError, match=f"^'{word}' .* bona-fide, .* and spoof, .* for spoof") as caught:
        parse_label(word)
    assert "\n" not in str(caught.value)
