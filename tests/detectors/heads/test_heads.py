"""Heads: shapes, sizes, and what padding must not change."""

import math

import pytest
import torch
from torch import nn

from src.detectors.contract import Output
from src.detectors.heads import HEADS, HeadShape
from src.detectors.heads.adapter import Adapter
from src.detectors.heads.attentive import Attentive
from src.detectors.heads.frame import Frame, Standardise
from src.detectors.heads.linear import Linear
from src.detectors.heads.pooling import LayerMix, logits_of
from src.utils.registry import lookup
from tests.detectors.small_models import noise

B, T, D, LAYERS = 3, 7, 16, 4
SHAPE = HeadShape(dimension=D, n_layers=LAYERS, size=6, attention_heads=2, dropout=0.5)
EMBEDDINGS = {"linear": D, "adapter": 6, "attentive": 6, "frame": 6}
TRUE_SIZES = {"linear": 1_538, "adapter": 296_065, "attentive": 725_404, "frame": 393_858}


def head_of(name: str) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        head: nn.Module = lookup(HEADS, name, "head")(SHAPE)
    return head.eval()


def decide(head: nn.Module, hidden: list[torch.Tensor], valid: torch.Tensor | None = None) -> Output:
    output: Output = head(hidden if head.takes_layers else hidden[-1], valid)
    return output


def states(n_frames: int = T, seed: int = 0) -> list[torch.Tensor]:
    return list(noise(LAYERS, B, n_frames, D, seed=seed))


@pytest.mark.parametrize("name", HEADS)
def test_shapes_and_gradients(name: str) -> None:
    head = head_of(name).train()
    hidden = [layer.requires_grad_() for layer in states()]
    output = decide(head, hidden)
    assert output.logits.shape == (B, 2)
    assert output.embedding.shape == (B, EMBEDDINGS[name])
    assert (output.frame_logits is not None) == (name == "frame")
    nn.functional.cross_entropy(output.logits, torch.tensor([0, 1, 1])).backward()
    for parameter_name, parameter in head.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name
    assert [layer.grad is not None for layer in hidden] == [head.takes_layers] * (LAYERS - 1) + [True]


@pytest.mark.parametrize("name", HEADS)
def test_frames_that_are_not_valid_change_nothing(name: str) -> None:
    head, hidden = head_of(name), states()
    lengths = torch.tensor([7, 4, 1])
    valid = torch.arange(T) < lengths[:, None]
    found = decide(head, [layer.masked_fill(~valid[..., None], 1e4) for layer in hidden], valid)
    for clip, length in enumerate(lengths):
        alone = decide(head, [layer[clip : clip + 1, :length] for layer in hidden])
        torch.testing.assert_close(found.logits[clip], alone.logits[0])
        torch.testing.assert_close(found.embedding[clip], alone.embedding[0])


@pytest.mark.parametrize("name", HEADS)
def test_number_of_parameters_on_wav2vec2_base(name: str) -> None:
    shape = HeadShape(dimension=768, n_layers=13, size=128, attention_heads=32, dropout=0.1)
    with torch.device("meta"):
        head = lookup(HEADS, name, "head")(shape)
    assert sum(each.numel() for each in head.parameters()) == TRUE_SIZES[name]


def test_linear_is_a_dense_layer_on_the_mean() -> None:
    head, frames = Linear(SHAPE).eval(), states()[-1]
    wanted = frames.mean(dim=1) @ head.dense.weight.T + head.dense.bias
    torch.testing.assert_close(head(frames).logits, wanted)


def test_one_output_stands_for_two_logits() -> None:
    log_odds = torch.tensor([-3.0, 0.0, 1.5])
    logits, labels = logits_of(log_odds), torch.tensor([0, 1, 1])
    torch.testing.assert_close(logits.softmax(dim=1)[:, 1], log_odds.sigmoid())
    torch.testing.assert_close(
        nn.functional.cross_entropy(logits, labels),
        nn.functional.binary_cross_entropy_with_logits(log_odds, labels.float()),
    )


def test_adapter_against_the_steps_of_the_card() -> None:
    head, frames = Adapter(SHAPE).eval(), states()[-1]
    down, up = head.adapter[0], head.adapter[3]
    adapted = torch.stack([up(down(frame).clamp(min=0)) for frame in frames.transpose(0, 1)])
    hidden = head.hidden[0](adapted.mean(dim=0)).clamp(min=0)
    z = head.decide(hidden)[:, 0]
    torch.testing.assert_close(head(frames).logits, torch.stack([-z / 2, z / 2], dim=1))


def test_factorised_attention_against_plain_loops() -> None:
    head, hidden = Attentive(SHAPE).eval(), states()
    for mix, seed in ((head.mix_keys, 1), (head.mix_values, 2)):
        mix.logits.data = noise(LAYERS, seed=seed)
    shares = [[math.exp(float(each)) for each in mix.logits.detach()] for mix in (head.mix_keys, head.mix_values)]
    for clip in range(B):
        keys, values = (
            [sum(w / sum(weights) * hidden[n][clip, t] for n, w in enumerate(weights)) for t in range(T)]
            for weights in shares
        )
        means = []
        for query in head.queries.weight:
            heights = [math.exp(float((query @ (head.keys.weight @ key)).detach())) for key in keys]
            parts = [h / sum(heights) * (head.values.weight @ v) for h, v in zip(heights, values, strict=True)]
            means.append(sum(parts))
        embedding = head.embed(torch.cat(means))
        torch.testing.assert_close(head(hidden).embedding[clip], embedding)
        torch.testing.assert_close(head(hidden).logits[clip], head.decide(embedding))


def test_a_layer_mix_begins_as_the_mean_and_is_a_weighted_sum() -> None:
    mix, hidden = LayerMix(LAYERS), states()
    torch.testing.assert_close(mix(hidden), torch.stack(hidden).mean(dim=0))
    mix.logits.data = torch.tensor([0.0, 1.0, 2.0, -1.0])
    wanted = torch.einsum("l,lbtd->btd", mix.weights(), torch.stack(hidden))
    torch.testing.assert_close(mix(hidden), wanted)
    assert float(mix.weights().sum().detach()) == pytest.approx(1)


def test_a_layer_mix_may_see_layers_of_any_scale_alike() -> None:
    mix, hidden = LayerMix(LAYERS, normalise=True), states()
    shifted = [layer * 10**number + number for number, layer in enumerate(hidden)]
    torch.testing.assert_close(mix(shifted), mix(hidden), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(mix(hidden)[0, 0].mean(), torch.tensor(0.0), rtol=0, atol=1e-6)


def test_frames_are_standardised_by_what_is_valid_and_in_tests_by_the_training() -> None:
    standardise, frames = Standardise(D), noise(B, T, D) * 5 + 3
    valid = torch.arange(T) < torch.tensor([7, 4, 1])[:, None]
    frames[~valid] = 1e6
    for _ in range(200):
        found = standardise.train()(frames, valid)
    kept = found[valid]
    torch.testing.assert_close(kept.mean(dim=0), torch.zeros(D), rtol=0, atol=1e-5)
    torch.testing.assert_close(kept.var(dim=0, unbiased=False), torch.ones(D), rtol=1e-4, atol=1e-4)
    assert (found[~valid] == 0).all()
    expected = (frames[valid] - frames[valid].mean(dim=0)) / frames[valid].std(dim=0)
    torch.testing.assert_close(standardise.eval()(frames, valid)[valid], expected, rtol=1e-3, atol=1e-3)
    assert standardise.train()(frames[2:], valid[2:]).isfinite().all()  # one frame has no variance
    alone, together = standardise.eval()(frames[2:], valid[2:]), standardise.eval()(frames, valid)[2:]
    torch.testing.assert_close(alone, together)  # nor does it need one in a test


def test_a_decision_looks_a_quarter_of_a_second_to_each_side() -> None:
    head, frames = Frame(SHAPE).eval(), noise(100, 61, D).requires_grad_()  # of a single clip, ReLUs may hide a frame
    found = head(frames).frame_logits
    assert found is not None
    found[:, 30].sum().backward()
    seen = torch.nonzero(frames.grad.abs().sum(dim=(0, 2)))[:, 0]  # type: ignore[union-attr]
    assert (int(seen.min()), int(seen.max())) == (30 - 12, 30 + 12)


def z_of(frame_odds: list[float]) -> float:
    """Return the log-odds of a clip whose frames have these."""
    head = Frame(HeadShape(dimension=1, n_layers=1, size=1, attention_heads=1, dropout=0)).eval()
    nn.init.ones_(head.hidden[0].weight)
    nn.init.constant_(head.hidden[0].bias, 50)  # the ReLU lets all through
    for convolution in head.context:
        nn.init.zeros_(convolution.weight)
        nn.init.zeros_(convolution.bias)
    head.decide.weight.data = torch.tensor([[0.0], [1.0]])
    head.decide.bias.data = torch.tensor([50.0, 0.0])
    logits = head(torch.tensor(frame_odds)[None, :, None]).logits[0].detach()
    return float(logits[1] - logits[0])


def test_a_clip_is_about_as_spoofed_as_its_worst_stretch() -> None:
    assert z_of([3.0] * 9) == pytest.approx(3, abs=1e-4)
    worst = z_of([8.0] * 90 + [-8.0] * 10)
    assert worst == pytest.approx(-8 + math.log(10), abs=1e-3)
    odds = [float(each) for each in noise(20)]
    assert min(odds) < z_of(odds) < sum(odds) / 20
    for place in range(20):  # no frame makes a clip more suspicious by being less so
        assert z_of([*odds[:place], odds[place] + 1, *odds[place + 1 :]]) > z_of(odds)
