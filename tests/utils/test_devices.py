import pytest
import torch

from src.utils.devices import choose_device


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
    with pytest.raises(ValueError, match=f"There is no device {name}: 0 CUDA GPUs are usable; --device=cpu works"):
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
