"""The Audio Spectrogram Transformer equals transformers' own on the same weights, and takes windows of any length."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ASTConfig, ASTFeatureExtractor, ASTModel

from src.detectors.ast import Ast, AstConfig, AstNetwork, fit_positions

PUBLISHED = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
SMALL = {"dimension": 24, "heads": 2, "layers": 2}
ZERO_FILTER = "mel filter has all zero"


@pytest.fixture
def published(tmp_path: Path) -> tuple[ASTModel, Path]:
    """Return a tiny model for windows of 1.04 s, 102 frames, and the folder where it is saved."""
    model = ASTModel(ASTConfig(**PUBLISHED, max_length=102)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match=ZERO_FILTER):
        ASTFeatureExtractor(max_length=102, mean=-6.8, std=5.6).save_pretrained(tmp_path)
    return model, tmp_path


def build(**given: object) -> AstNetwork:
    network = Ast(AstConfig(**given)).build()
    assert isinstance(network, AstNetwork)
    return network.eval()


def test_published_weights_give_the_published_embedding(published: tuple[ASTModel, Path]) -> None:
    """From the waveform on, through transformers' own extractor and model."""
    model, folder = published
    waveform = (0.1 * np.random.default_rng(0).standard_normal(400 + 101 * 160)).astype(np.float32)
    with pytest.warns(UserWarning, match=ZERO_FILTER):
        extractor = ASTFeatureExtractor.from_pretrained(folder)
    inputs = extractor(waveform, sampling_rate=16_000, return_tensors="pt")["input_values"]
    with torch.inference_mode():
        expected = model(inputs).pooler_output
        found = build(**SMALL, seconds=1.035, weights=str(folder))(torch.from_numpy(waveform)[None]).embedding
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_published_positions_are_cut_for_shorter_windows(published: tuple[ASTModel, Path]) -> None:
    """A network made for 5 patches along time takes the middle 5 of the 9 that were published."""
    model, folder = published
    positions = build(**SMALL, seconds=0.575, weights=str(folder)).embeddings.position_embeddings[0, 2:]
    wanted = model.embeddings.position_embeddings[0, 2:].view(12, 9, 24)[:, 2:7]
    assert torch.equal(positions.view(12, 5, 24), wanted)


def test_the_normalisation_of_published_weights_is_read_back(published: tuple[ASTModel, Path]) -> None:
    trained = build(**SMALL, seconds=1.035, weights=str(published[1]))
    restored = AstNetwork(AstConfig(**SMALL, seconds=1.035)).eval()
    restored.load_state_dict(trained.state_dict())
    assert float(restored.front_end.mean) == -6.8
    waveforms = torch.randn(2, 16_000)
    assert torch.equal(restored(waveforms).logits, trained(waveforms).logits)


def test_weights_of_another_shape_are_refused_with_what_to_set(published: tuple[ASTModel, Path]) -> None:
    with pytest.raises(ValueError, match=r"of another shape; set dimension=24, heads=2\.$"):
        build(dimension=48, heads=3, layers=2, weights=str(published[1]))


def test_weights_that_are_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no model folder"):
        build(**SMALL, weights=str(tmp_path / "absent"))


def test_positions_are_cut_from_the_middle_or_interpolated_along_time() -> None:
    rows = torch.arange(12.0)[:, None] * 100
    plane = (rows + torch.arange(9.0)).flatten()[None, :, None]
    positions = torch.cat([torch.tensor([[[-1.0], [-2.0]]]), plane], dim=1)
    for p, along_time in [(9, range(9)), (4, range(2, 6)), (17, None)]:
        fitted = fit_positions(positions, p)
        assert fitted[0, :2, 0].tolist() == [-1.0, -2.0]
        found = fitted[0, 2:, 0].view(12, p) - rows
        torch.testing.assert_close(found, found[:1].expand(12, p), atol=1e-3, rtol=0)  # all rows alike
        if along_time:
            assert found[0].tolist() == list(along_time)
        else:
            assert found[0].diff().min() >= 0
            assert (float(found[0, 0]), float(found[0, -1])) == (0.0, 8.0)


def test_shapes_at_every_stage() -> None:
    """Of the default shape and a window of 4 s, as docs/models.md gives them."""
    network = build()
    waveforms = torch.randn(2, 64_000)
    spectrograms = network.front_end(waveforms)
    assert spectrograms.shape == (2, 398, 128)
    assert network.embeddings.patch_embeddings(spectrograms).shape == (2, 12 * 39, 192)
    embedded = network.embed(spectrograms)
    assert embedded.shape == (2, 470, 192)
    assert network.encoder(embedded).last_hidden_state.shape == (2, 470, 192)
    assert network(waveforms).embedding.shape == (2, 192)


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_base_shape_has_the_weights_of_the_published_model() -> None:
    """ASTModel of MIT/ast-finetuned-audioset-10-10-0.4593: 86.2 million, without its classifier."""
    with torch.device("meta"):
        published = ASTModel(ASTConfig())
    base = AstNetwork(AstConfig(dimension=768, heads=12, layers=12, seconds=10.255))
    head = 2 * 768 + 2 * 768 + 2
    assert count(base) - head == count(published) == 86_187_264


def test_the_number_of_weights_follows_the_formula() -> None:
    d = 192
    layer = 4 * (d * d + d) + (4 * d * d + 4 * d) + (4 * d * d + d) + 4 * d
    outside = (256 * d + d) + (2 + 2 + 12 * 39) * d + 2 * d
    assert count(AstNetwork(AstConfig())) == outside + 4 * layer + 2 * d + 2 * d + 2


def test_a_trained_run_is_read_without_the_published_weights(published: tuple[ASTModel, Path], tmp_path: Path) -> None:
    config = AstConfig(**SMALL, seconds=0.575, weights=str(published[1]))
    trained = Ast(config)
    trained.trained = trained._untrained()
    (tmp_path / "run").mkdir()
    trained.save(tmp_path / "run")
    restored = Ast.load(tmp_path / "run", replace(config, weights=str(tmp_path / "gone")))
    for (name, before), after in zip(
        trained.trained.state_dict().items(), restored.trained.state_dict().values(), strict=True
    ):
        assert torch.equal(before, after), name
