"""The encoder gives the frames of the backbone of its name, whatever is padded, and its gradients are right."""

from pathlib import Path

import numpy as np
import pytest
import torch

from src.backbones import load_backbone
from src.backbones.pretrained import load_pretrained
from src.detectors.encoder import Encoder
from src.detectors.freezing import Trained, trained_parts
from src.detectors.pretrained_encoder import MASKED_SPAN, Source, draw_spans
from tests.detectors.small_models import noise, save_small, source

KINDS = [
    ("wav2vec2", "base"),
    ("wav2vec2", "large"),
    ("hubert", "base"),
    ("hubert", "large"),
    ("wavlm", "base"),
    ("unispeech-sat", "base"),
    ("data2vec-audio", "base"),
    ("wav2vec2-conformer", "base"),
]
WINDOW = 8_000
LENGTHS = [8_000, 3_210, 5_999, 400]


def close(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    return float(((found - wanted).norm() / wanted.norm()).detach()) < 2e-6


def windows(lengths: list[int]) -> torch.Tensor:
    """Return windows of noise at several levels and offsets, with zeros behind their valid samples."""
    batch = 0.1 * noise(len(lengths), WINDOW) + 0.05
    for row, length in zip(batch, lengths, strict=True):
        row[length:] = 0
    return batch


@pytest.mark.parametrize(("family", "shape"), KINDS)
def test_hidden_states_are_those_of_the_backbone(family: str, shape: str, tmp_path: Path) -> None:
    folder = str(save_small(tmp_path / "model", family, shape))
    loaded = load_pretrained(family, folder)
    encoder = Encoder(Source(loaded.model, loaded.normalise, loaded.digest)).eval()
    clip = windows([WINDOW])
    with torch.no_grad():  # PyTorch sums in another order for the conformer's batch normalisation otherwise
        hidden, valid = encoder(clip)
    wanted = load_backbone(family, folder, device="cpu", precision="fp32").frames(clip[0].numpy())
    assert valid is None
    assert (torch.cat([*hidden]) - torch.from_numpy(wanted)).abs().max() < 1e-5 * np.abs(wanted).max()
    assert hidden[0].shape == (1, encoder.count_frames(WINDOW), encoder.dimension) == (1, 24, 16)


@pytest.mark.parametrize(("family", "shape"), KINDS)
def test_padded_windows_give_the_frames_of_each_clip_alone(family: str, shape: str) -> None:
    encoder = Encoder(source(family, shape)).eval()
    batch = windows(LENGTHS)
    hidden, valid = encoder(batch, torch.tensor(LENGTHS))
    assert valid is not None
    assert valid.sum(dim=1).tolist() == [24, 9, 18, 1]
    for number, length in enumerate(LENGTHS):
        alone, _ = encoder(batch[number : number + 1, :length])
        for layer, single in zip(hidden, alone, strict=True):
            assert close(layer[number, : single.shape[1]], single[0])
    ignorant, _ = encoder(batch)
    assert not close(ignorant[-1][1, :9], hidden[-1][1, :9])  # else this test would prove nothing


@pytest.mark.parametrize("lengths", [[WINDOW] * 2, [WINDOW, WINDOW - 1]])
def test_lengths_that_hide_no_frame_need_no_mask(lengths: list[int]) -> None:
    encoder = Encoder(source()).eval()
    batch = windows(lengths)
    hidden, valid = encoder(batch, torch.tensor(lengths))
    assert valid is None
    assert close(hidden[-1][1], encoder(batch[1:, : lengths[1]])[0][-1][0])


def test_a_clip_without_a_frame_of_its_own_is_filled_up_by_zeros() -> None:
    encoder = Encoder(source()).eval()
    batch = windows([WINDOW, 10])
    hidden, valid = encoder(batch, torch.tensor([WINDOW, 10]))
    assert valid is not None
    assert valid[1].sum() == 1
    assert close(hidden[-1][1, :1], encoder(batch[1:, :400])[0][-1][0])


@pytest.mark.parametrize("shape", ["base", "large"])
def test_gradients_of_padded_windows_are_those_of_each_clip_alone(shape: str) -> None:
    encoder = Encoder(source("wav2vec2", shape)).eval()
    lengths = [8_000, 3_210]
    batch = windows(lengths)

    def gradients(*calls: tuple[torch.Tensor, torch.Tensor | None]) -> dict[str, torch.Tensor]:
        encoder.zero_grad()
        for waveforms, given in calls:
            hidden, valid = encoder(waveforms, given)
            kept = hidden[-1] if valid is None else hidden[-1][valid]
            (kept.reshape(-1, 16) * torch.linspace(-1, 1, 16)).square().sum().backward()
        return {name: each.grad.clone() for name, each in encoder.named_parameters() if each.grad is not None}

    together = gradients((batch, torch.tensor(lengths)))
    apart = gradients((batch[:1], None), (batch[1:, : lengths[1]], None))
    assert together.keys() == apart.keys()
    assert len(together) > 50
    largest = max(float(each.abs().max()) for each in apart.values())
    for name, each in together.items():
        assert torch.allclose(each, apart[name], rtol=1e-3, atol=1e-5 * largest), name


@pytest.mark.parametrize("family", ["wav2vec2", "wavlm"])
def test_checkpointing_changes_no_gradient(family: str) -> None:
    gradients = []
    for checkpointing in (False, True):
        encoder = Encoder(source(family, attention_dropout=0, hidden_dropout=0, activation_dropout=0))
        if checkpointing:
            encoder.checkpoint_activations()
        hidden, _ = encoder.train()(windows([WINDOW, 3_210]), torch.tensor([WINDOW, 3_210]))
        assert len(hidden) == 4
        sum(layer[0].square().mean() for layer in hidden).backward()  # type: ignore[union-attr]
        gradients.append([each.grad for each in encoder.parameters()])
    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(*gradients, strict=True) if a is not None)


def parts_in(encoder: Encoder, wanted: str) -> dict[str, set[bool]]:
    """Return, part by part, whether its parameters want gradients ("grad") or its modules are in training ("mode")."""
    found: dict[str, set[bool]] = {}
    pairs = (
        [(name, each.requires_grad) for name, each in encoder.model.named_parameters()]
        if wanted == "grad"
        else [(name, each.training) for name, each in encoder.model.named_modules()]
    )
    for name, value in pairs:
        layer = next((f"layer {n}" for n in range(3) if f"encoder.layers.{n}" in name), "stem")
        part = "features" if name.startswith("feature_extractor") else layer
        if name != "masked_spec_embed":
            found.setdefault(part, set()).add(value)
    return found


@pytest.mark.parametrize("wanted", ["grad", "mode"])
@pytest.mark.parametrize(
    ("trained", "parts"),
    [
        (Trained(0, False, False), set()),
        (Trained(1, False, False), {"layer 2"}),
        (Trained(2, False, False), {"layer 1", "layer 2"}),
        (Trained(3, True, False), {"layer 0", "layer 1", "layer 2", "stem"}),
        (Trained(3, True, True), {"layer 0", "layer 1", "layer 2", "stem", "features"}),
    ],
)
def test_parts_that_are_trained(wanted: str, trained: Trained, parts: set[str]) -> None:
    encoder = Encoder(source())
    encoder.train_only(trained)
    encoder.eval()
    encoder.train()  # as the training loop does again and again
    found = parts_in(encoder, wanted)
    assert found == {part: {part in parts} for part in ("features", "stem", "layer 0", "layer 1", "layer 2")}
    encoder.eval()
    assert parts_in(encoder, "mode") == {part: {False} for part in found}


def test_parameters_of_the_parts_are_those_that_become_trainable() -> None:
    for mask_frames in (0.0, 0.5):
        encoder = Encoder(source(), mask_frames=mask_frames)
        for trained in (trained_parts("none", 3), trained_parts("features", 3), Trained(2, False, False)):
            encoder.train_only(trained)
            wanted = {id(each) for each in encoder.parameters() if each.requires_grad}
            assert {id(each) for each in encoder.parameters_of(trained)} == wanted
        encoder.train_only(trained_parts("none", 3))
        assert encoder.model.masked_spec_embed.requires_grad == bool(mask_frames)


def test_nothing_is_random_in_evaluation_or_frozen() -> None:
    encoder = Encoder(source(layerdrop=0.9, mask_time_prob=0.9), mask_frames=0.9)
    clip = windows([WINDOW])
    wanted = encoder.eval()(clip)[0]
    encoder.train_only(trained_parts("encoder", 3))
    encoder.train()
    assert all(torch.equal(a, b) for a, b in zip(encoder(clip)[0], wanted, strict=True))


def test_layers_are_never_dropped_and_frames_only_masked_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = {"hidden_dropout": 0, "attention_dropout": 0, "activation_dropout": 0, "feat_proj_dropout": 0}
    clip = windows([WINDOW])
    encoder = Encoder(source(layerdrop=0.9, mask_time_prob=0.9, mask_feature_prob=0.9, **silent))
    wanted = encoder.eval()(clip)[0]
    assert all(torch.equal(a, b) for a, b in zip(encoder.train()(clip)[0], wanted, strict=True))
    masking = Encoder(source(mask_time_prob=0, apply_spec_augment=False, **silent), mask_frames=0.5).train()
    mask = torch.zeros(1, 24, dtype=torch.bool)
    mask[0, 3:13] = True
    monkeypatch.setattr("src.detectors.pretrained_encoder.draw_spans", lambda *_: mask)
    seen: list[torch.Tensor] = []
    masking.model.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    masking(clip)
    assert (seen[0][0].abs().sum(dim=1) == 0).tolist() == mask[0].tolist()  # a model without a mask gets zeros


def test_about_the_share_asked_for_is_masked_in_spans() -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        mask = draw_spans(0.2, 64, 500, torch.device("cpu"))
    assert mask.shape == (64, 500)
    assert float(mask.float().mean()) == pytest.approx(1 - (1 - 0.2 / MASKED_SPAN) ** MASKED_SPAN, abs=0.02)
    starts = mask[:, 1:] & ~mask[:, :-1]
    assert mask.sum() >= MASKED_SPAN * (starts[:, :-MASKED_SPAN].sum())


def test_time_of_frames() -> None:
    encoder = Encoder(source())
    assert encoder.frame_seconds == 0.02
    assert [encoder.count_frames(n) for n in (400, 16_000, 64_000)] == [1, 49, 199]


def test_windows_shorter_than_the_field_of_view() -> None:
    line = r"A window of 399 samples is too short: the network needs 400; `seconds` must be at least 0.03."
    with pytest.raises(ValueError, match=line):
        Encoder(source())(torch.zeros(1, 399))


def test_batch_statistics_of_a_frozen_encoder_stay() -> None:
    """The conformer has batch normalisation in every layer."""
    encoder = Encoder(source("wav2vec2-conformer", num_hidden_layers=2))
    buffers = {name: each for name, each in encoder.named_buffers() if "running" in name}
    before = {name: each.clone() for name, each in buffers.items()}
    assert len(before) == 4
    encoder.train_only(Trained(1, False, False))
    encoder.train()(windows([WINDOW] * 2))
    changed = {name for name, each in buffers.items() if not torch.equal(each, before[name])}
    assert changed == {name for name in before if "layers.1" in name}
