import pytest
import torch

from src.detectors.masking import SpecAugment


def hidden(bands: int, frames: int, *, n_clips: int = 400, n_bands: int = 20, n_frames: int = 50) -> torch.Tensor:
    """Return which of the features are masked: all differ from their band's mean, which is 0."""
    torch.manual_seed(1)
    features = torch.linspace(-1, 1, n_frames).repeat(n_clips, n_bands, 1)
    return SpecAugment(bands, frames)(features).abs() < 1e-6


def runs(places: torch.Tensor) -> torch.Tensor:
    """Return how many stretches there are in each row."""
    return (places.int().diff(dim=1, prepend=torch.zeros(len(places), 1)) == 1).sum(dim=1)


def test_one_band_of_up_to_so_many_features_is_hidden_in_all_frames() -> None:
    masked = hidden(5, 0)
    assert (masked.all(dim=2) == masked.any(dim=2)).all()
    widths = masked[:, :, 0].sum(dim=1)
    assert widths.unique().tolist() == [0, 1, 2, 3, 4, 5]
    assert (runs(masked[:, :, 0]) <= 1).all()
    assert masked[:, :, 0].any(dim=0).all(), "every feature is hidden in some clip"


def test_one_stretch_of_up_to_so_many_frames_is_hidden_in_all_features() -> None:
    masked = hidden(0, 7)
    assert (masked.all(dim=1) == masked.any(dim=1)).all()
    assert masked[:, 0].sum(dim=1).unique().tolist() == list(range(8))
    assert (runs(masked[:, 0]) <= 1).all()
    assert masked[:, 0].any(dim=0).all(), "every frame is hidden in some clip"


def test_masked_values_are_the_mean_of_their_band_and_no_other_value_changes() -> None:
    torch.manual_seed(0)
    features = torch.randn(8, 20, 50)
    masked = SpecAugment(6, 10)(features)
    changed = masked != features
    assert changed.any()
    assert torch.equal(masked[changed], features.mean(dim=2, keepdim=True).expand_as(features)[changed])


def test_a_mask_as_wide_as_the_features_fits() -> None:
    assert hidden(50, 0)[:, :, 0].sum(dim=1).max() == 20


@pytest.mark.parametrize(("bands", "frames", "training"), [(0, 0, True), (5, 5, False)])
def test_features_pass_in_evaluation_and_with_zeros(bands: int, frames: int, training: bool) -> None:
    features = torch.randn(2, 20, 50)
    before = torch.get_rng_state()
    assert SpecAugment(bands, frames).train(training)(features) is features
    assert torch.equal(torch.get_rng_state(), before)


def test_draws_follow_torchs_seed() -> None:
    features = torch.randn(2, 20, 50)
    masking = SpecAugment(5, 5)
    drawn = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        drawn.append(masking(features))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_gradients_flow_through_what_is_not_hidden() -> None:
    features = torch.randn(2, 20, 50, requires_grad=True)
    SpecAugment(5, 5)(features).sum().backward()
    assert features.grad is not None
    assert (features.grad > 0).any()
