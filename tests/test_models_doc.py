"""docs/models.md says what the networks are: every model is in it, and shapes and numbers are those of the networks."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from src.backbones import BACKBONES, load_backbone
from src.backbones.front_ends import FRONT_ENDS, front_end
from src.backbones.published import FAMILIES
from src.backbones.yamnet_network import YamnetLayers, YamnetPatches
from src.detectors import DETECTORS
from src.detectors.fine_tuned import FineTunedConfig
from src.detectors.heads import HEADS
from src.models import CLASSIFIERS, FUSIONS, classifier_class
from src.models.mlp.mlp_model import MlpConfig
from src.models.mlp.network import Network
from src.tasks.detectors import parse_settings
from tests import measured
from tests.models_document import Row, number, rounded, shape_of, stages, table, tables, text_of

ROOT = Path(__file__).resolve().parents[1]


def assert_stages(rows: list[Row], network: torch.nn.Module, inputs: Any) -> None:
    found = measured.shapes(network, inputs)
    for row in rows:
        times, shape = shape_of(row["shape"], 2)
        name = row["module"].strip("`")
        assert name or row is rows[0], f"{row['stage']}: only what goes in has no module"
        assert found[name] == shape, row
        assert times == (len(inputs) if isinstance(inputs, list) and not name else 1), row


@pytest.mark.parametrize(
    ("first", "registry"),
    [
        ("backbone", BACKBONES),
        ("classifier", CLASSIFIERS),
        ("detector", DETECTORS),
        ("head", HEADS),
        ("fusion", FUSIONS),
    ],
)
def test_every_model_is_explained_once(first: str, registry: dict[str, str]) -> None:
    (explained,) = (rows for rows in tables() if next(iter(rows[0])) == first and "when to use it" in rows[0])
    assert sorted(row[first] for row in explained) == sorted(registry)
    for row in explained:
        assert all(cell for name, cell in row.items() if name != "paper"), row


# ---- backbones

SIZES = [(family, size) for family in FAMILIES for size in FAMILIES[family].sizes]


def test_every_size_of_every_backbone_is_listed() -> None:
    listed = [
        (row["backbone"], row["size"]) for row in table("backbone", "size", "parameters", "multiply-adds", "frames")
    ]
    assert listed == [*SIZES, *((name, "") for name in [*FRONT_ENDS, "yamnet"])]


def size_row(name: str, size: str) -> Row:
    rows = table("backbone", "size", "parameters", "multiply-adds", "frames")
    (row,) = (row for row in rows if (row["backbone"], row["size"]) == (name, size))
    return row


@pytest.mark.parametrize(("family", "size"), SIZES)
def test_sizes_of_pretrained_models(family: str, size: str) -> None:
    row, model = size_row(family, size), measured.pretrained(family, size)
    inputs = measured.input_of(family)
    assert number(row["parameters"]) == measured.parameters(model)
    assert row["multiply-adds"] == rounded(measured.multiply_adds(model, inputs) / measured.seconds_of(family))
    n_layers, (_, n_frames, width) = shape_of(row["frames"], 2)
    about = FAMILIES[family].sizes[size]
    assert (n_layers - 1, width) == (about[FAMILIES[family].depth], about[FAMILIES[family].width])
    assert n_frames == measured.frames_of_clip(family, size, 64_000)


@pytest.mark.parametrize("kind", FRONT_ENDS)
def test_sizes_of_spectral_features(kind: str) -> None:
    row = size_row(kind, "")
    module = front_end(kind)
    assert number(row["parameters"]) == measured.parameters(module) == 0
    assert row["multiply-adds"] == rounded(measured.multiply_adds(module, torch.zeros(1, 64_000)) / 4)
    frames = load_backbone(kind).frames(np.random.default_rng(7).uniform(-0.5, 0.5, 64_000).astype(np.float32))
    n_layers, shape = shape_of(row["frames"], 2)
    assert frames.shape == (n_layers, *shape[1:])


def test_size_of_yamnet() -> None:
    row = size_row("yamnet", "")
    network = YamnetPatches(YamnetLayers()).eval().requires_grad_(False)
    assert number(row["parameters"]) == measured.parameters(network)
    assert row["multiply-adds"] == rounded(measured.multiply_adds(network, torch.zeros(1, 64_000)) / 4)
    n_layers, shape = shape_of(row["frames"], 2)
    assert network(torch.zeros(2, 64_000)).shape == (n_layers, *shape)


@pytest.mark.parametrize("name", stages("backbone"))
def test_stages_of_backbones(name: str) -> None:
    rows = stages("backbone")[name]
    if name in FRONT_ENDS:
        assert_stages(rows, front_end(name), torch.zeros(2, 64_000))
    elif name == "yamnet":
        assert_stages(rows, YamnetPatches(YamnetLayers()).eval(), torch.zeros(2, 64_000))
    elif name == "wav2vec2, pretraining":
        from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining

        network = Wav2Vec2ForPreTraining(Wav2Vec2Config(num_hidden_layers=1)).eval()
        assert_stages(rows, network, torch.zeros(2, 64_000))
    else:
        network = measured.pretrained(name, "large" if name == "wav2vec2-bert" else "base")
        assert_stages(rows, network, measured.input_of(name))


def test_default_models_are_named() -> None:
    text = text_of()
    for about in FAMILIES.values():
        assert about.default in text


# ---- classifiers and fusion


def test_the_perceptron_has_as_many_parameters() -> None:
    (row,) = (row for row in table("classifier", *CLASSIFIER_COLUMNS) if row["classifier"] == "mlp")
    plain, mixed = (measured.parameters(Network(shape, MlpConfig())) for shape in ((768,), (13, 768)))
    assert row["parameters"] == f"{plain:,}; with a mix of 13 layers {mixed:,}"


CLASSIFIER_COLUMNS = ("what it is and its defaults", "parameters", "when to use it", "paper")


def test_defaults_of_classifiers() -> None:
    for row in table("classifier", *CLASSIFIER_COLUMNS):
        named = re.findall(r"`(\w+)=([\w.]+)`", row["what it is and its defaults"])
        config = classifier_class(row["classifier"]).Config()
        assert named, row
        for name, value in named:
            assert str(getattr(config, name)) == value, row
        assert getattr(config, "class_weight", "balanced") == "balanced"


def test_linear_classifiers_and_trees() -> None:
    rows = {row["classifier"]: row["parameters"] for row in table("classifier", *CLASSIFIER_COLUMNS)}
    assert rows["lr"] == str(768 + 1)
    boosted = classifier_class("gb").Config()
    assert rows["gb"] == f"at most {boosted.n_estimators * boosted.max_leaf_nodes:,} leaves"  # type: ignore[attr-defined]


def test_a_fusion_has_a_weight_for_each_run_and_an_intercept() -> None:
    from src.models.fusion.fusion_model import fit_weights

    (row,) = table("fusion", "what it is", "parameters", "when to use it", "paper")
    rng = np.random.default_rng(7)
    labels = np.arange(40) % 2
    weights, intercept = fit_weights(labels, rng.standard_normal((40, 3)) + labels[:, None], 1.0)
    assert row["parameters"] == f"{len(weights)} weights and {np.size(intercept)} intercept for k = {len(weights)}"


# ---- detectors


def detector_rows() -> list[Row]:
    return table("detector", "settings", "parameters", "multiply-adds")


@pytest.mark.parametrize("row", detector_rows(), ids=lambda row: f"{row['detector']} {row['settings'][:20]}")
def test_sizes_of_detectors(row: Row) -> None:
    settings: dict[str, Any] = parse_settings(row["settings"].split("`")[1]) if row["settings"] else {}
    network, windows = measured.detector(row["detector"], **settings)
    assert number(row["parameters"]) == measured.parameters(network)
    seconds = windows.shape[1] / measured.RATE
    assert row["multiply-adds"] == rounded(measured.multiply_adds(network, windows) / seconds)


def test_every_detector_has_a_size_and_stages() -> None:
    assert {row["detector"] for row in detector_rows() if not row["settings"]} == set(DETECTORS)
    assert set(stages("detector")) == set(DETECTORS)


@pytest.mark.parametrize("name", stages("detector"))
def test_stages_of_detectors(name: str) -> None:
    rows = stages("detector")[name]
    assert_stages(rows, *measured.detector(name))
    assert {"`output.embedding`", "`output.logits`"} <= {row["module"] for row in rows}


def test_what_a_frozen_yamnet_trains() -> None:
    network, _ = measured.detector("yamnet")
    trained = measured.parameters(network.dense) + measured.parameters(network.decision)  # type: ignore[arg-type]
    assert f"its classifier alone, {trained:,} parameters" in text_of()


# ---- heads


@pytest.mark.parametrize("name", HEADS)
def test_sizes_and_stages_of_heads(name: str) -> None:
    (row,) = (row for row in table("head", "base", "large", "multiply-adds") if row["head"] == name)
    head, inputs = measured.head(name, "base")
    assert number(row["base"]) == measured.parameters(head)
    assert number(row["large"]) == measured.parameters(measured.head(name, "large")[0])
    assert row["multiply-adds"] == rounded(measured.multiply_adds(head, inputs) / 4)
    assert_stages(stages("head")[name], head, inputs)


def test_a_mix_of_layers_has_a_weight_for_each() -> None:
    plain, mixed = (
        [
            measured.parameters(measured.fine_tuned(FineTunedConfig(layer_weights=mix), size))
            for size in ("base", "large")
        ]
        for mix in (False, True)
    )
    added = [more - less for more, less in zip(mixed, plain, strict=True)]
    text = text_of()
    assert f"which adds {added[0]} parameters on a base model and {added[1]} on a large one" in text
