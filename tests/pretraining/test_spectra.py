"""Spectra of frames are those of the backbones of their names, and stand for the encoder's frames."""

import numpy as np
import pytest
import torch

from src.backbones.spectral import LogMel as LogMelBackbone
from src.backbones.spectral import Mfcc as MfccBackbone
from src.pretraining.spectra import LogMel, Mfcc

KINDS = (LogMel, Mfcc)


def noise(*shape: int) -> torch.Tensor:
    return torch.from_numpy(0.1 * np.random.default_rng(3).standard_normal(shape)).float()


def test_log_mel_is_that_of_the_backbone_two_spectra_a_frame() -> None:
    waveforms = noise(2, 16_000)
    spectra = LogMel()(waveforms, 49)
    assert spectra.shape == (2, 49, 160)
    # the backbone's windows of waveform[40:] begin at 40 + 160 k; ours at 160 k - 120, one hop earlier
    of_backbone = LogMelBackbone.load(None, "cpu", "fp32", None).features(waveforms[1, 40:].numpy())[0]
    np.testing.assert_allclose(spectra[1].reshape(98, 80)[1:97], of_backbone[:96], rtol=0, atol=1e-3)


def test_cepstra_are_every_second_frame_of_the_backbone_mfcc() -> None:
    waveforms = noise(2, 16_000)
    cepstra = Mfcc()(waveforms, 50)
    assert cepstra.shape == (2, 50, 39)
    of_backbone = MfccBackbone.load(None, "cpu", "fp32", None).features(waveforms[0].numpy())[0, ::2]
    liftered = of_backbone.reshape(50, 3, 40)[:, :, :13] * (1 + 11 * np.sin(np.pi * np.arange(13) / 22))
    np.testing.assert_allclose(cepstra[0], liftered.reshape(50, 39), rtol=0, atol=5e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_samples, n_frames", [(16_000, 49), (16_000, 50), (16_100, 51), (441, 1), (441, 2)])
def test_there_is_a_vector_for_every_frame_of_either_encoder(kind: type, n_samples: int, n_frames: int) -> None:
    spectra = kind()(noise(1, n_samples), n_frames)
    assert spectra.shape == (1, n_frames, kind.width) and spectra.isfinite().all()


@pytest.mark.parametrize(
    "kind, loudest", [(LogMel, lambda frames: frames.mean(-1)), (Mfcc, lambda frames: frames[..., 0])]
)
def test_a_click_is_heard_in_the_frame_whose_stretch_it_lies_in(kind: type, loudest: object) -> None:
    waveforms = 1e-4 * noise(20, 8_000)
    frames = torch.arange(2, 22)
    waveforms[torch.arange(20), 320 * frames + 160] = 1.0
    assert loudest(kind()(waveforms, 25)).argmax(dim=1).tolist() == frames.tolist()  # type: ignore[operator]


@pytest.mark.parametrize("kind", KINDS)
def test_a_crop_gives_the_same_alone_and_in_mixed_precision(kind: type) -> None:
    waveforms, spectra = noise(3, 8_000), kind()
    with torch.autocast("cpu", torch.bfloat16):
        of_batch = spectra(waveforms, 25)
    assert of_batch.dtype == torch.float32 and not spectra.state_dict()
    torch.testing.assert_close(of_batch[1:2], spectra(waveforms[1:2], 25))
