"""Front ends as convolutions give the numbers of the backbones and of Whisper's own extractor, to rounding."""

import numpy as np
import pytest
import torch
import transformers

from src.audio.voices import draw_voice, speak
from src.backbones import load_backbone
from src.backbones.front_ends import front_end
from src.deploy.exporting.frames import OfSpectrum
from src.deploy.exporting.spectra import Features, LogMel, exportable

KINDS = ("lfcc", "mfcc", "logmel", "cqcc")


def speech(seconds: float = 1.3) -> np.ndarray:
    rng = np.random.default_rng(3)
    return speak(draw_voice("F", rng), seconds, rng)


@pytest.mark.parametrize("kind", KINDS)
def test_spectral_backbones_keep_their_numbers(kind: str) -> None:
    backbone, clips = load_backbone(kind), np.stack([speech(), 0.01 * speech()[::-1]])
    (frames,) = OfSpectrum(backbone)(torch.from_numpy(clips))
    for mine, clip in zip(frames.numpy(), clips, strict=True):
        expected = backbone.frames(clip)[0]
        assert mine.shape == expected.shape
        np.testing.assert_allclose(mine.mean(axis=0), expected.mean(axis=0), rtol=1e-6, atol=2e-4)
        np.testing.assert_allclose(mine.std(axis=0), expected.std(axis=0), rtol=1e-6, atol=2e-4)


def test_the_shortest_clip_has_one_frame() -> None:
    for kind in KINDS:
        module = OfSpectrum(load_backbone(kind))
        assert module(torch.from_numpy(speech()[None, : module.min_samples]))[0].shape[1] == 1


def test_log_mel_is_that_of_whispers_extractor() -> None:
    extractor = transformers.WhisperFeatureExtractor(feature_size=80, chunk_length=2)
    clip = speech(2.0)
    expected = extractor(clip, sampling_rate=16_000, return_tensors="pt").input_features
    mine = LogMel(torch.from_numpy(extractor.mel_filters))(torch.from_numpy(clip[None]))
    torch.testing.assert_close(mine, expected, rtol=0, atol=1e-4)


def test_front_ends_inside_a_network_are_replaced() -> None:
    network = torch.nn.Sequential(torch.nn.Sequential(front_end("lfcc")), torch.nn.Flatten())
    clip = torch.from_numpy(speech()[None])
    before = network(clip)
    replaced = exportable(network)
    assert isinstance(replaced.get_submodule("0.0"), Features)
    torch.testing.assert_close(replaced(clip), before, rtol=0, atol=2e-3)
