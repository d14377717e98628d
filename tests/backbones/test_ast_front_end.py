"""The front end of AST agrees with transformers' own, which computes a clip at a time in NumPy."""

import numpy as np
import pytest
import torch
from transformers import ASTFeatureExtractor

from src.backbones.ast_front_end import AstFrontEnd, count_frames


def published(waveform: np.ndarray, **settings: float) -> np.ndarray:
    """Return the features of transformers' extractor, without its padding."""
    with pytest.warns(UserWarning, match="mel filter has all zero"):
        extractor = ASTFeatureExtractor(max_length=count_frames(len(waveform)), **settings)
    return extractor(waveform, sampling_rate=16_000, return_tensors="np")["input_values"][0]


def noise(n_samples: int, level: float = 0.1, offset: float = 0.0) -> np.ndarray:
    drawn = np.random.default_rng(n_samples).standard_normal(n_samples)
    return (offset + level * drawn).astype(np.float32)


@pytest.mark.parametrize(
    "waveform",
    [
        noise(16_000),
        noise(8_123, level=1e-3, offset=0.3),
        np.sin(2 * np.pi * 440 * np.arange(12_000) / 16_000).astype(np.float32),
        np.zeros(4_000, dtype=np.float32),
        noise(400),
    ],
    ids=["noise", "quiet on an offset", "tone", "silence", "one frame"],
)
def test_it_agrees_with_the_published_extractor(waveform: np.ndarray) -> None:
    features = AstFrontEnd()(torch.from_numpy(waveform)[None])
    assert features.dtype == torch.float32
    assert features.shape == (1, count_frames(len(waveform)), AstFrontEnd.n_features)
    np.testing.assert_allclose(features[0], published(waveform), atol=2e-6)


def test_mean_and_deviation_can_be_those_of_another_corpus() -> None:
    features = AstFrontEnd(-6.8, 5.6)(torch.from_numpy(noise(8_000))[None])
    np.testing.assert_allclose(features[0], published(noise(8_000), mean=-6.8, std=5.6), atol=2e-6)


def test_padding_is_what_the_published_extractor_pads_with() -> None:
    with pytest.warns(UserWarning, match="mel filter has all zero"):
        padded = ASTFeatureExtractor()(noise(8_000), sampling_rate=16_000, return_tensors="np")["input_values"][0]
    np.testing.assert_allclose(padded[count_frames(8_000) :], AstFrontEnd().padding, rtol=1e-6)


def test_a_batch_gives_what_each_waveform_gives_alone_and_gradients_are_finite() -> None:
    front_end = AstFrontEnd()
    batch = torch.stack([torch.from_numpy(noise(6_000)), torch.zeros(6_000)]).requires_grad_()
    features = front_end(batch)
    for row, alone in zip(features, batch, strict=True):
        torch.testing.assert_close(row, front_end(alone[None])[0], rtol=0, atol=1e-6)
    features.square().sum().backward()
    assert batch.grad is not None
    assert batch.grad.isfinite().all()


def test_the_normalisation_is_saved_with_the_weights_and_the_constants_are_not() -> None:
    restored = AstFrontEnd()
    restored.load_state_dict(AstFrontEnd(-6.8, 5.6).state_dict())
    assert sorted(restored.state_dict()) == ["mean", "std"]
    waveforms = torch.from_numpy(noise(8_000))[None]
    assert torch.equal(restored(waveforms), AstFrontEnd(-6.8, 5.6)(waveforms))


def test_a_waveform_shorter_than_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 400 samples, not 399"):
        AstFrontEnd()(torch.zeros(1, 399))
