"""AASIST: the published weights give the published outputs, stage by stage; too little or too strange is refused."""

import json
from pathlib import Path

import pytest
import torch

from src.detectors import detector_class
from src.detectors.aasist import Aasist, AasistConfig, AasistNetwork
from src.detectors.aasist_graphs import Graphs
from src.experiments.training.origin import facts_of
from src.learning.weights import digest_of
from src.models.contract import Workspace
from tests.detectors.networks import (
    SHARED,
    assert_batches_change_nothing,
    golden_window,
    loss_after,
    needs,
    noise,
    parameters_without_gradient,
)
from tests.detectors.tiny import write_clips

PUBLISHED = {"aasist": 297_866, "aasist-l": 85_306, "aasist-asvspoof5": 297_866}
SMALL = AasistConfig(filters=12, first_channels=4, channels=6, graph_size=6, branch_size=5)
N_SHORT = 4 * 2187 + 128
"""Four frames at the end of the encoder."""


def stages_of(network: AasistNetwork, window: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the output of every module on one window, batch axis dropped, under the names of the golden files."""
    stages = {}

    def keep(name: str, output: object) -> None:
        if isinstance(output, Graphs):
            stages.update({f"{name}.{part}": nodes[0] for part, nodes in output._asdict().items()})
        elif isinstance(output, torch.Tensor):
            stages[name] = output[0]

    def before(name: str, inputs: tuple) -> None:
        stages[name] = inputs[0][0]

    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: keep(name, output))
        for name, module in network.named_modules()
    ]
    for name, stage in (("GAT_layer_S", "graph_spectral_input"), ("GAT_layer_T", "graph_temporal_input")):
        module = network.get_submodule(name)
        hooks.append(module.register_forward_pre_hook(lambda _, inputs, name=stage: before(name, inputs)))
    for name in ("pool_S", "pool_T", "pool_hS1", "pool_hT1", "pool_hS2", "pool_hT2"):
        pool = network.get_submodule(name)
        hooks.append(pool.register_forward_pre_hook(lambda _, inputs, name=f"{name} in": before(name, inputs)))
    with torch.no_grad():
        output = network(window)
    for hook in hooks:
        hook.remove()
    stages["front_end"] = torch.nn.functional.selu(stages["first_bn"])
    stages["sinc_convolution"] = stages["sinc"]
    return stages | {"logits": output.logits[0], "last_hidden": output.embedding[0]}


def assert_meets(stage: torch.Tensor, expected: dict, tolerance: dict) -> None:
    assert list(stage.shape) == expected["shape"]
    flat = stage.double().flatten()
    assert flat.norm().item() == pytest.approx(expected["norm"], rel=tolerance["norm"]["rtol"])
    assert flat.mean().item() == pytest.approx(
        expected["mean"], rel=tolerance["mean"]["rtol"], abs=tolerance["mean"]["atol"]
    )
    for name, values in (("first", flat[:4]), ("last", flat[-4:])):
        torch.testing.assert_close(values, torch.tensor(expected[name], dtype=torch.float64), **tolerance["first_last"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights_meet_every_golden_stage(name: str) -> None:
    folder = needs(SHARED / "models" / name)
    golden = json.loads((folder / "golden.json").read_text())
    network = Aasist(AasistConfig(weights=str(folder))).build().eval()
    tolerance = golden["tolerance"]
    for recipe in golden["inputs"]:
        stages = stages_of(network, golden_window(recipe, SHARED / "models"))
        for stage, expected in recipe["stages"].items():
            assert_meets(stages[stage], expected, tolerance)
        assert stages["logits"].tolist() == pytest.approx(recipe["logits"], abs=tolerance["logits"]["atol"])
        hidden = stages["last_hidden"]
        assert hidden[:8].tolist() == pytest.approx(
            recipe["last_hidden"]["first_8"], abs=tolerance["last_hidden"]["atol"]
        )
        assert hidden.norm().item() == pytest.approx(recipe["last_hidden"]["norm"], rel=tolerance["norm"]["rtol"])
        for part, expected in zip(hidden.split(32), recipe["last_hidden"]["parts"].values(), strict=True):
            assert part.norm().item() == pytest.approx(expected["norm"], rel=tolerance["norm"]["rtol"])
        for pool, kept in recipe["kept_nodes"].items():
            _, indices = network.get_submodule(pool).keep(stages[f"{pool} in"][None])
            assert indices.flatten().tolist() == kept


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights_set_the_shape(name: str) -> None:
    folder = needs(SHARED / "models" / name)
    config = AasistConfig(weights=str(folder), learning_rate=3e-4)
    assert config.channels == (24 if name == "aasist-l" else 64)
    assert config.learning_rate == 3e-4
    network = AasistNetwork(config)
    assert sum(p.numel() for p in network.parameters()) == PUBLISHED[name]
    assert len(network.state_dict()) == 229
    again = AasistConfig.from_mapping({**vars(config), "weights": "a folder that is gone"})
    assert AasistNetwork(again).state_dict().keys() == network.state_dict().keys()


def test_shapes_at_the_published_size() -> None:
    network = AasistNetwork(AasistConfig()).eval()
    assert sum(p.numel() for p in network.parameters()) == 297_866
    shapes = {name: tuple(stage.shape) for name, stage in stages_of(network, noise(1, 64_600)).items()}
    assert shapes["sinc"] == (70, 64_472)
    assert shapes["front_end"] == (1, 23, 21_490)
    assert [shapes[f"encoder.{i}"][2] for i in range(6)] == [7163, 2387, 795, 265, 88, 29]
    assert shapes["encoder.5"] == (64, 23, 29)
    assert (shapes["pool_S"], shapes["pool_T"]) == ((11, 64), (20, 64))
    assert shapes["HtrgGAT_layer_ST12.temporal"] == (10, 32)
    assert shapes["HtrgGAT_layer_ST22.spectral"] == (5, 32)
    assert shapes["HtrgGAT_layer_ST22.master"] == (1, 32)
    assert (shapes["last_hidden"], shapes["logits"]) == ((160,), (2,))


def test_a_batch_gives_what_single_windows_give() -> None:
    assert_batches_change_nothing(AasistNetwork(SMALL), N_SHORT)


def test_every_parameter_but_the_unused_norms_learns() -> None:
    torch.manual_seed(7)  # of two branches, whose larger values count, one can be the smaller throughout
    network = AasistNetwork(SMALL)
    # A bias before batch normalisation cannot matter; its gradient is rounding noise, zero or not.
    assert {name for name in parameters_without_gradient(network, N_SHORT) if ".conv1.bias" not in name} == set()
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    assert frozen == {f"encoder.{i}.0.bn1.{part}" for i in range(1, 6) for part in ("weight", "bias")}


def test_learns_eight_windows_by_heart() -> None:
    torch.manual_seed(7)
    assert loss_after(AasistNetwork(SMALL), N_SHORT, steps=80, learning_rate=5e-3) < 0.05


def test_any_length_from_the_field_of_view_on() -> None:
    network = AasistNetwork(SMALL).eval()
    with torch.no_grad():
        assert network(noise(1, 2315)).logits.isfinite().all()
        with pytest.raises(ValueError, match=r"2,314 samples is too short: the network needs 2,315; `seconds` must"):
            network(noise(1, 2314))
    assert Aasist.min_samples == 2315


def test_is_a_row_of_the_table() -> None:
    assert detector_class("aasist") is Aasist
    assert Aasist(SMALL).build().out_layer.in_features == 25


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"taps": 128}, "taps must be an odd number, not 128"),
        ({"filters": 2}, r"filters must lie in \[3, 1024\], not 2"),
        ({"branch_ratio": 0.0}, r"branch_ratio must lie in \[0.01, 1\], not 0"),
        ({"branch_temperature": 0.0}, "branch_temperature must lie in"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 0.95\], not 1"),
        ({"channels": "wide"}, "channels must be a whole number such as"),
        ({"epochs": 0}, "epochs must lie in"),
    ],
)
def test_a_bad_config_is_told(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AasistConfig.from_mapping(values)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of published weights, of a network whose weights are random."""
    from safetensors.torch import save_file

    published = {"architecture": "AASIST", "sinc_filters": 12, "sinc_kernel": 129}
    published |= {"blocks": [[1, 4], [4, 4], [4, 6], [6, 6], [6, 6], [6, 6]], "graph_dims": [6, 5]}
    published |= {f"pool_ratio_{kind}": 0.5 for kind in ("spectral", "temporal", "heterogeneous")}
    published |= {f"temperature_{kind}": 2.0 for kind in ("spectral", "temporal", "heterogeneous")}
    (tmp_path / "config.json").write_text(json.dumps(published))
    save_file(AasistNetwork(SMALL).state_dict(), tmp_path / "model.safetensors")
    return tmp_path


def test_weights_in_a_folder_are_loaded(folder: Path) -> None:
    config = AasistConfig(weights=str(folder))
    assert (config.channels, config.spectral_temperature, config.temporal_ratio) == (6, 2.0, 0.5)
    one, another = Aasist(config).build(), Aasist(config).build()
    assert torch.equal(one.master1, another.master1)
    assert not torch.equal(AasistNetwork(config).master1, one.master1)


def test_a_missing_folder_is_told_when_a_training_starts(folder: Path) -> None:
    config = AasistConfig(weights=str(folder / "gone"))
    with pytest.raises(FileNotFoundError, match=r"gone does not exist: `weights` is the folder of a published AASIST"):
        Aasist(config).build()
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no model.safetensors"):
        Aasist(AasistConfig(weights=str(folder))).build()
    (folder / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no config.json"):
        AasistConfig(weights=str(folder))


def test_a_trained_run_outlives_the_folder_that_it_started_from(folder: Path) -> None:
    detector = Aasist(AasistConfig(weights=str(folder)))
    started = detector.build()
    (folder / "model.safetensors").unlink()
    (folder / "config.json").unlink()
    again = detector.rebuild()
    again.load_state_dict(started.state_dict())
    assert torch.equal(again.master1, started.master1)


def test_a_training_notes_the_weights_that_it_began_with(folder: Path, tmp_path: Path) -> None:
    table = write_clips(tmp_path / "clips", 4, seed=1)
    detector = Aasist(AasistConfig(weights=str(folder), seconds=0.5, epochs=1, batch_size=2))
    detector.workspace = Workspace(tmp_path / "run")
    detector.fit(table, table)
    assert detector.start_digest == digest_of(Aasist(detector.config).build())
    assert facts_of(detector)["start_weights_digest"] == detector.start_digest


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting"),
        ("[]", "indices must be"),
        ("{}", "no 'architecture'"),
        ('{"architecture": "RawNet2", "blocks": []}', "it describes another network"),
        ('{"architecture": "AASIST", "blocks": [[1, 2], 3, 4, 5, 6, 7]}', "cannot unpack"),
    ],
)
def test_another_config_is_told(folder: Path, text: str, reason: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(ValueError, match=rf"config.json is not the shape of a published AASIST \(.*{reason}"):
        AasistConfig(weights=str(folder))


def test_numbers_that_are_none_are_told(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"sinc_filters": 12', '"sinc_filters": "12"'))
    with pytest.raises(ValueError, match=r"a number is none"):
        AasistConfig(weights=str(folder))


def test_damaged_or_other_weights_are_told(folder: Path) -> None:
    from safetensors.torch import save_file

    path = folder / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"model.safetensors cannot be loaded \(.*\): it is damaged or another"):
        Aasist(AasistConfig(weights=str(folder))).build()
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"cannot be loaded \(.*\): it is damaged or another") as told:
        Aasist(AasistConfig(weights=str(folder))).build()
    assert "\n" not in str(told.value)
