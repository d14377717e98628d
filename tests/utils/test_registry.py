"""Names are looked up, every row of every table can be imported, and an unknown name lists the known ones."""

import sys

import pytest

from src.backbones import BACKBONES
from src.corpora import LAYOUTS
from src.experiments.inputs import INPUTS
from src.models import CLASSIFIERS
from src.utils.registry import lookup, require_known

TABLES = {"backbone": BACKBONES, "classifier": CLASSIFIERS, "layout": LAYOUTS, "input": INPUTS}
LAZY = "colorsys"


@pytest.mark.parametrize(("what", "name"), [(what, name) for what, table in TABLES.items() for name in table])
def test_every_row_of_every_table_can_be_imported(what: str, name: str) -> None:
    assert callable(lookup(TABLES[what], name, what))


def test_only_what_is_asked_for_is_imported() -> None:
    sys.modules.pop(LAZY, None)
    table = {"here": "os.path:join", "there": f"{LAZY}:rgb_to_hsv", "nowhere": "no.such.module:thing"}
    lookup(table, "here", "function")
    assert LAZY not in sys.modules
    assert lookup(table, "there", "function")(0.0, 0.0, 0.0) == (0.0, 0.0, 0.0)
    assert LAZY in sys.modules


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("ear", r"^Unknown backbone 'ear'; allowed: wav2vec2, hubert, wavlm, .*lfcc"),
        ("LFCC", "^Unknown backbone 'LFCC'"),
        ("", r"^No backbone given \(`backbone`\); allowed: wav2vec2, hubert, wavlm, .*lfcc"),
    ],
)
def test_a_wrong_name_is_answered_with_those_allowed(name: str, line: str) -> None:
    for ask in (lookup, require_known):
        with pytest.raises(ValueError, match=line):
            ask(BACKBONES, name, "backbone")
