"""Whisper under a head: the extractor's numbers, the backbone's hidden states, and what is trained and kept."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from src.backbones import load_backbone
from src.backbones.pretrained import load_pretrained
from src.backbones.whisper_log_mel import WhisperLogMel
from src.detectors.fine_tuned import BACKBONE, WEIGHTS, FineTuned, FineTunedConfig
from src.detectors.fine_tuned_network import FineTunedNetwork
from src.detectors.freezing import Trained, trained_parts
from src.detectors.heads import HEADS
from src.detectors.pretrained_encoder import Source
from src.detectors.whisper_encoder import WhisperEncoder
from src.models.contract import Workspace
from tests.detectors.small_models import noise, save_small_whisper
from tests.detectors.tiny import write_clips

REAL = Path(__file__).resolve().parents[3] / "shared" / "models" / "whisper-base"
WINDOW = 4_000
"""Samples: 13 frames, of which the last is half zeros."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small model as users have it; not to be changed."""
    return save_small_whisper(tmp_path_factory.mktemp("whisper") / "small")


def made(folder: Path, **options: Any) -> WhisperEncoder:
    loaded = load_pretrained("whisper", str(folder))
    return WhisperEncoder(Source(loaded.model, normalise=False, digest=loaded.digest), **options)


def detector(folder: Path, **values: Any) -> FineTuned:
    small = {"head_size": 8, "attention_heads": 2, "learning_rate": 1e-2, "seconds": 0.25, "epochs": 2}
    return FineTuned(FineTunedConfig.from_mapping({"backbone": "whisper", "model": str(folder), **small, **values}))


def built(given: FineTuned) -> FineTunedNetwork:
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        return given.build()


@pytest.mark.parametrize("n_bands", [80, 128])
@pytest.mark.parametrize("n_samples", [400, 16_000, 64_000])
def test_log_mel_is_the_extractors(n_bands: int, n_samples: int) -> None:
    import transformers

    extractor = transformers.WhisperFeatureExtractor(n_bands)
    windows = 0.1 * noise(3, n_samples)
    windows[1, n_samples // 2 :] = 0
    windows[2] *= 1e-4
    n_samples = -(-n_samples // 160) * 160
    found = WhisperLogMel(n_bands)(torch.nn.functional.pad(windows, (0, n_samples - windows.shape[1])))
    wanted = [
        extractor(each.numpy(), sampling_rate=16_000, padding="max_length", max_length=n_samples, return_tensors="pt")
        for each in windows
    ]
    assert found.shape == (3, n_bands, n_samples // 160)
    torch.testing.assert_close(found, torch.cat([each.input_features for each in wanted]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("n_samples", [WINDOW, 6_400, 32_000])
def test_hidden_states_are_those_of_the_backbone_in_own_windows(n_samples: int, folder: Path) -> None:
    encoder, clip = made(folder).eval(), 0.1 * noise(1, n_samples)
    backbone = load_backbone("whisper", str(folder), device="cpu", precision="fp32", window="own")
    wanted = torch.from_numpy(backbone.frames(clip[0].numpy()))
    for _ in range(2):  # the second call finds the model as the first found it
        hidden, valid = encoder(clip)
        assert valid is None
        torch.testing.assert_close(torch.cat([*hidden]).detach(), wanted, rtol=0, atol=2e-5)
    assert hidden[0].shape == (1, encoder.count_frames(n_samples), encoder.dimension)
    assert encoder.source.model.config.max_source_positions == 100


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="needs the data: shared/models/whisper-base")
def test_hidden_states_of_the_real_weights_are_those_of_the_backbone() -> None:
    clip = 0.1 * noise(1, 64_000)
    with torch.inference_mode():
        hidden, _ = made(REAL).eval()(clip)
    backbone = load_backbone("whisper", str(REAL), device="cpu", precision="fp32", window="own")
    wanted = torch.from_numpy(backbone.frames(clip[0].numpy()))
    assert wanted.shape == (7, 200, 512)
    for found, expected in zip(hidden, wanted, strict=True):
        assert float((found[0] - expected).norm() / expected.norm()) < 1e-5


def test_a_batch_gives_what_every_window_gives_alone_and_says_which_frames_are_the_clips(folder: Path) -> None:
    encoder, lengths = made(folder).eval(), torch.tensor([WINDOW, 1_600, 1_601, 10])
    batch = noise(4, WINDOW)
    for row, length in zip(batch, lengths.tolist(), strict=True):
        row[length:] = 0
    hidden, valid = encoder(batch, lengths)
    assert valid is not None
    assert valid.sum(dim=1).tolist() == [13, 5, 6, 1]
    for number in range(4):
        alone, nothing = encoder(batch[number : number + 1])
        assert nothing is None
        for layer, single in zip(hidden, alone, strict=True):
            torch.testing.assert_close(layer[number], single[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_all_heads_stand_on_it_and_gradients_reach_the_first_convolution(head: str, folder: Path) -> None:
    network = built(detector(folder, head=head, freeze="none", layer_weights=head == "linear"))
    output = network.train()(noise(2, WINDOW), torch.tensor([WINDOW, 2_000]))
    assert output.logits.shape == (2, 2)
    assert (output.frame_logits is not None) == (head == "frame")
    output.logits[:, 0].sum().backward()
    gradient = network.encoder.model.conv1.weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0
    assert network.frame_seconds == 0.02


@pytest.mark.parametrize(
    ("trained", "parts"),
    [
        (trained_parts("encoder", 3), set()),
        (Trained(1, False, False), {"layers.2"}),
        (trained_parts("features", 3), {"layers.0", "layers.1", "layers.2", "layer_norm"}),
        (trained_parts("none", 3), {"layers.0", "layers.1", "layers.2", "layer_norm", "conv1", "conv2"}),
    ],
)
def test_parts_that_are_trained(trained: Trained, parts: set[str], folder: Path) -> None:
    encoder = made(folder)
    encoder.train_only(trained)
    encoder.eval()
    encoder.train()
    for wanted in ("grad", "mode"):
        pairs = (
            [(name, each.requires_grad) for name, each in encoder.model.named_parameters()]
            if wanted == "grad"
            else [(name, each.training) for name, each in encoder.model.named_modules()]
        )
        known = ("layers.0", "layers.1", "layers.2", "conv1", "conv2", "embed_positions", "layer_norm")
        for name, value in pairs:
            part = next((part for part in known if name.startswith(part)), "")
            if part and (wanted == "grad" or part != "embed_positions"):
                assert value == (part in parts), (wanted, name)


def test_masked_frames_are_zeros_of_the_spectrogram(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = made(folder, mask_frames=0.5)
    mask = torch.zeros(1, 13, dtype=torch.bool)
    mask[0, 3:7] = True
    monkeypatch.setattr("src.detectors.pretrained_encoder.draw_spans", lambda *_: mask)
    seen: list[torch.Tensor] = []
    encoder.model.conv1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    encoder.train()(noise(1, WINDOW))
    assert (seen[0][0].abs().sum(dim=0) == 0).tolist() == mask[0].repeat_interleave(2).tolist()
    encoder.eval()(noise(1, WINDOW))
    assert (seen[1] != 0).any(dim=1).all()


def test_checkpointing_changes_no_gradient(folder: Path) -> None:
    gradients = []
    for checkpointing in (False, True):
        encoder = made(folder)
        if checkpointing:
            encoder.checkpoint_activations()
        hidden, _ = encoder.train()(noise(1, WINDOW))
        sum(layer.square().mean() for layer in hidden).backward()  # type: ignore[union-attr]
        gradients.append([each.grad for each in encoder.parameters() if each.grad is not None])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize(
    ("values", "whole"),
    [({"freeze": "encoder", "head": "frame", "layer_weights": True}, False), ({"checkpointing": True}, True)],
)
def test_a_run_is_trained_by_the_loop_and_read_back(
    values: dict[str, Any], whole: bool, folder: Path, tmp_path: Path
) -> None:
    tables = write_clips(tmp_path, 10, seed=1), write_clips(tmp_path, 6, seed=2, start=100)
    given = detector(folder, **values)
    given.workspace = Workspace(tmp_path / "checkpoints")
    given.fit(*tables)
    given.save(tmp_path)
    published = load_pretrained("whisper", str(folder)).model.state_dict()
    encoder = given.trained.network.encoder.model.state_dict()
    assert all(torch.equal(each, published[name]) for name, each in encoder.items()) != whole
    assert json.loads((tmp_path / BACKBONE).read_text())["encoder_saved"] == whole
    assert (len((tmp_path / WEIGHTS).read_bytes()) > 20_000) == whole
    config = dataclasses.replace(given.config, model="/gone") if whole else given.config
    again = FineTuned.load(tmp_path, config)
    assert np.array_equal(again.scores(tables[1].inputs), given.scores(tables[1].inputs))


@pytest.mark.parametrize(
    ("n_samples", "line"),
    [
        (399, r"A window of 399 samples is too short: the network needs 400"),
        (32_001, r"Whisper takes windows of at most 2 s, not 2.00006 s: choose `seconds`\."),
    ],
)
def test_windows_that_do_not_fit_are_refused(n_samples: int, line: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=line):
        made(folder)(torch.zeros(1, n_samples))


def test_number_of_parameters_of_whisper_base() -> None:
    import transformers
    from transformers.models.whisper.modeling_whisper import WhisperEncoder as Published

    from src.backbones.published import FAMILIES

    with torch.device("meta"):
        model = Published(transformers.WhisperConfig(**FAMILIES["whisper"].sizes["base"]))
    encoder = WhisperEncoder(Source(model, normalise=False, digest=""))
    assert sum(each.numel() for each in encoder.parameters()) == 20_590_592
    hidden = model(torch.zeros(1, 80, 3_000, device="meta"), output_hidden_states=True).hidden_states
    assert hidden[0].shape == (1, 1_500, 512)
