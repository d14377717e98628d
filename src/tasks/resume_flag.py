"""The flag --resume: what else may be typed beside it."""

from dataclasses import fields
from typing import Any


def refuse_beside_resume(flags: Any, *allowed: str) -> None:
    """Raise ValueError where a flag is given that a training which is resumed would not follow.

    Parameters
    ----------
    flags : dataclass
        A task's flags, `resume` and `dataset` among them. The latter may name the training's own corpus, which Remote
        sends to where it is resumed.
    *allowed : str
        Further flags that go with `resume`.
    """
    for field in fields(flags):
        given = getattr(flags, field.name) != field.default
        if given and field.name not in (*allowed, "resume", "dataset"):
            others = ", ".join(f"`{name}`" for name in allowed)
            raise ValueError(
                f"`{field.name}` does not go with `resume`, only {others} and the training's own `dataset` do: leave "
                f"it out; all else is as {flags.resume} began."
            )
