"""Rendering of records to HTML: one pure function for each kind of page.

Templates escape all values. As a second protection, the content security policy of a page allows only the digests of
its own script and style sheet, and no requests.
"""

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from src.visualize.pages import list_tables, run_tables, stress_tables, words
from src.visualize.pages.cells import axis_end, drawn, sort_key
from src.visualize.pages.pictures import data_url, described
from src.visualize.pages.records import Gallery, Picture, Review, Run, Study

TEMPLATES = Path(__file__).parent / "templates"
_BREAKS = re.compile(r"(?<=[\w][/_])(?=\w)|(?<=[\w][+])(?=[^\W\d])")


def index_page(review: Review) -> str:
    """Return the page of everything in `runs/`.

    >>> "<h1>Runs</h1>" in index_page(Review())
    True
    """
    return _render(
        "index.html",
        review=review,
        leaderboard=list_tables.leaderboard(review),
        studies=list_tables.studies_table(review.studies),
        chosen=list_tables.chosen_by_validation(review),
        set_aside=list_tables.set_aside(review),
    )


def run_page(run: Run) -> str:
    """Return the page of a run.

    >>> page = run_page(Run("run3", "run3/report.html", "did not finish"))
    >>> "<h1>run3</h1>" in page, "Did not finish" in page
    (True, True)
    """
    outcomes = [outcome for outcome in (run.outcome, *run.other_outcomes) if outcome]
    return _render("run.html", run=run, outcomes=outcomes)


def study_page(study: Study, slices: tuple[Picture, ...] = (), made_from: str = "") -> str:
    """Return the page of a study.

    Parameters
    ----------
    study : Study
    slices : tuple of Picture
        The validation EER against each hyperparameter.
    made_from : str
        A digest that is embedded in the page, so that a page of the same records is not made again.

    >>> '<meta name="made-from" content="abc">' in study_page(Study("svm_study0", ""), made_from="abc")
    True
    """
    best = next((run for run in study.runs if run.is_best), None)
    return _render("study.html", study=study, slices=slices, made_from=made_from, best=best)


def gallery_page(gallery: Gallery) -> str:
    """Return the page of what effects make of one clip.

    >>> from src.visualize.pages.records import Sound
    >>> silence = Sound("the clip", "audio/original.flac", Picture("original.png", b"", 1, 1))
    >>> "<h1>Effects</h1>" in gallery_page(Gallery("a.flac", 7, silence, ()))
    True
    """
    return _render("gallery.html", gallery=gallery)


def _render(template: str, **content: Any) -> str:
    return str(_environment().get_template(template).render(content))


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_readable,
    )
    style, script = (Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in ("page.css", "page.js"))
    environment.globals |= {"style": style, "script": script, "style_digest": _digest(style)}
    environment.globals |= {"script_digest": _digest(script), "words": words, "tables": run_tables}
    environment.globals |= {"lists": list_tables, "axis_end": axis_end, "drawn": drawn}
    environment.globals |= {"stress": stress_tables}
    environment.globals |= {"data_url": data_url, "described": described}
    environment.filters |= {"sort_key": sort_key, "breakable": breakable}
    return environment


def breakable(text: str) -> Markup:
    """Allow line breaks between the parts of a name, without adding characters to copied text.

    >>> breakable("svm_study0/run3, mean+std, 1e+20")
    Markup('svm_<wbr>study0/<wbr>run3, mean+<wbr>std, 1e+20')
    """
    parts = _BREAKS.split(words.readable(text))
    return Markup("<wbr>").join(parts)


def _readable(value: Any) -> Any:
    """Replace bytes that are no text in every value of a template."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return words.readable(value)
    return value


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
