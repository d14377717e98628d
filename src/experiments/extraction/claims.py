"""One start at a time on a store: it computes all of the clips, or is one of several shares that fit together.

Starts that do not know of each other would compute clips twice: by an engine and by hand, by two engines, or by shares
of three beside shares of two. Whoever starts holds a lock named after its share, beside the store, and looks at the
locks of others. The parts into which a start divides its own share, among devices or machines, need none.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from src.experiments.extraction.plan import Plan

LOOK_SECONDS = 2.0
"""For how long a lock must be held to count: others that look hold it for a moment, too."""


@contextmanager
def claimed(plan: Plan) -> Iterator[None]:
    """Hold the stores of a plan for its share while the block runs.

    Raises
    ------
    ValueError
        When another start is at work on one of them, and is not another share of as many.
    """
    share = plan.request.share
    with ExitStack() as held:
        for part in plan.splits:
            part.folder.parent.mkdir(parents=True, exist_ok=True)
            own = _lock(part.folder, share.name)
            if not _taken(own):
                raise ValueError(f"Another process is writing {part.folder}; wait for it to end.")
            held.callback(own.release)
            _refuse_others(part.folder, share.name)
        yield


def _refuse_others(folder: Path, share: str) -> None:
    """Raise ValueError when somebody computes all of a store's clips beside a share, or a share of another division."""
    for path in sorted(folder.parent.glob(f".{folder.name}.*.lock")):
        other = path.name.removeprefix(f".{folder.name}.").removesuffix(".lock")
        if other != share and not (share != "all" and _division(other) == _division(share)):
            lock = FileLock(path)
            if not _taken(lock):
                what = "all clips" if other == "all" else f"share {other}"
                raise ValueError(
                    f"Another process is writing {what} of {folder}, this one would write "
                    f"{'all clips' if share == 'all' else f'share {share}'}: wait for it to end."
                )
            lock.release()


def _division(share: str) -> str:
    """Return into how many parts the work is divided where it is shared: "3" of "1-of-3-0-of-2"."""
    return share.split("-")[2] if share != "all" else share


def _lock(folder: Path, share: str) -> FileLock:
    return FileLock(folder.with_name(f".{folder.name}.{share}.lock"))


def _taken(lock: FileLock) -> bool:
    """Take a lock, unless somebody keeps it."""
    try:
        lock.acquire(timeout=LOOK_SECONDS)
    except Timeout:
        return False
    return True
