"""The pieces that make padding harmless, each against torch or plain arithmetic on one clip at a time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from src.backbones.padding import ValidGroupNorm, ZeroedPadding, count_frames, pool_frames, samples_of_one_frame

CONVOLUTIONS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 6)), min_size=1, max_size=5)


def frames_of_torch(n_samples: int, convolutions: list[tuple[int, int]]) -> int:
    """Return how many frames torch's convolutions make; 0 when one of them refuses so little."""
    frames = torch.empty(1, 1, n_samples, device="meta")
    for kernel, stride in convolutions:
        if frames.shape[2] < kernel:
            return 0
        frames = torch.nn.functional.conv1d(frames, torch.empty(1, 1, kernel, device="meta"), stride=stride)
    return frames.shape[2]


@settings(max_examples=60, deadline=None)
@given(convolutions=CONVOLUTIONS, n_samples=st.integers(1, 5_000))
def test_frames_are_counted_as_convolutions_make_them(convolutions: list[tuple[int, int]], n_samples: int) -> None:
    kernels, strides = zip(*convolutions, strict=True)
    assert max(0, count_frames(n_samples, kernels, strides)) == frames_of_torch(n_samples, convolutions)


@settings(max_examples=60, deadline=None)
@given(convolutions=CONVOLUTIONS)
def test_one_sample_less_than_the_fewest_gives_no_frame(convolutions: list[tuple[int, int]]) -> None:
    fewest = samples_of_one_frame(*zip(*convolutions, strict=True))
    assert frames_of_torch(fewest, convolutions) == 1
    assert fewest == 1 or frames_of_torch(fewest - 1, convolutions) == 0


def test_kernels_without_strides_are_refused() -> None:
    for count in (lambda: count_frames(400, (10, 3), (5,)), lambda: samples_of_one_frame((10, 3), (5,))):
        with pytest.raises(ValueError, match="zip"):
            count()


def pooled_by_hand(frames: torch.Tensor, length: int) -> np.ndarray:
    valid = frames[:length].numpy().astype(np.float64)
    mean = valid.sum(axis=0) / length
    return np.stack([mean, np.sqrt(((valid - mean) ** 2).sum(axis=0) / length)])


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    offset=st.sampled_from([0.0, 100.0]),
    garbage=st.sampled_from([0.0, -3.0, 1e30]),
    seed=st.integers(0, 99),
)
def test_pooling_sees_valid_frames_alone(lengths: list[int], offset: float, garbage: float, seed: int) -> None:
    frames = offset + torch.randn(len(lengths), 40, 6, generator=torch.Generator().manual_seed(seed))
    for clip, length in zip(frames, lengths, strict=True):
        clip[length:] = garbage
    pooled = pool_frames(frames, torch.tensor(lengths))
    assert pooled.shape == (len(lengths), 2, 6)
    for clip, found, length in zip(frames, pooled, lengths, strict=True):
        np.testing.assert_allclose(found, pooled_by_hand(clip, length), rtol=1e-5, atol=1e-6 * (1 + offset))
        assert (found[1] == 0).all() or length > 1


def test_pooling_with_lengths_that_are_all_the_same_needs_none() -> None:
    frames = 5 + torch.randn(3, 17, 6, generator=torch.Generator().manual_seed(0))
    without = pool_frames(frames, None)
    np.testing.assert_allclose(without, pool_frames(frames, torch.tensor([17] * 3)), rtol=1e-5)
    for clip, found in zip(frames, without, strict=True):
        np.testing.assert_allclose(found, pooled_by_hand(clip, 17), rtol=1e-5)


@pytest.mark.parametrize("lengths", [None, torch.tensor([1, 1])])
def test_a_single_frame_deviates_by_exactly_nothing(lengths: torch.Tensor | None) -> None:
    frames = 0.1 + torch.randn(2, 1, 6, generator=torch.Generator().manual_seed(0))
    pooled = pool_frames(frames, lengths)
    assert (pooled[:, 1] == 0).all()
    np.testing.assert_array_equal(pooled[:, 0], frames[:, 0])


@pytest.mark.parametrize("lengths", [None, torch.tensor([3_000, 2_000])])
def test_frames_of_few_bits_are_pooled_in_float32(lengths: torch.Tensor | None) -> None:
    """Three thousand ones add up to 256 in bfloat16, where 256 and 1 are 256."""
    frames = torch.ones(2, 3_000, 4, dtype=torch.bfloat16)
    pooled = pool_frames(frames, lengths)
    assert pooled.dtype == torch.float32
    assert (pooled[:, 0] == 1).all()
    assert (pooled[:, 1] == 0).all()


def group_norm() -> torch.nn.GroupNorm:
    norm = torch.nn.GroupNorm(4, 4)
    generator = torch.Generator().manual_seed(3)
    norm.weight.data, norm.bias.data = torch.randn(2, 4, generator=generator)
    return norm


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(2, 50), min_size=1, max_size=4), seed=st.integers(0, 99))
@torch.no_grad()
def test_normalisation_of_a_padded_clip_is_that_of_the_clip_alone(lengths: list[int], seed: int) -> None:
    frames = 2 + torch.randn(len(lengths), 4, 50, generator=torch.Generator().manual_seed(seed))
    norm, valid = group_norm(), ValidGroupNorm(group_norm())
    valid.lengths = lengths
    found = valid(frames.clone())
    for number, length in enumerate(lengths):
        np.testing.assert_array_equal(found[number, :, :length], norm(frames[number : number + 1, :, :length])[0])
        np.testing.assert_array_equal(found[number, :, length:], frames[number, :, length:])


@torch.no_grad()
def test_normalisation_without_lengths_is_the_usual_one() -> None:
    frames = torch.randn(3, 4, 50, generator=torch.Generator().manual_seed(0))
    valid = ValidGroupNorm(group_norm())
    np.testing.assert_array_equal(valid(frames), group_norm()(frames))
    valid.lengths = [50, 20, 50]
    valid(frames.clone())
    valid.lengths = None
    np.testing.assert_array_equal(valid(frames), group_norm()(frames), "lengths of a batch before must not linger")


def test_convolutions_one_after_another_see_zeros_beyond_each_clip() -> None:
    """As the edge of a convolution does for a clip alone; without that, what the first made of the padding leaks."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        convolutions = [torch.nn.Conv1d(4, 4, 5, padding=2) for _ in range(3)]
        encoder = torch.nn.Sequential(*convolutions, torch.nn.Conv1d(4, 4, 1))
        frames = torch.randn(2, 4, 20)
    frames[1, :, 12:] = 0
    with torch.no_grad():
        alone = encoder(frames[1:, :, :12])
        leaking = encoder(frames)[1:, :, :12]
        zeroed = ZeroedPadding(encoder)
        zeroed.lengths = torch.tensor([20, 12])
        batched = encoder(frames)
        zeroed.lengths = None
        torch.testing.assert_close(encoder(frames[:1]), batched[:1])
    torch.testing.assert_close(batched[1:, :, :12], alone)
    assert (leaking - alone).abs().max() > 0.01
