"""Eight bits: what a training pretends is what is kept, to the last bit, and what torchao would keep as well."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from src.detectors import quantization
from src.detectors.contract import Output
from src.detectors.detector import WEIGHTS, Detector
from src.detectors.int8 import Int8Linear, put_int8_layers, rounded
from src.detectors.lcnn import Lcnn, LcnnConfig
from src.detectors.quantization import convert, dense_layers, prepare
from src.metrics.eer import eer_of
from src.models.contract import Workspace
from src.utils.waveform_table import WaveformTable
from tests.detectors.small_models import noise
from tests.detectors.tiny import TinyConfig, write_clips

pytestmark = pytest.mark.usefixtures("one_thread")
needs_torchao = pytest.mark.skipif(
    quantization.find_spec("torchao") is None, reason="needs torchao: pip install -e '.[quantize]'"
)
WINDOW = 4_000
Tables = tuple[WaveformTable, WaveformTable]


class DenseNetwork(nn.Module):
    """Pieces of the waveform -> two dense layers, the second without a bias -> mean -> logits."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(100, 48)
        self.second = nn.Linear(48, 9, bias=False)
        self.unused = nn.Linear(5, 5)
        self.decide = nn.Linear(9, 2)

    def forward(self, waveforms: torch.Tensor) -> Output:
        pieces = waveforms.unflatten(1, (-1, 100))
        embedding = self.second(torch.relu(self.first(pieces))).mean(dim=1)
        return Output(self.decide(embedding), embedding)


class Dense(Detector):
    """A detector of little but dense layers."""

    Config = TinyConfig

    def build(self) -> nn.Module:
        return DenseNetwork()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    folder = tmp_path_factory.mktemp("clips")
    return write_clips(folder, 8, seed=1), write_clips(folder, 6, seed=2, start=100)


def dense_network() -> DenseNetwork:
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        return DenseNetwork().eval()


def test_rounding_moves_by_half_a_step_at_most_and_every_vector_by_itself() -> None:
    inputs = torch.cat([noise(4, 64), 100 * noise(1, 64, seed=1), torch.zeros(1, 64), noise(1, 64, seed=2).abs() + 5])
    outputs = rounded(inputs)
    low, high = inputs.amin(1).clamp(max=0), inputs.amax(1).clamp(min=0)
    assert torch.all((outputs - inputs).abs().amax(1) <= (high - low) / 510 * 1.001)
    assert all(len(row.unique()) <= 256 for row in outputs)
    assert torch.equal(torch.cat([rounded(row[None]) for row in inputs]), outputs)
    assert torch.equal(outputs[5], inputs[5])


def test_a_layer_in_eight_bits_is_integer_arithmetic() -> None:
    codes = torch.randint(-128, 128, (3, 8), dtype=torch.int8, generator=torch.Generator().manual_seed(0))
    layer = Int8Linear(codes, torch.tensor([[0.5], [0.25], [2.0]]), torch.tensor([1.0, 2.0, 3.0]))
    steps = torch.tensor([[-128, 127, 3, -7, 0, 1, 60, -60]])
    by_hand = (steps @ codes.long().T) * torch.tensor([0.5, 0.25, 2.0]) + torch.tensor([1.0, 2.0, 3.0])
    torch.testing.assert_close(layer(steps.float()), by_hand, rtol=1e-6, atol=0)


@needs_torchao
def test_what_is_trained_what_is_kept_and_what_torchao_keeps_are_equal_bit_for_bit() -> None:
    from torchao.quantization import quantize_

    network, windows = dense_network(), noise(3, WINDOW, seed=4)
    exact = network(windows)
    prepare(network, WINDOW)
    assert set(network.state_dict()) == set(dense_network().state_dict())  # checkpoints keep their names
    pretended = network(windows)
    by_torchao = copy.deepcopy(network)
    quantize_(by_torchao, quantization._config("convert"))
    convert(network)
    for one, other, third in zip(pretended[:2], network(windows)[:2], by_torchao(windows)[:2], strict=True):
        assert torch.equal(one, other)
        assert torch.equal(one, third)
    away = (pretended.embedding - exact.embedding).abs().max() / exact.embedding.abs().max()
    assert 0 < away < 0.02
    assert isinstance(network.first, Int8Linear)
    assert isinstance(network.decide, nn.Linear)  # a decision
    assert isinstance(network.unused, nn.Linear)  # the network does not call it


@needs_torchao
def test_gradients_pass_through_the_rounding() -> None:
    network = dense_network()
    prepare(network, WINDOW)
    network.train()(noise(3, WINDOW)).logits.square().sum().backward()
    assert network.first.weight.grad.abs().sum() > 0


@needs_torchao
def test_a_run_is_kept_in_codes_and_read_back_without_torchao(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = Dense(TinyConfig(epochs=2, quantize="int8"), seed=7)
    detector.workspace = Workspace(tmp_path / "checkpoints")
    history = detector.fit(*tables)
    scores = detector.scores(tables[1].inputs)
    assert eer_of(tables[1].labels, scores) == history.best_eer
    detector.save(tmp_path)
    state = load_file(tmp_path / WEIGHTS)
    assert state["network.first.weight"].dtype == torch.int8
    assert state["network.first.scale"].shape == (48, 1)
    told = detector.compression
    assert told.bytes == (tmp_path / WEIGHTS).stat().st_size
    assert told.parameters == told.parameters_before == sum(each.numel() for each in dense_network().parameters())
    assert detector.n_trained == told.parameters
    assert str(told) == f"Weights on disk: {told.bytes_before / 1e6:.1f} MB -> {told.bytes / 1e6:.1f} MB."
    monkeypatch.setattr(quantization, "find_spec", lambda name: None)
    again = Dense.load(tmp_path, detector.config)
    assert np.array_equal(again.scores(tables[1].inputs), scores)


def test_codes_go_to_layers_alone() -> None:
    network = dense_network()
    codes, scale = torch.zeros(9, 48, dtype=torch.int8), torch.ones(9, 1)
    put_int8_layers(
        network, {"second.weight": codes, "second.scale": scale, "counts": torch.zeros(2, dtype=torch.int8)}
    )
    assert torch.equal(network.second.weight, codes)
    assert network.second.bias is None


def test_what_cannot_be_quantised_is_told(tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(dense_layers(dense_network(), WINDOW)) == {"first", "second"}
    with pytest.raises(ValueError, match="`quantize` must be int8, not 'int4'"):
        TinyConfig(quantize="int4")
    lcnn = Lcnn(LcnnConfig(seconds=1, quantize="int8"))
    monkeypatch.setattr(quantization, "find_spec", lambda name: object())
    with pytest.raises(ValueError, match=r"is for networks of dense layers, and those of this one hold \d+% of its"):
        lcnn.fit(*tables)
    monkeypatch.setattr(quantization, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"torchao, which is not installed: pip install -e '.\[quantize\]', or leave"):
        lcnn.fit(*tables)
