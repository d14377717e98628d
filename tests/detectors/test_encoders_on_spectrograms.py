"""What conformer, performer and AST have in common: shapes, one clip like a batch of them, gradients, learning."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from src.detectors import detector_class
from src.detectors.contract import DetectorConfig, Output

SMALL = {
    "conformer": {"dimension": 24, "heads": 2, "layers": 2, "kernel": 7},
    "performer": {"dimension": 24, "heads": 2, "layers": 2, "features": 32},
    "ast": {"dimension": 24, "heads": 2, "layers": 2, "seconds": 1.0},
}
EMBEDDING = {"conformer": 48, "performer": 48, "ast": 24}


@pytest.fixture(params=SMALL)
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        yield request.param


def config_of(name: str, **more: object) -> DetectorConfig:
    return detector_class(name).Config(**{**SMALL[name], **more})


def build(name: str, **more: object) -> nn.Module:
    return detector_class(name)(config_of(name, **more)).build()


def windows(n_clips: int = 8, seconds: float = 1.0) -> tuple[Tensor, Tensor]:
    """Return noise through a comb filter (spoof, label 0) and plain noise (bona fide, label 1), in turn."""
    noise = 0.1 * torch.randn(n_clips, int(16_000 * seconds), generator=torch.Generator().manual_seed(3))
    labels = torch.arange(n_clips) % 2
    return torch.where(labels[:, None] == 1, noise, noise + noise.roll(40, dims=1)), labels


def test_windows_become_logits_and_an_embedding(name: str) -> None:
    output = build(name)(windows(3)[0])
    assert isinstance(output, Output)
    assert output.logits.shape == (3, 2)
    assert output.embedding.shape == (3, EMBEDDING[name])
    assert output.frame_logits is None


def test_a_window_scores_the_same_alone_and_in_a_batch(name: str) -> None:
    network, (waveforms, _) = build(name).eval(), windows(4)
    with torch.inference_mode():
        together = network(waveforms).logits
        alone = torch.cat([network(waveform[None]).logits for waveform in waveforms])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_windows_of_any_length_will_do(name: str) -> None:
    network = build(name).eval()
    for seconds in (0.3, 1.0, 2.2):
        assert network(windows(2, seconds)[0]).logits.isfinite().all()


def test_gradients_reach_all_weights(name: str) -> None:
    network, (waveforms, labels) = build(name), windows()
    nn.functional.cross_entropy(network(waveforms).logits, labels).backward()
    for weight, parameter in network.named_parameters():
        assert parameter.grad is not None, weight
        assert parameter.grad.isfinite().all(), weight
        if not weight.endswith(("k_proj.bias", "key.bias")):  # softmax does not depend on it
            assert (parameter.grad != 0).any(), weight


def test_silence_has_finite_gradients(name: str) -> None:
    network = build(name)
    network(torch.zeros(2, 16_000)).logits.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_it_learns_eight_windows_by_heart(name: str) -> None:
    network, (waveforms, labels) = build(name, dropout=0.0), windows()
    steps = torch.optim.AdamW(network.parameters(), lr=2e-3)
    for _ in range(60):
        loss = nn.functional.cross_entropy(network(waveforms).logits, labels)
        steps.zero_grad()
        loss.backward()
        steps.step()
        if loss < 0.05:
            break
    assert loss < 0.05
    assert torch.equal(network.eval()(waveforms).logits.argmax(dim=1), labels)


def test_computing_activations_again_changes_no_gradient(name: str) -> None:
    waveforms, labels = windows(4)
    kept, again = (build(name, checkpointing=checkpointing, dropout=0.0) for checkpointing in (False, True))
    again.load_state_dict(kept.state_dict())
    gradients = []
    for network in (kept, again):
        with torch.random.fork_rng():  # for SpecAugment
            nn.functional.cross_entropy(network(waveforms).logits, labels).backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in network.parameters()]))
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-6, rtol=1e-4)


def test_mixed_precision_gives_nearly_the_same(name: str) -> None:
    network, (waveforms, _) = build(name).eval(), windows(2)
    with torch.inference_mode():
        exact = network(waveforms).embedding
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = network(waveforms).embedding
    torch.testing.assert_close(rounded.float(), exact, atol=0.1, rtol=0.1)


def test_weights_read_into_another_network_give_the_same_scores(name: str) -> None:
    first, second, (waveforms, _) = build(name).eval(), build(name).eval(), windows(2)
    assert not torch.equal(first(waveforms).logits, second(waveforms).logits)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(waveforms).logits, second(waveforms).logits)


def test_windows_that_are_too_short_are_refused_in_one_line(name: str) -> None:
    shortest = detector_class(name).min_samples
    network = build(name).eval()
    assert network(torch.randn(1, shortest)).logits.isfinite().all()
    with pytest.raises(ValueError, match=f"at least {shortest} samples .* not {shortest - 1}") as refused:
        network(torch.zeros(1, shortest - 1))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"dimension": 25}, r"dimension must be .*a multiple of heads \(2\), not 25"),
        ({"heads": 0}, r"heads must lie in \[1, 64\], not 0"),
        ({"layers": 0}, r"layers must lie in \[1, 64\], not 0"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 0.9\], not 1"),
        ({"epochs": 0}, "epochs must lie in"),
    ],
)
def test_wrong_hyperparameters_are_refused(name: str, given: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        config_of(name, **given)


def test_a_study_chooses_configs_that_can_be_built(name: str) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=7))
    chosen = [detector_class(name).Config.search_space(study.ask(), n_clips=230) for _ in range(4)]
    assert len({config.learning_rate for config in chosen}) == 4
    assert all(type(config).from_mapping(vars(config)) == config for config in chosen)
