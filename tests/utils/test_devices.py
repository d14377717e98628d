import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from src.utils.devices import (
    DTYPES,
    all_devices,
    choose_device,
    choose_precision,
    free_memory,
    keep_freed_memory,
    out_of_memory,
    release_memory,
    use_tf32,
)

CPU, GPU = torch.device("cpu"), torch.device("cuda", 1)


@pytest.mark.parametrize(("there", "chosen"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch, there: bool, chosen: str) -> None:
    """Fault 7: nothing ever ran on the GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert choose_device("auto") == torch.device(chosen)


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:0", "cuda:1"])
def test_devices_that_are_there(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device(name) == torch.device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:1"])
def test_gpus_that_are_not_there(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match=f"There is no device {name}: 0 CUDA GPUs are usable; `device=cpu` "):
        choose_device(name)


def test_a_number_beyond_the_gpus_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="There is no device cuda:2: 2 CUDA GPUs"):
        choose_device("cuda:2")


@pytest.mark.parametrize("name", ["", "gpu", "tpu", "CUDA", "cpu:0", "cpu:", "cuda:", "cuda:x", "cuda:-1", "cuda:٣"])
def test_names_that_no_device_has(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    with pytest.raises(ValueError, match=f"Unknown device '{name}'; allowed: auto, cpu, cuda, cuda:1 and so on"):
        choose_device(name)


@pytest.mark.parametrize(
    ("name", "n_gpus", "devices"),
    [
        ("auto", 0, ["auto"]),
        ("auto", 1, ["auto"]),
        ("auto", 2, ["cuda:0", "cuda:1"]),
        ("auto", 3, ["cuda:0", "cuda:1", "cuda:2"]),
        ("cpu", 3, ["cpu"]),
        ("cuda", 3, ["cuda"]),
        ("cuda:1", 3, ["cuda:1"]),
    ],
)
def test_work_is_shared_among_all_gpus_unless_one_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, n_gpus: int, devices: list[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    assert all_devices(name) == devices


@pytest.mark.parametrize("device", [CPU, GPU])
@pytest.mark.parametrize("name", DTYPES)
def test_a_precision_that_is_named_is_taken(name: str, device: torch.device) -> None:
    assert choose_precision(name, device) == name


@pytest.mark.parametrize(
    ("abilities", "chosen"),
    [
        ({}, "fp32"),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, "fp32"),
        ({"avx512_bf16": True, "amx_bf16": False}, "bf16"),
        ({"avx512_bf16": True}, "bf16"),
        ({"amx_bf16": True}, "bf16"),
        ({"architecture": "aarch64", "sve": True}, "fp32"),
    ],
)
def test_auto_is_bf16_on_a_cpu_that_computes_in_it(
    monkeypatch: pytest.MonkeyPatch, abilities: dict[str, Any], chosen: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities)
    assert choose_precision("auto", CPU) == chosen


@pytest.mark.parametrize(("native", "chosen"), [(True, "bf16"), (False, "tf32")])
def test_auto_is_bf16_on_a_gpu_that_does_not_only_pretend(
    monkeypatch: pytest.MonkeyPatch, native: bool, chosen: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or native)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": not native})
    assert choose_precision("auto", GPU) == chosen


def test_auto_is_a_precision_on_this_very_cpu() -> None:
    assert choose_precision("auto", CPU) in ("bf16", "fp32")


@pytest.mark.parametrize("name", ["", "fp16", "BF16", "float32"])
@pytest.mark.parametrize("device", [CPU, GPU])
def test_precisions_that_there_are_not(name: str, device: torch.device) -> None:
    with pytest.raises(ValueError, match=f"Unknown precision '{name}'; allowed: auto, fp32, tf32, bf16"):
        choose_precision(name, device)


@pytest.mark.parametrize(("wanted", "precision"), [(True, "high"), (False, "highest")])
def test_a_gpu_rounds_to_tf32_only_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, wanted: bool, precision: str
) -> None:
    said: list[str] = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", said.append)
    monkeypatch.setattr(torch.backends, "cudnn", SimpleNamespace(allow_tf32=not wanted))
    use_tf32(GPU, wanted)
    assert (said, torch.backends.cudnn.allow_tf32) == ([precision], wanted)


def test_a_cpu_is_not_asked_to_round() -> None:
    before = torch.get_float32_matmul_precision()
    use_tf32(CPU, True)
    assert torch.get_float32_matmul_precision() == before == "highest"


def test_memory_that_is_used_up_is_known_by_the_real_errors() -> None:
    """Of torch and of numpy, asked for more than any machine can address."""
    with pytest.raises(RuntimeError) as of_torch:
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(MemoryError) as of_numpy:
        np.empty(2**60, np.uint8)
    assert out_of_memory(of_torch.value)
    assert out_of_memory(of_numpy.value)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (MemoryError(), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            True,
        ),
        (RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"), False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (OSError(28, "No space left on device"), False),
        (ValueError(""), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_other_errors_are_not_taken_for_out_of_memory(error: BaseException, told: bool) -> None:
    assert out_of_memory(error) is told


def test_free_memory_is_that_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: ({GPU: 5}[device], 80))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=7, free=1, total=9))
    assert (free_memory(GPU), free_memory(CPU)) == (5, 7)


def test_free_memory_of_this_very_machine() -> None:
    assert 0 < free_memory(CPU) <= psutil.virtual_memory().total


@pytest.mark.parametrize("there", [True, False])
def test_memory_is_handed_back_where_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    handed_back: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: handed_back.append("GPU"))
    release_memory()
    assert handed_back == ["GPU"] * there


@pytest.mark.parametrize(("platform", "library"), [("win32", None), ("darwin", None), ("linux", SimpleNamespace())])
def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch, platform: str, library: Any) -> None:
    def load(name: None) -> Any:
        assert library is not None, "it is not even loaded"
        return library

    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(ctypes, "CDLL", load)
    keep_freed_memory()


def test_the_c_library_is_told_to_keep_large_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """M_TRIM_THRESHOLD is -1 and M_MMAP_THRESHOLD -3; both values must fit a C int."""
    told: dict[int, int] = {}
    library = SimpleNamespace(mallopt=told.__setitem__)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    keep_freed_memory()
    assert told.keys() == {-1, -3}
    assert all(2**25 < value < 2**31 for value in told.values()), "glibc itself never goes beyond 32 MiB"
