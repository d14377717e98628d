"""How a failed task ends: with one line, and an exit code that tells bad input from bugs.

An error that the code of this project raises on purpose (`raise ValueError(...)` under `src/`) explains what a user can
put right; so does an OSError, in the system's words, wherever it comes from. Both end with exit code 2. Anything else,
be it a ValueError of numpy or a KeyError, is a bug of ours: "internal error", exit code 1.

An error was raised on purpose when its innermost frame is a file under `src/`, at a line that begins with `raise`. The
frames of another process arrive as text, in the error's cause.

Functions below name their parameters in backticks; here `` `batch_seconds` `` becomes --batch-seconds, and
`` `pretext=0` `` becomes --pretext=0, if a task has a flag of that name.
"""

import errno
import re
import traceback
from collections.abc import Collection
from pathlib import Path

from src.utils.paths import legible

BAD_INPUT = 2
INTERNAL = 1
SOURCE = Path(__file__).resolve().parents[1]
FABFILE = SOURCE.parent / "fabfile.py"

_FRAME = re.compile(r'^ *File "(?P<file>.+)", line \d+, in .*\n(?: +(?!File ")(?P<line>\S.*))?', re.MULTILINE)


def ending(task: str, error: Exception, flags: Collection[str]) -> tuple[str, int]:
    """Return the line that a task ends with and its exit code.

    Parameters
    ----------
    task : str
        Name of the task.
    error : Exception
        What ended it.
    flags : collection of str
        Names of parameters that are flags, with underscores.
    """
    if isinstance(error, OSError) or (isinstance(error, ValueError) and raised_on_purpose(error)):
        return f"{task}: {with_flags(legible(one_line(error)), flags)}", BAD_INPUT
    said = legible(" ".join(str(error).split()))
    what = type(error).__name__ + (f": {said}" if said else "")
    return f"{task}: internal error ({what}); fab -d {task} shows where.", INTERNAL


def raised_on_purpose(error: Exception) -> bool:
    """Tell whether the project's own code raised an error, here or in another process."""
    file, line = _innermost(error)
    path = Path(file).resolve()
    return (path.is_relative_to(SOURCE) or path == FABFILE) and (not line or line.startswith("raise"))


def one_line(error: Exception) -> str:
    """Return an error's message in one line; an OSError's in words, without its number.

    >>> one_line(OSError(errno.ENOSPC, "No space left on device", "a.csv"))
    'No space left on device: a.csv. Free some space and run the same command again; finished work is kept.'
    """
    if not isinstance(error, OSError) or error.strerror is None:
        return " ".join(str(error).split()) or type(error).__name__
    where = f": {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{error.strerror}{where}. Free some space and run the same command again; finished work is kept."
    return f"{error.strerror}{where}."


def with_flags(text: str, flags: Collection[str]) -> str:
    """Write parameters that stand in backticks as the flags that a user types.

    >>> with_flags("`batch_seconds` must be 0 or more, not -1; `pretext=0` and `person` are something else.",
    ...            ["batch_seconds", "pretext"])
    '--batch-seconds must be 0 or more, not -1; --pretext=0 and `person` are something else.'
    """

    def flag(found: re.Match[str]) -> str:
        name, rest = found[1], found[2] or ""
        return f"--{name.replace('_', '-')}{rest}" if name in flags else found[0]

    return re.sub(r"`([a-z]\w*)(=[^`]*)?`", flag, text)


def _innermost(error: Exception) -> tuple[str, str]:
    """Return the file and the line of code where an error was raised; "" where there is none."""
    if type(error.__cause__).__name__ in ("_RemoteTraceback", "RemoteTraceback"):
        frames = list(_FRAME.finditer(str(error.__cause__)))
        return (frames[-1]["file"], frames[-1]["line"] or "") if frames else ("", "")
    summary = traceback.extract_tb(error.__traceback__)
    return (summary[-1].filename, summary[-1].line or "") if summary else ("", "")
