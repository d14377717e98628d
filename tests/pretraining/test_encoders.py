"""Encoders that are pretrained: shapes, masks, and the same hidden states as the backbone that reads them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from src.backbones import load_backbone
from src.backbones.padding import pool_frames
from src.backbones.pretrained import load_pretrained
from src.pretraining import encoders
from src.pretraining.contract import PretrainingConfig
from src.pretraining.encoders import PretrainingEncoder, encoder_of, new_encoder
from tests.pretraining.smaller import SMALLER, smaller

KINDS = [("wav2vec2", "conv"), ("hubert", "conv"), ("wav2vec2", "mel")]


@pytest.fixture(params=KINDS, ids=lambda kind: "-".join(kind))
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PretrainingEncoder:
    smaller(monkeypatch)
    objective, front_end = request.param
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return new_encoder(PretrainingConfig(objective=objective, front_end=front_end)).eval()


def waveforms(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def test_shapes(encoder: PretrainingEncoder) -> None:
    features = encoder.features(waveforms(2, 16_100))
    n_frames = encoder.count_frames(16_100)
    assert features.shape == (2, n_frames, encoder.feature_width)
    hidden = encoder.contextual(features)
    assert len(hidden) == len(encoder.layers()) + 1
    assert {state.shape for state in hidden} == {(2, n_frames, encoder.width)}
    normal = encoder.normalised(features)
    over = 1 if encoder.front_end == "mel" else -1  # of each feature in the clip, or of each frame
    assert normal.mean(dim=over).abs().max() < 1e-4 and normal.std(dim=over).mean() == pytest.approx(1, abs=0.1)


@torch.inference_mode()
def test_the_backbone_of_its_name_gives_the_same_hidden_states(encoder: PretrainingEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    window = "own" if encoder.family == "whisper" else None
    backbone: Any = load_backbone(encoder.family, str(tmp_path), device="cpu", precision="fp32", window=window)
    clip = waveforms(1, 12_800)
    hidden = encoder.contextual(encoder.features(clip))
    expected = torch.stack([pool_frames(state, None)[0] for state in hidden])
    computed = backbone.statistics([clip[0].numpy()])[0][0]
    np.testing.assert_allclose(computed, expected.numpy(), atol=2e-5)


@torch.inference_mode()
def test_what_lies_under_a_mask_is_not_seen(encoder: PretrainingEncoder) -> None:
    features = encoder.features(waveforms(1, 16_000))
    masks = torch.zeros(1, features.shape[1], dtype=torch.bool)
    masks[:, 10:20] = True
    others = features.clone()
    others[:, 10:20] = 5.0
    seen, same = encoder.contextual(features, masks)[-1], encoder.contextual(others, masks)[-1]
    assert torch.equal(seen, same)
    assert not torch.allclose(seen, encoder.contextual(features)[-1], atol=1e-3)


@torch.inference_mode()
@pytest.mark.parametrize("encoder", [("wav2vec2", "mel")], indirect=True)
def test_sound_under_a_mask_is_not_seen_beside_it(encoder: PretrainingEncoder) -> None:
    """Neither through the convolutions nor through the transformer, but for windows of analysis that overlap."""
    clip = waveforms(1, 16_000)
    inside = slice(3_300, 6_150)  # frames 10 to 19 are samples 3,200 to 6,400; 15 ms on the right are the next one's
    clip[:, inside] *= 0.1  # the loudest point of a spectrum, from which its floor is told, lies elsewhere
    other = clip.clone()
    other[:, inside] = 0.01 * waveforms(1, 2_850, seed=1)
    masks = torch.zeros(1, encoder.count_frames(16_000), dtype=torch.bool)
    masks[:, 10:20] = True
    changed = (encoder.features(clip) - encoder.features(other)).abs().amax(dim=-1)
    assert changed[:, 9:21].min() > 1e-6 > changed[:, :8].max(), "convolutions look further than a frame"
    assert torch.equal(encoder.hidden(clip, masks)[-1], encoder.hidden(other, masks)[-1])


@torch.inference_mode()
def test_a_model_that_was_saved_is_the_same_encoder(encoder: PretrainingEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    loaded = load_pretrained(encoder.family, str(tmp_path))
    again = encoder_of(loaded.model, loaded.extractor).eval()
    clip = waveforms(1, 8000)
    expected = encoder.contextual(encoder.features(clip))[-1]
    assert torch.equal(again.contextual(again.features(clip))[-1], expected)
    if encoder.front_end == "conv":
        assert torch.equal(again.model.masked_spec_embed, encoder.model.masked_spec_embed)


def test_level_does_not_matter_to_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    smaller(monkeypatch)
    encoder = new_encoder(PretrainingConfig(front_end="conv"))
    clip = waveforms(1, 8000)
    assert torch.allclose(encoder.features(clip), encoder.features(0.3 * clip + 0.01), atol=1e-4)


def test_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    config = PretrainingConfig(front_end="mel")
    assert new_encoder(config).width == 256 and len(new_encoder(config).layers()) == 4
    monkeypatch.setattr(encoders, "WhisperEncoder", lambda config: config)
    monkeypatch.setattr(encoders, "MelEncoder", lambda config, _: config)
    assert new_encoder(replace(config, size="base")).d_model == 512  # type: ignore[attr-defined]
    assert SMALLER  # sizes of tests are not those of users


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"objective": "words"}, "`objective` must be wav2vec2, hubert, best-rq, mel or distill, not 'words'"),
        ({"front_end": "lfcc"}, "`front_end` must be conv or mel, not 'lfcc'"),
        ({"size": "large"}, "`size` must be tiny, small or base, not 'large'"),
        ({"batch_seconds": 2.0}, r"batch_seconds must lie in \[4, 100000\], not 2"),
        ({"noise_folder": "x"}, "go with `augment`"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PretrainingConfig(**wrong)
