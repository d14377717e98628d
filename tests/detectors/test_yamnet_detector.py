import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from src.backbones import load_backbone
from src.detectors import DETECTORS, detector_class
from src.detectors.yamnet import Yamnet, YamnetConfig
from src.models.contract import Workspace
from tests.backbones.yamnet_folder import save_yamnet
from tests.detectors.tiny import write_clips


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of random weights, not to be changed."""
    return save_yamnet(tmp_path_factory.mktemp("models") / "random")


def windows(n: int = 2, samples: int = 32_000) -> torch.Tensor:
    """Return windows of noise."""
    return 0.1 * torch.randn(n, samples, generator=torch.Generator().manual_seed(1))


def test_it_is_a_row_of_the_table() -> None:
    assert "yamnet" in DETECTORS
    assert detector_class("yamnet") is Yamnet


@pytest.mark.parametrize("samples", [8000, 15_600, 64_000])
def test_shapes(samples: int) -> None:
    output = Yamnet(YamnetConfig()).build()(windows(3, samples))
    assert output.logits.shape == (3, 2)
    assert output.embedding.shape == (3, 256)
    assert output.frame_logits is None


def test_parameters_are_yamnets_without_its_classes_and_the_classifiers() -> None:
    network = Yamnet(YamnetConfig(hidden=64)).build()
    classes = 1024 * 521 + 521
    head = 1024 * 64 + 64 + 64 * 2 + 2
    assert sum(parameter.numel() for parameter in network.parameters()) == 3_729_481 - classes + head


def test_the_classifier_decides_on_the_mean_of_the_backbones_embeddings(folder: Path) -> None:
    network = Yamnet(YamnetConfig(weights=str(folder))).build().eval()
    backbone = load_backbone("yamnet", str(folder), precision="fp32", device="cpu", layers="1")
    clip = windows(1)
    (embeddings,) = backbone.frames(clip[0].numpy())
    with torch.inference_mode():
        dense = network.dense(torch.from_numpy(embeddings.mean(axis=0)))
        output = network(clip)
        torch.testing.assert_close(output.embedding[0], dense, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(output.logits[0], network.decision(dense), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("freeze", [True, False])
def test_frozen_weights_stay_as_they_are_and_the_classifier_learns(folder: Path, freeze: bool) -> None:
    network = Yamnet(YamnetConfig(weights=str(folder), freeze=freeze)).build()
    before = {name: parameter.clone() for name, parameter in network.state_dict().items()}
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.1)
    torch.nn.functional.cross_entropy(network(windows()).logits, torch.tensor([0, 1])).backward()
    optimizer.step()
    for name, parameter in network.state_dict().items():
        assert torch.equal(parameter, before[name]) == (freeze and name.startswith("patches.")), name


def test_random_weights_are_trained_whole_and_pass_their_input_on() -> None:
    torch.manual_seed(0)
    network = Yamnet(YamnetConfig()).build()
    output = network(windows())
    output.logits.sum().backward()
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert network.patches(windows())[1].std() > 0.01


def test_a_window_does_not_depend_on_the_others_of_its_batch() -> None:
    network = Yamnet(YamnetConfig()).build().eval()
    together = network(windows(4)).logits
    for window, logits in zip(windows(4), together, strict=True):
        torch.testing.assert_close(network(window[None]).logits[0], logits, rtol=1e-4, atol=1e-5)


def test_silence_gives_numbers_and_gradients() -> None:
    silence = torch.zeros(1, 16_000, requires_grad=True)
    Yamnet(YamnetConfig()).build()(silence).logits.sum().backward()
    assert silence.grad is not None
    assert silence.grad.isfinite().all()


def test_bad_hyperparameters_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Hyperparameter hidden must lie in"):
        YamnetConfig(hidden=0)
    with pytest.raises(FileNotFoundError, match=r"There is no model folder nowhere; .*`weights=FOLDER`"):
        Yamnet(YamnetConfig(weights="nowhere")).build()
    folder = save_yamnet(tmp_path / "m")
    (folder / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="does not hold YAMNet's weights"):
        Yamnet(YamnetConfig(weights=str(folder))).build()


def test_it_is_trained_saved_and_loaded_after_its_folder_is_gone(tmp_path: Path) -> None:
    train, val = (write_clips(tmp_path / name, 8, seed=seed) for seed, name in enumerate(("train", "val")))
    folder = save_yamnet(tmp_path / "yamnet")
    detector = Yamnet(YamnetConfig(weights=str(folder), seconds=1, epochs=1, hidden=8))
    detector.workspace = Workspace(tmp_path / "run")
    detector.fit(train, val)
    detector.save(tmp_path / "run")
    shutil.rmtree(folder)
    assert detector.n_trained == 1024 * 8 + 8 + 8 * 2 + 2  # the classifier alone: published weights stay as they are
    assert detector.n_parameters > 3_000_000
    loaded = Yamnet.load(tmp_path / "run", detector.config)
    np.testing.assert_array_equal(loaded.scores(val.paths), detector.scores(val.paths))
