"""Read NumPy files that hold a dictionary of arrays, without running what they say.

`np.save` writes a dictionary as a pickle: a small program whose instructions may call anything, which is why this
project opens no pickles. Some corpora publish their labels so. The instructions are therefore read one by one with
Python's own disassembler, which runs nothing, and only those are followed that a dictionary of text to arrays needs;
the few names that may be called are those of NumPy's arrays, and they are not called either, but understood here.
Anything else is refused.
"""

import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_ARRAY, _DTYPE, _BYTES, _CLASS = "array", "dtype", "bytes", "class"
_CALLED = {
    "numpy.core.multiarray _reconstruct": _ARRAY,
    "numpy._core.multiarray _reconstruct": _ARRAY,
    "numpy dtype": _DTYPE,
    "_codecs encode": _BYTES,
    "__builtin__ bytes": _BYTES,
    "numpy ndarray": _CLASS,
}
_KIND = re.compile(r"[OUSbiuf]\d*")
_MARK = object()


class _Array:
    """An array, or the type of one, whose contents arrive after it."""

    def __init__(self, kind: str = "") -> None:
        self.kind = kind
        self.value: Any = None


def read_pickled_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the dictionary of text -> array that a `.npy` file holds.

    Raises
    ------
    ValueError
        When the file holds anything else.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "labels.npy"
    >>> np.save(path, {"CON_T_0000000": np.array(["1", "0"])}, allow_pickle=True)
    >>> read_pickled_arrays(path)
    {'CON_T_0000000': array(['1', '0'], dtype='<U1')}
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, kind = read(file)
            if shape != () or not kind.hasobject:
                raise ValueError("it holds an array")
            whole = _Machine().run(file.read())
            return {str(name): _values(found) for name, found in whole.value[0].items()}
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        why = " ".join(str(error).split())
        raise ValueError(
            f"{path} is no dictionary of arrays as NumPy saves it ({why}); put the published file there."
        ) from None


def _values(found: Any) -> np.ndarray:
    contents = found.value if isinstance(found, _Array) else found
    if not isinstance(contents, np.ndarray | list):
        raise ValueError(f"a {type(contents).__name__} where an array should be")
    return np.asarray(contents)


class _Machine:
    """Follows the instructions of a pickle that make dictionaries, lists, tuples, text, numbers and arrays."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.act: dict[str, Callable[[Any], None]] = {
            **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda _: None),
            **dict.fromkeys(("BININT", "BININT1", "BININT2", "INT", "LONG1"), self.stack.append),
            **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"), self.stack.append),
            **dict.fromkeys(("BINUNICODE8", "BINBYTES8"), self.stack.append),
            "NONE": lambda _: self.stack.append(None),
            "NEWTRUE": lambda _: self.stack.append(True),
            "NEWFALSE": lambda _: self.stack.append(False),
            "EMPTY_DICT": lambda _: self.stack.append({}),
            "EMPTY_LIST": lambda _: self.stack.append([]),
            "EMPTY_TUPLE": lambda _: self.stack.append(()),
            "MARK": lambda _: self.stack.append(_MARK),
            "GLOBAL": lambda name: self.stack.append(_CALLED[name]),
            "STACK_GLOBAL": lambda _: self.stack.append(_CALLED[" ".join(self._take(2))]),
            "TUPLE": lambda _: self.stack.append(tuple(self._since_mark())),
            "TUPLE1": lambda _: self.stack.append(tuple(self._take(1))),
            "TUPLE2": lambda _: self.stack.append(tuple(self._take(2))),
            "TUPLE3": lambda _: self.stack.append(tuple(self._take(3))),
            "MEMOIZE": lambda _: self._remember(len(self.memo)),
            **dict.fromkeys(("BINPUT", "LONG_BINPUT"), self._remember),
            **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda place: self.stack.append(self.memo[place])),
            "APPEND": lambda _: self._extend(self._take(1)),
            "APPENDS": lambda _: self._extend(self._since_mark()),
            "SETITEM": lambda _: self._set(self._take(2)),
            "SETITEMS": lambda _: self._set(self._since_mark()),
            "REDUCE": self._call,
            "BUILD": self._fill,
        }

    def run(self, instructions: bytes) -> Any:
        """Return what the instructions make."""
        for instruction, argument, _ in pickletools.genops(instructions):
            if instruction.name not in self.act:
                raise ValueError(f"the instruction {instruction.name}")
            self.act[instruction.name](argument)
        (made,) = self.stack
        return made

    def _take(self, n: int) -> list[Any]:
        taken = self.stack[-n:]
        del self.stack[-n:]
        return taken

    def _since_mark(self) -> list[Any]:
        start = max(place for place, value in enumerate(self.stack) if value is _MARK)
        taken = self.stack[start + 1 :]
        del self.stack[start:]
        return taken

    def _remember(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def _extend(self, values: list[Any]) -> None:
        self.stack[-1].extend(values)

    def _set(self, pairs: list[Any]) -> None:
        self.stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))

    def _call(self, _argument: Any) -> None:
        """Understand a call: an empty array, the type of an array, or bytes that were written as text."""
        what, given = self._take(2)
        if what == _BYTES:
            self.stack.append(given[0].encode("latin1") if given else b"")
        elif what == _DTYPE and _KIND.fullmatch(given[0]):
            self.stack.append(_Array(given[0]))
        elif what == _ARRAY:
            self.stack.append(_Array())
        else:
            raise ValueError(f"a call of {what} {given}")

    def _fill(self, _argument: Any) -> None:
        """Give a type its byte order, or an array its contents."""
        (state,) = self._take(1)
        made = self.stack[-1]
        if made.kind:
            made.kind = ("" if state[1] == "|" else state[1]) + made.kind
            return
        _, shape, kind, by_column, contents = state
        if isinstance(contents, list):
            made.value = contents
        else:
            made.value = np.frombuffer(contents, np.dtype(kind.kind)).reshape(shape, order="F" if by_column else "C")
