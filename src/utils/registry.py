"""Look up objects by name: one small table per room, name -> "module:attribute", imported only on request.

A table of strings costs nothing to import, so the tasks can list every backbone without loading one.
"""

import importlib
from collections.abc import Mapping
from typing import Any


def lookup(table: Mapping[str, str], name: str, what: str) -> Any:
    """Import what `table` holds under `name`.

    Parameters
    ----------
    table : mapping of str to str
        Name -> "module:attribute".
    name : str
    what : str
        What the names stand for, such as "backbone"; used in the message.

    Raises
    ------
    ValueError
        When the table has no such name; the message lists the names that it has.

    >>> lookup({"join": "os.path:join"}, "join", "function")("a", "b")
    'a/b'
    >>> lookup({"join": "os.path:join"}, "split", "function")
    Traceback (most recent call last):
    ValueError: Unknown function 'split'; allowed: join.
    """
    require_known(table, name, what)
    module, attribute = table[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def require_known(table: Mapping[str, Any], name: str, what: str) -> None:
    """Raise ValueError when `table` has no such name, without importing anything; the message lists its names.

    >>> require_known({"mean": 0}, "max", "pooling")
    Traceback (most recent call last):
    ValueError: Unknown pooling 'max'; allowed: mean.
    """
    if name not in table:
        given = f"Unknown {what} '{name}'" if name else f"No {what} given (`{what}`)"
        raise ValueError(f"{given}; allowed: {', '.join(table)}.")
