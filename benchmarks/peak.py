"""How much memory processes hold."""

import psutil


def memory_of(process: psutil.Process) -> float:
    """Return the bytes of memory of a process and its children; shared pages are counted once."""
    total = 0.0
    try:
        for each in (process, *process.children(recursive=True)):
            total += each.memory_full_info().pss
    except psutil.Error:  # the process has ended
        pass
    return total
