"""Fine-tuning: what is trained and what stays, what a run keeps, what is refused."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from src.backbones.pretrained import load_pretrained
from src.detectors import detector_class
from src.detectors.encoder import Encoder
from src.detectors.fine_tuned import BACKBONE, WEIGHTS, FineTuned, FineTunedConfig
from src.detectors.fine_tuned_network import FineTunedNetwork
from src.detectors.heads import HEADS
from src.detectors.kept_encoder import facts_of
from src.detectors.pretrained_encoder import Source
from src.models.contract import Workspace
from src.utils.waveform_table import WaveformTable
from tests.detectors.small_models import noise, save_small, source
from tests.detectors.tiny import write_clips

WINDOW = 4_000
LABELS = torch.tensor([0, 1, 1, 0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model as users have it; not to be changed."""
    return save_small(tmp_path_factory.mktemp("models") / "small")


def detector(folder: Path | str = "", **values: Any) -> FineTuned:
    small = {"head_size": 8, "attention_heads": 2, "learning_rate": 1e-2}
    return FineTuned(FineTunedConfig.from_mapping({"model": str(folder), **small, **values}))


def built(given: FineTuned) -> FineTunedNetwork:
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        return given.build()


def train(given: FineTuned, network: FineTunedNetwork, *, epochs: int = 2, steps: int = 2) -> list[float]:
    """Train as the training loop does; return the losses."""
    rate = given.config.learning_rate
    groups = given.parameter_groups(network)
    optimizer = torch.optim.AdamW(
        [{"params": group["params"], "lr": rate * group["scale"]} for group in groups], weight_decay=0.1
    )
    losses = []
    with torch.random.fork_rng([]):
        torch.manual_seed(2)
        for epoch in range(epochs):
            network.start_epoch(epoch)
            for step in range(steps):
                network.train()
                output = network(noise(4, WINDOW, seed=step), torch.tensor([WINDOW, 3_000, 400, WINDOW]))
                loss = cross_entropy(output.logits, LABELS)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                losses.append(float(loss.detach()))
    return losses


def changed(network: FineTunedNetwork, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, each in network.state_dict().items() if not torch.equal(each, before[name])}


def copied(network: FineTunedNetwork) -> dict[str, torch.Tensor]:
    return {name: each.clone() for name, each in network.state_dict().items()}


def part_of(name: str) -> str:
    for part in ("feature_extractor", "layers.0", "layers.1", "layers.2", "encoder."):
        if name.startswith("encoder.") and part in name:
            return part
    return "head"


@pytest.mark.parametrize("head", HEADS)
def test_a_frozen_encoder_stays_bit_for_bit(head: str, folder: Path) -> None:
    given = detector(folder, head=head, freeze="encoder", layer_weights=head == "linear")
    network = built(given)
    before = copied(network)
    losses = train(given, network)
    moved = changed(network, before)
    assert moved == {name for name in before if not name.startswith("encoder.")}
    assert losses[-1] != losses[0]


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"freeze": "features"}, {"head", "layers.0", "layers.1", "layers.2", "encoder."}),
        ({"freeze": "none"}, {"head", "layers.0", "layers.1", "layers.2", "encoder.", "feature_extractor"}),
        ({"freeze": "none", "gradual": 1, "epochs": 1}, {"head"}),
        ({"freeze": "none", "gradual": 1, "epochs": 2}, {"head", "layers.2"}),
        ({"freeze": "none", "gradual": 2, "epochs": 2}, {"head", "layers.2", "layers.1"}),
        ({"freeze": "features", "gradual": 2, "epochs": 3}, {"head", "layers.0", "layers.1", "layers.2", "encoder."}),
    ],
)
def test_what_training_changes(values: dict[str, Any], parts: set[str], folder: Path) -> None:
    given = detector(folder, **values)
    network = built(given)
    before = copied(network)
    train(given, network, epochs=given.config.epochs if "epochs" in values else 1)
    assert {part_of(name) for name in changed(network, before)} == parts


@pytest.mark.parametrize("layer", [0, 2, 3])
def test_a_head_stands_on_the_layer_that_is_asked_for_and_those_above_are_not_computed(
    folder: Path, layer: int
) -> None:
    window = noise(1, WINDOW, seed=1)
    whole = built(detector(folder, freeze="encoder")).eval()
    network = built(detector(folder, freeze="encoder", layer=layer)).eval()
    assert len(network.encoder.layers()) == min(layer + 1, 3)
    with torch.no_grad():
        hidden, valid = whole.encoder(window, None)
        expected = network.head(hidden[layer], valid).logits
        torch.testing.assert_close(network(window).logits, expected)


def test_a_layer_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(ValueError, match="`layer` must be one of 0 to 3, or -1 for the last, not 4"):
        built(detector(folder, freeze="encoder", layer=4))


def test_an_epoch_is_the_same_after_a_restart(folder: Path) -> None:
    given = detector(folder, gradual=1)
    network, resumed = built(given), built(given)
    for epoch in range(3):
        network.start_epoch(epoch)
    resumed.start_epoch(2)
    wants = [[each.requires_grad for each in one.parameters()] for one in (network, resumed)]
    assert wants[0] == wants[1]


@pytest.mark.parametrize("freeze", ["encoder", "features", "none"])
@pytest.mark.parametrize("epoch", [0, 9])
def test_parameter_groups_hold_what_is_ever_trained(freeze: str, epoch: int, folder: Path) -> None:
    given = detector(folder, freeze=freeze, gradual=0 if freeze == "encoder" else 1, layer_weights=True)
    network = built(given)
    network.start_epoch(epoch)  # whatever is frozen at the moment
    groups = given.parameter_groups(network)
    assert [group["scale"] for group in groups] == ([1.0, 30.0] if freeze == "encoder" else [1.0, 30.0, 0.1])
    names = {id(each): name for name, each in network.named_parameters()}
    grouped = [names[id(each)] for group in groups for each in group["params"]]
    left_out = {"encoder": "encoder.", "features": "encoder.model.feature_extractor.", "none": "-"}[freeze]
    wanted = {name for name in names.values() if not name.startswith(left_out) and "masked_spec_embed" not in name}
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == wanted


def test_training_learns(folder: Path) -> None:
    given = detector(folder, head="attentive", dropout=0.0)
    losses = train(given, built(given), epochs=1, steps=1)
    losses += train(given, network := built(given), epochs=30, steps=1)
    assert losses[-1] < losses[0] / 4
    assert network.frame_seconds == 0.02


@pytest.mark.parametrize("head", HEADS)
def test_decisions_do_not_depend_on_zeros_behind_a_clip(head: str, folder: Path) -> None:
    network = built(detector(folder, head=head)).eval()
    clip = noise(1, 3_000)
    padded = torch.cat([clip, torch.zeros(1, 1_000)], dim=1)
    both = torch.cat([padded, noise(1, WINDOW)])
    found = network(both, torch.tensor([3_000, WINDOW]))
    torch.testing.assert_close(found.logits[:1], network(clip).logits, rtol=1e-4, atol=1e-5)
    assert network.takes_lengths


@pytest.mark.parametrize("head", HEADS)
def test_scores_in_bfloat16_are_close_and_fine_grained(head: str, folder: Path) -> None:
    given = detector(folder, head=head, checkpointing=True)
    network = built(given).eval()
    clips = noise(8, WINDOW)
    exact = network(clips).logits
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = network(clips).logits
        output = network.train()(clips)
    output.logits.square().sum().backward()
    assert all(each.grad is None or each.grad.isfinite().all() for each in network.parameters())
    assert found.dtype == output.embedding.dtype == torch.float32
    assert float((found - exact).detach().abs().max()) < 0.1
    assert len(set((found[:, 1] - found[:, 0]).tolist())) == 8


Tables = tuple[WaveformTable, WaveformTable]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    clips = tmp_path_factory.mktemp("clips")
    return write_clips(clips, 10, seed=1), write_clips(clips, 6, seed=2, start=100)


def fitted(tables: Tables, folder: Path, run: Path, **values: Any) -> FineTuned:
    given = detector(folder, **{"epochs": 2, "seconds": 0.4, **values})
    given.workspace = Workspace(run / "checkpoints")
    given.fit(*tables)
    run.mkdir(exist_ok=True)
    given.save(run)
    return given


@pytest.mark.parametrize(
    ("values", "whole"),
    [
        ({"freeze": "encoder", "loss": "oc-softmax"}, False),
        ({"freeze": "features", "gradual": 2, "checkpointing": True}, True),
        ({"freeze": "none", "head": "frame", "sharpness": 0.05}, True),
    ],
)
def test_a_run_is_trained_by_the_loop_and_read_back(
    values: dict[str, Any], whole: bool, folder: Path, tables: Tables, tmp_path: Path
) -> None:
    given = fitted(tables, folder, tmp_path, **values)
    published = load_pretrained("wav2vec2", str(folder)).model.state_dict()
    encoder = given.trained.network.encoder.model.state_dict()
    assert all(torch.equal(each, published[name]) for name, each in encoder.items()) == (values["freeze"] == "encoder")
    facts = json.loads((tmp_path / BACKBONE).read_text())
    assert facts["encoder_saved"] == whole == (len((tmp_path / WEIGHTS).read_bytes()) > 20_000)
    assert str(folder.parent) not in (tmp_path / BACKBONE).read_text()
    assert facts["model"] == folder.name
    # a whole network needs nothing else
    config = dataclasses.replace(given.config, model="/gone") if whole else given.config
    again = FineTuned.load(tmp_path, config)
    assert np.array_equal(again.scores(tables[1].inputs), given.scores(tables[1].inputs))


@pytest.mark.parametrize(
    "values",
    [{"gradual": 1, "mask_frames": 0.3, "layer_weights": True, "epochs": 3}, {"freeze": "encoder", "epochs": 3}],
)
def test_a_training_that_was_cut_off_ends_with_the_same_weights(
    values: dict[str, Any], folder: Path, tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from src.detectors.training import loop

    wanted = fitted(tables, folder, tmp_path / "undisturbed", **values).trained.state_dict()
    original, taken = loop.OurTrainer.training_step, []

    def cut_off(self: Any, *arguments: Any) -> Any:
        if len(taken) == 5:
            raise KeyboardInterrupt
        taken.append(1)
        return original(self, *arguments)

    monkeypatch.setattr(loop.OurTrainer, "training_step", cut_off)
    with pytest.raises(KeyboardInterrupt):
        fitted(tables, folder, tmp_path / "killed", **values)
    monkeypatch.setattr(loop.OurTrainer, "training_step", original)
    frozen = values.get("freeze") == "encoder"
    kept = [*tmp_path.glob("killed/checkpoints/*.safetensors"), *tmp_path.glob("killed/checkpoints/*/*.safetensors")]
    assert len(kept) >= 2  # of the best epochs, and of the checkpoints
    for path in kept:
        assert frozen != any(name.startswith("network.encoder.") for name in load_file(path))
    found = fitted(tables, folder, tmp_path / "killed", **values).trained.state_dict()
    assert all(torch.equal(each, wanted[name]) for name, each in found.items())


def test_another_model_in_the_place_of_a_frozen_one_is_refused(folder: Path, tables: Tables, tmp_path: Path) -> None:
    given = fitted(tables, folder, tmp_path / "run", freeze="encoder", epochs=1)
    other = save_small(tmp_path / "other", intermediate_size=24)
    with pytest.raises(ValueError, match=r"frozen encoder with the digest sha256:.*, and the model has sha256:.* now"):
        FineTuned.load(tmp_path / "run", dataclasses.replace(given.config, model=str(other)))
    with pytest.raises(FileNotFoundError, match="There is no model folder /gone"):
        FineTuned.load(tmp_path / "run", dataclasses.replace(given.config, model="/gone"))
    with pytest.raises(ValueError, match=r"best_model.safetensors cannot be read .* it is damaged or another model's"):
        FineTuned.load(tmp_path / "run", dataclasses.replace(given.config, head="adapter"))
    (tmp_path / "run" / BACKBONE).write_text("{}")
    with pytest.raises(ValueError, match=r"backbone.json is damaged: it holds no digest"):
        FineTuned.load(tmp_path / "run", given.config)
    with pytest.raises(FileNotFoundError, match="its training did not finish"):
        FineTuned.load(tmp_path / "nothing", given.config)


@pytest.mark.parametrize(
    ("freeze", "digest", "saved"),
    [
        ("encoder", "sha256:1", False),
        ("encoder", "", True),
        ("encoder", "random weights (base), seed 7", True),
        ("features", "sha256:1", True),
    ],
)
def test_a_frozen_encoder_that_cannot_be_loaded_again_is_kept(freeze: str, digest: str, saved: bool) -> None:
    facts = facts_of(Encoder(dataclasses.replace(source(), digest=digest)), freeze)
    assert facts["encoder_saved"] == saved


@pytest.mark.parametrize(
    ("family", "config", "shape", "n_parameters"),
    [("wav2vec2", "Wav2Vec2", {}, 94_371_712), ("wavlm", "WavLM", {}, 94_381_936)],
)
def test_number_of_parameters_of_true_shapes(
    family: str, config: str, shape: dict[str, Any], n_parameters: int
) -> None:
    import transformers

    with torch.device("meta"):
        model = getattr(transformers, f"{config}Model")(getattr(transformers, f"{config}Config")(**shape))
        encoder = Encoder(Source(model, normalise=True, digest=""))
        network = FineTunedNetwork(encoder, FineTunedConfig(backbone=family))
    assert sum(each.numel() for each in encoder.parameters()) == n_parameters
    assert sum(each.numel() for each in network.parameters()) == n_parameters + 1_538
    assert network(torch.zeros(2, 64_000, device="meta")).logits.shape == (2, 2)


def test_the_defaults_are_the_plain_recipe() -> None:
    config = FineTunedConfig()
    wanted = {
        "backbone": "wav2vec2",
        "head": "linear",
        "epochs": 5,
        "batch_size": 4,
        "padding": "zeros",
        "schedule": "linear",
        "loss": "cross-entropy",
    }
    assert {name: getattr(config, name) for name in wanted} == wanted
    assert config.warmup > 0
    assert config.seconds == 4
    assert detector_class("fine-tuned") is FineTuned


def test_a_search_makes_configs_that_are_allowed() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        assert FineTunedConfig.search_space(trial).epochs == 5


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"backbone": "parrot"}, "Unknown backbone 'parrot'; allowed: wav2vec2"),
        (
            {"backbone": "lfcc"},
            "lfcc cannot be fine-tuned; `backbone` may be wav2vec2, hubert, .*, wav2vec2-conformer, whisper\\.$",
        ),
        ({"backbone": "ast"}, "ast cannot be fine-tuned; `backbone` may be wav2vec2, hu"),
        ({"head": "neck"}, "Unknown head 'neck'; allowed: linear, adapter, attentive, frame"),
        ({"freeze": "half"}, "`freeze` must be encoder, features or none, not 'half'"),
        ({"freeze": "encoder", "gradual": 2}, "`gradual` is for an encoder that is trained, and `freeze` is encoder"),
        ({"freeze": "encoder", "mask_frames": 0.1}, "`mask_frames` is for an encoder that is trained"),
        ({"head": "attentive", "layer_weights": True}, "attentive mixes the layers by itself: leave out"),
        ({"layer": 1, "layer_weights": True, "freeze": "encoder"}, "a mix of all layers has no `layer`"),
        ({"layer": 1}, "`layer` below the last is for an encoder that is frozen"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 0.95\], not 1"),
        ({"gradual": -1}, "gradual must lie in"),
        ({"encoder_learning_rate": 0.0}, "encoder_learning_rate must lie in"),
    ],
)
def test_what_is_refused(values: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        FineTunedConfig.from_mapping(values)
