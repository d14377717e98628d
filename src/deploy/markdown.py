"""Markdown that says what it is given to say, whatever names hold.

Names of corpora, people and spoof systems come from folders that somebody else named. In Markdown a pipe ends a cell,
an asterisk changes the type, and HTML is passed on as it is, on the hub's pages as well. So every value of a template
is written with character references in place of the signs that mean something. Only what this project wrote itself is
passed on unchanged: tables, and the words of the glossary (`own_words`). A name is shown as it is, and nothing in it is
obeyed.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from src.visualize.pages.cells import Cell, Table
from src.visualize.pages.words import readable

TEMPLATES = Path(__file__).parent / "templates"
_REFERENCES = {ord(sign): f"&#{ord(sign)};" for sign in "&<>\"'`*[]\\|~$#@"}
"""Signs of Markdown, of HTML and of formulas -> their character references."""
_EDGE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
"""An underscore that is not between two letters or digits: it may begin or end emphasis."""


def escaped(value: Any) -> Markup:
    """Return a value as Markdown that shows it and obeys nothing in it, in one line.

    >>> escaped("a|b <i>*c*</i> d_e _f_")
    Markup('a&#124;b &#60;i&#62;&#42;c&#42;&#60;/i&#62; d_e &#95;f&#95;')
    >>> escaped("see https://a.b or www.a.b"), escaped(Markup("*kept*"))
    (Markup('see https&#58;//a.b or www&#46;a.b'), Markup('*kept*'))
    """
    if isinstance(value, Markup):
        return value
    text = re.sub(r"\s+", " ", readable(str(value))).translate(_REFERENCES)
    text = _EDGE.sub("&#95;", text)
    text = text.replace("://", "&#58;//")  # addresses become links by themselves
    return Markup(re.sub(r"(?i)\b(www)\.", r"\1&#46;", text))


def fenced(text: str, language: str = "") -> Markup:
    """Return a block of code, its fence longer than any row of backticks in the code.

    >>> print(fenced("fab -l", "bash"))
    ```bash
    fab -l
    ```
    """
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    lines = "\n".join(map(readable, text.splitlines()))
    return Markup(f"{fence}{language}\n{lines}\n{fence}")


def table(data: Table) -> Markup:
    """Return a table of a page as Markdown: an interval stands in brackets behind its value, bars are left out.

    >>> from src.visualize.pages.cells import Column, text
    >>> print(table(Table("Runs", (Column("name"), Column("EER", True)), ((text("a|b"), text("5 %", note="4 to 6")),))))
    | name | EER |
    |---|---:|
    | a&#124;b | 5 % (4 to 6) |
    """
    rule = "|".join("---:" if column.numeric else "---" for column in data.columns)
    lines = [_row([escaped(column.title) for column in data.columns]), f"|{rule}|"]
    return Markup("\n".join([*lines, *(_row([_cell(cell) for cell in row]) for row in data.rows)]))


def render(template: str, **content: Any) -> str:
    """Fill in a template of this room."""
    return str(_environment().get_template(template).render(content))


def _row(cells: list[Markup]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> Markup:
    note = f" ({cell.note})" if cell.note else ""
    return escaped(f"{cell.text}{note}")


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,  # what `finalize` returns is marked as safe already
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=escaped,
    )
    environment.globals |= {"table": table, "fenced": fenced, "own_words": Markup}
    return environment
