"""The device that computes (a CUDA GPU if there is one, else the CPU), its precision and its memory."""

import ctypes
import gc
import re
import sys
from collections.abc import Sequence

import psutil
import torch

DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}
"""Precision -> type of weights and activations; tf32 rounds inside the matrix products of a GPU that supports it."""


def choose_device(name: str) -> torch.device:
    """Turn "auto", "cpu", "cuda" or "cuda:1" into an available device.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = re.fullmatch("cpu|cuda(?::([0-9]+))?", name)
    if not found:
        raise ValueError(f"Unknown device '{name}'; allowed: auto, cpu, cuda, cuda:1 and so on.")
    if name != "cpu" and int(found[1] or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"There is no device {name}: {torch.cuda.device_count()} CUDA GPUs are usable; `device=cpu` works anywhere."
        )
    return torch.device(name)


def all_devices(name: str) -> list[str]:
    """Return the devices that share the work: every GPU for "auto", else the named one."""
    n_gpus = torch.cuda.device_count() if name == "auto" else 0
    return [f"cuda:{number}" for number in range(n_gpus)] if n_gpus > 1 else [name]


def choose_precision(name: str, device: torch.device) -> str:
    """Turn "auto" into bf16 where the device supports it in hardware, else tf32 on a GPU and fp32 on a CPU.

    >>> choose_precision("fp32", torch.device("cpu"))
    'fp32'
    """
    if name in DTYPES:
        return name
    if name != "auto":
        raise ValueError(f"Unknown precision '{name}'; allowed: auto, {', '.join(DTYPES)}.")
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "tf32"
    abilities = torch.cpu.get_capabilities()
    return "bf16" if abilities.get("avx512_bf16") or abilities.get("amx_bf16") else "fp32"


def use_tf32(device: torch.device, wanted: bool) -> None:
    """Let a GPU round the operands of float32 matrix products and convolutions to 10 bits, or forbid it."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high" if wanted else "highest")
        torch.backends.cudnn.allow_tf32 = wanted


def counts_on(device: torch.device, counts: Sequence[int]) -> torch.Tensor:
    """Return counts as a tensor on a device; a GPU fetches them while the host goes on."""
    return torch.tensor(counts, pin_memory=device.type == "cuda").to(device, non_blocking=True)


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on a device."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that a GPU or the machine is out of memory."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        words in str(error) for words in ("can't allocate memory", "STATUS_ALLOC_FAILED")
    )


def release_memory() -> None:
    """Release the cached memory of the GPUs, after a batch that did not fit."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def keep_freed_memory() -> None:
    """Make the C library reuse the memory of large arrays (glibc only; no effect elsewhere).

    By default it returns each freed array of more than 32 MB to the system, which then zeroes new pages for the next
    one: a quarter of the time of a large model on a CPU.
    """
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt"):
        trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
        ctypes.CDLL(None).mallopt(trim_threshold, 2**31 - 1)
        ctypes.CDLL(None).mallopt(mmap_threshold, 2**30)
