"""A long convolution by Fourier transforms gives the sums of the plain one."""

import pytest
import torch

from src.backbones.long_convolution import LongConvolution, use_long_convolutions


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kernel", [65, 128])
@pytest.mark.parametrize("n_frames", [1, 5, 127, 128, 129, 130, 400])
def test_the_sums_are_those_of_the_plain_convolution(n_frames: int, kernel: int, bias: bool) -> None:
    torch.manual_seed(n_frames)
    plain = torch.nn.Conv1d(12, 8, kernel, padding=kernel // 2, groups=4, bias=bias).double()
    frames = torch.randn(3, 12, n_frames)
    expected = plain(frames.double())
    found = LongConvolution(plain.float())(frames)
    assert found.dtype == torch.float32
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 2e-6 * expected.abs().max()


def test_a_clip_gives_the_same_whatever_stands_beside_it() -> None:
    convolution = LongConvolution(torch.nn.Conv1d(8, 8, 128, padding=64, groups=2))
    quiet, loud = torch.randn(1, 8, 300), 1e4 * torch.randn(1, 8, 300)
    torch.testing.assert_close(convolution(torch.cat([quiet, loud]))[:1], convolution(quiet), rtol=1e-5, atol=1e-6)


def test_half_precision_comes_back_as_such() -> None:
    convolution = torch.nn.Conv1d(8, 8, 128, padding=64, groups=2).bfloat16()
    frames = torch.randn(2, 8, 200).bfloat16()
    found, expected = LongConvolution(convolution)(frames), convolution(frames)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)


def test_only_long_plain_ones_are_replaced() -> None:
    model = torch.nn.Sequential(
        torch.nn.Conv1d(8, 8, 128),
        torch.nn.Conv1d(8, 8, 19),
        torch.nn.Conv1d(8, 8, 128, stride=2),
        torch.nn.Conv1d(8, 8, 128, dilation=2),
        torch.nn.Conv1d(8, 8, 128, padding="same"),
        torch.nn.Conv1d(8, 8, 128, padding=64, padding_mode="reflect"),
        torch.nn.Linear(3, 3),
    )
    use_long_convolutions(model)
    assert [type(layer).__name__ for layer in model] == ["LongConvolution", *["Conv1d"] * 5, "Linear"]
