"""Read a corpus in one of the layouts, with the options that this layout has."""

import inspect
from collections.abc import Mapping
from pathlib import Path

from src.corpora import LAYOUTS, Listing
from src.utils.dataset import check_dataset
from src.utils.registry import lookup


def read_corpus(dataset: Path, layout: str, options: Mapping[str, str] | None = None) -> Listing:
    """List the clips of a corpus.

    Parameters
    ----------
    dataset : Path
    layout : str
        A name of `LAYOUTS`.
    options : mapping of str to str
        Option -> value; an empty value counts as none.

    Raises
    ------
    FileNotFoundError
        When there is no such folder.
    ValueError
        When there is no such layout, or it has no such option; and what the layout itself raises.
    """
    read_layout = lookup(LAYOUTS, layout, "layout")
    check_dataset(dataset)
    given = {option: value for option, value in (options or {}).items() if value}
    known = list(inspect.signature(read_layout).parameters)[1:]
    for option, value in given.items():
        if option not in known:
            takes = f"it takes {', '.join(f'`{name}`' for name in known)}" if known else "it takes no options"
            raise ValueError(f"The layout {layout} has no `{option}`, leave out `{option}={value}`: {takes}.")
    listing: Listing = read_layout(dataset, **given)
    return listing
