import numpy as np
import pytest
import torch

from src.audio.vocoders.compiled import load_librosa
from src.backbones import load_backbone
from src.backbones.front_ends import FRONT_ENDS, delta, front_end
from src.backbones.lfcc import lfcc
from src.backbones.mel import mel_filters

FEATURES = {"lfcc": 120, "mfcc": 120, "logmel": 80, "cqcc": 90}


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return noise of a tenth of full scale."""
    return torch.from_numpy(0.1 * np.random.default_rng(seed).standard_normal(shape)).float()


def centred_spectrum(waveform: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Return librosa's power spectrum of the same frames, (257, t); it centres the window in its 512 samples."""
    librosa = load_librosa()
    margin = (512 - len(window)) // 2
    spectrum = librosa.stft(
        np.pad(waveform, margin), n_fft=512, hop_length=160, win_length=len(window), window=window, center=False
    )
    power: np.ndarray = np.abs(spectrum) ** 2
    return power


@pytest.mark.parametrize("kind", FRONT_ENDS)
def test_features_are_those_of_the_backbone(kind: str) -> None:
    clips, backbone = noise(3, 16_000), load_backbone(kind)
    expected = np.concatenate([backbone.frames(clip.numpy()) for clip in clips]).transpose(0, 2, 1)
    np.testing.assert_allclose(front_end(kind)(clips), expected, rtol=0, atol=1e-3)
    np.testing.assert_allclose(front_end(kind, torch.float64)(clips), expected, rtol=1e-6, atol=1e-6)


def test_lfcc_are_those_of_the_definition() -> None:
    clip = noise(16_000)
    found = front_end("lfcc", torch.float64)(clip[None])[0]
    np.testing.assert_allclose(found, lfcc(clip.numpy()).T, rtol=0, atol=1e-11)


def test_log_mel_energies_are_those_of_librosa() -> None:
    librosa = load_librosa()
    clip = noise(16_000).double()
    filters = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=80, htk=True, norm=None, dtype=np.float64)
    np.testing.assert_allclose(mel_filters(80), filters, atol=1e-9)
    window = librosa.filters.get_window("hann", 400)
    expected = np.log(filters @ centred_spectrum(clip.numpy(), window) + 1e-10)
    np.testing.assert_allclose(front_end("logmel", torch.float64)(clip[None])[0], expected, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(front_end("logmel")(clip[None])[0], expected, rtol=0, atol=1e-3)


def test_mfcc_are_those_put_together_from_librosa() -> None:
    librosa = load_librosa()
    clip = noise(8000).double()
    emphasised = librosa.effects.preemphasis(clip.numpy(), coef=0.97, zi=[0.0])
    filters = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=40, htk=True, norm=None, dtype=np.float64)
    energies = np.log(filters @ centred_spectrum(emphasised, np.hamming(320)) + 1e-10)
    cepstra = librosa.feature.mfcc(S=energies, n_mfcc=40, dct_type=2, norm="ortho")
    deltas = librosa.feature.delta(cepstra, width=3, mode="nearest")
    doubles = librosa.feature.delta(deltas, width=3, mode="nearest")
    expected = np.vstack([cepstra, deltas, doubles])
    np.testing.assert_allclose(front_end("mfcc", torch.float64)(clip[None])[0], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", FRONT_ENDS)
@pytest.mark.parametrize("samples", [1, 319, 480, 16_000])
def test_shapes(kind: str, samples: int) -> None:
    module = front_end(kind)
    features = module(noise(2, samples))
    frames = 1 + max(0, samples - module.min_samples) // 160
    assert features.shape == (2, FEATURES[kind], frames)
    assert features.dtype == torch.float32
    assert module.n_features == FEATURES[kind]


@pytest.mark.parametrize("kind", FRONT_ENDS)
def test_nothing_is_learnt_or_stored(kind: str) -> None:
    module = front_end(kind)
    assert not list(module.parameters())
    assert not module.state_dict()


@pytest.mark.parametrize("kind", FRONT_ENDS)
def test_a_clip_does_not_depend_on_the_others_of_its_batch(kind: str) -> None:
    module, clips = front_end(kind), noise(4, 8000)
    clips[1] = 0
    together = module(clips)
    for clip, features in zip(clips, together, strict=True):
        np.testing.assert_allclose(module(clip[None])[0], features, rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", FRONT_ENDS)
def test_digital_silence_gives_numbers_and_gradients(kind: str) -> None:
    clip = torch.zeros(1, 4000, requires_grad=True)
    features = front_end(kind)(clip)
    features.sum().backward()
    assert features.isfinite().all()
    assert clip.grad is not None
    assert clip.grad.isfinite().all()


@pytest.mark.parametrize("kind", FRONT_ENDS)
def test_gradients_are_those_of_differences(kind: str) -> None:
    module = front_end(kind, torch.float64)
    clip = noise(1, 700).double().requires_grad_()
    weights = noise(*module(clip).shape, seed=1).double()

    def loss(waveform: torch.Tensor) -> torch.Tensor:
        return (module(waveform) * weights).sum()

    (slope,) = torch.autograd.grad(loss(clip), clip)
    step = 1e-6 * noise(1, 700, seed=2).double()
    with torch.no_grad():
        difference = loss(clip + step) - loss(clip - step)
    np.testing.assert_allclose(difference / 2, (slope * step).sum().detach(), rtol=1e-5)


@pytest.mark.parametrize("kind", FRONT_ENDS)
def test_mixed_precision_around_a_front_end_changes_nothing(kind: str) -> None:
    module, clip = front_end(kind), noise(1, 4000)
    with torch.autocast("cpu", torch.bfloat16):
        inside = module(clip.bfloat16().float())
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, module(clip.bfloat16().float()), rtol=0, atol=0)


def test_deltas_of_a_straight_line_are_its_slope_but_at_the_ends() -> None:
    assert delta(3.0 * torch.arange(6)[None, None]).flatten().tolist() == [1.5, 3, 3, 3, 3, 1.5]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="Unknown front end 'plp'; allowed: lfcc, mfcc, logmel, cqcc"):
        front_end("plp")
