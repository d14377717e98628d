"""What `--layers` says becomes the layers to keep, or one line that says what is allowed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.backbones import load_backbone
from src.backbones.contract import parse_layers
from src.utils.embeddings import describe_layers


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("", tuple(range(13))),
        ("  ", tuple(range(13))),
        ("0", (0,)),
        ("12", (12,)),
        ("0-6", (0, 1, 2, 3, 4, 5, 6)),
        ("0-12", tuple(range(13))),
        ("4-4", (4,)),
        ("0,3,6", (0, 3, 6)),
        ("6,0,3", (0, 3, 6)),
        ("3,3,2-4", (2, 3, 4)),
        (" 0 - 2 , 12 ", (0, 1, 2, 12)),
        ("00,006", (0, 6)),
    ],
)
def test_layers_are_kept_in_order_and_once(text: str, layers: tuple[int, ...]) -> None:
    assert parse_layers(text, 13) == layers


@given(st.sets(st.integers(0, 24), min_size=1))
def test_what_a_store_says_of_its_layers_can_be_asked_for_again(layers: set[int]) -> None:
    assert parse_layers(describe_layers(sorted(layers)), 25) == tuple(sorted(layers))


@pytest.mark.parametrize(
    "text",
    ["x", "6-2", "-1", "0-", "-", ",", "0,", ",0", "1,,2", "0-3-6", "1.5", "0;3", "0..6", "all", "²", "٣", "1e1"],
)
def test_what_is_no_list_of_layers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="`layers` must be a range or a list such as 0-6 or 0,3,6, not ") as caught:
        parse_layers(text, 13)
    assert f"'{text}'" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_numbers_apart_are_not_one_number() -> None:
    """ "1 2" without a comma must not give layer 12."""
    with pytest.raises(ValueError, match="`layers` must be a range or a list"):
        parse_layers("1 2", 13)


@pytest.mark.parametrize(
    ("text", "absent"), [("13", 13), ("99", 99), ("0-13", 13), ("0,99,3", 99), (f"0-{10**12}", 10**12)]
)
def test_a_layer_that_is_not_there_is_refused_with_those_there_are(text: str, absent: int) -> None:
    with pytest.raises(ValueError, match=f"^There is no layer {absent}: this model has the layers 0 to 12\\.$"):
        parse_layers(text, 13)


@pytest.mark.parametrize(
    ("layers", "line"), [("25", "no layer 25: .* the layers 0 to 24"), ("6-2", "`layers` must be")]
)
def test_a_model_refuses_layers_that_it_has_not(large: Path, layers: str, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        load_backbone("hubert", str(large), layers=layers)
