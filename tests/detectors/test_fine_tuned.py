"""Fine-tuning: what is trained and what stays, what a run keeps, what is refused."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from safetensors.torch import load, save
from torch.nn.functional import cross_entropy

from src.detectors import detector_class
from src.detectors.encoder import Encoder
from src.detectors.fine_tuned import FineTuned, FineTunedConfig, FineTunedNetwork
from src.detectors.heads import HEADS
from tests.detectors.small_models import noise, pretrained, save_small

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
            given.start_epoch(network, epoch)
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


def test_an_epoch_is_the_same_after_a_restart(folder: Path) -> None:
    given = detector(folder, gradual=1)
    network, resumed = built(given), built(given)
    for epoch in range(3):
        given.start_epoch(network, epoch)
    given.start_epoch(resumed, 2)
    wants = [[each.requires_grad for each in one.parameters()] for one in (network, resumed)]
    assert wants[0] == wants[1]


@pytest.mark.parametrize("freeze", ["encoder", "features", "none"])
@pytest.mark.parametrize("epoch", [0, 9])
def test_parameter_groups_hold_what_is_ever_trained(freeze: str, epoch: int, folder: Path) -> None:
    given = detector(folder, freeze=freeze, gradual=0 if freeze == "encoder" else 1, layer_weights=True)
    network = built(given)
    given.start_epoch(network, epoch)  # whatever is frozen at the moment
    groups = given.parameter_groups(network)
    assert [group["scale"] for group in groups] == ([1.0] if freeze == "encoder" else [1.0, 0.1])
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


@pytest.mark.parametrize(
    ("values", "whole"),
    [({"freeze": "encoder"}, False), ({"freeze": "features"}, True), ({"freeze": "none", "head": "frame"}, True)],
)
def test_a_run_is_read_back(values: dict[str, Any], whole: bool, folder: Path) -> None:
    given = detector(folder, **values)
    network = built(given)
    train(given, network, epochs=1)
    facts = json.loads(json.dumps(given.facts_to_save(network)))
    stored = save(given.state_to_save(network))
    assert facts["encoder_saved"] == whole == (len(stored) > 20_000)
    assert str(folder.parent) not in json.dumps(facts)
    # a whole network needs nothing else
    reader = detector("/gone" if whole else folder, **values)
    again = reader.restore(facts, load(stored)).eval()
    waveforms, lengths = noise(2, WINDOW), torch.tensor([WINDOW, 1_000])
    assert torch.equal(again(waveforms, lengths).logits, network.eval()(waveforms, lengths).logits)


def test_another_model_in_the_place_of_a_frozen_one_is_refused(folder: Path, tmp_path: Path) -> None:
    given = detector(folder, freeze="encoder")
    network = built(given)
    facts, state = given.facts_to_save(network), given.state_to_save(network)
    other = save_small(tmp_path / "other", intermediate_size=24)
    with pytest.raises(ValueError, match=r"frozen encoder with the digest sha256:.*, and the model has sha256:.* now"):
        detector(other, freeze="encoder").restore(facts, state)
    with pytest.raises(FileNotFoundError, match="There is no model folder /gone"):
        detector("/gone", freeze="encoder").restore(facts, state)


@pytest.mark.parametrize("digest", ["", "random weights (base), seed 7"])
def test_a_frozen_encoder_that_cannot_be_loaded_again_is_kept(digest: str) -> None:
    given = detector(freeze="encoder")
    network = given.network_on(dataclasses.replace(pretrained(), digest=digest))
    facts = given.facts_to_save(network)
    assert facts["encoder_saved"]
    again = given.restore(facts, given.state_to_save(network)).eval()
    clip = noise(1, WINDOW)
    assert torch.equal(again(clip).logits, network.eval()(clip).logits)


def test_weights_of_another_network_are_not_taken(folder: Path) -> None:
    given = detector(folder, freeze="encoder")
    network = built(given)
    facts = given.facts_to_save(network)
    with pytest.raises(RuntimeError):
        given.restore(facts, given.state_to_save(built(detector(folder, head="adapter", freeze="encoder"))))


@pytest.mark.parametrize(
    ("family", "config", "shape", "n_parameters"),
    [("wav2vec2", "Wav2Vec2", {}, 94_371_712), ("wavlm", "WavLM", {}, 94_381_936)],
)
def test_number_of_parameters_of_true_shapes(
    family: str, config: str, shape: dict[str, Any], n_parameters: int
) -> None:
    import transformers

    from src.backbones.pretrained import Pretrained

    with torch.device("meta"):
        model = getattr(transformers, f"{config}Model")(getattr(transformers, f"{config}Config")(**shape))
        encoder = Encoder(Pretrained(model, model.config, normalise=True, rate=16_000, digest=""))
        network = FineTunedNetwork(encoder, FineTunedConfig(backbone=family))
    assert sum(each.numel() for each in encoder.parameters()) == n_parameters
    assert sum(each.numel() for each in network.parameters()) == n_parameters + 1_538
    assert network(torch.zeros(2, 64_000, device="meta")).logits.shape == (2, 2)


def test_the_defaults_are_the_recipe_of_the_report() -> None:
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
    assert FineTuned.seconds == 4
    assert detector_class("fine-tuned") is FineTuned


def test_a_search_makes_configs_that_are_allowed() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        assert FineTunedConfig.search_space(trial).epochs == 5


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"backbone": "parrot"}, "Unknown backbone 'parrot'; allowed: wav2vec2, hubert, wavlm"),
        (
            {"backbone": "lfcc"},
            "The backbone lfcc has no encoder to fine-tune or to freeze; `backbone` may be wav2vec2",
        ),
        ({"head": "neck"}, "Unknown head 'neck'; allowed: linear, adapter, attentive, frame"),
        ({"freeze": "half"}, "freeze must be encoder, features or none, not 'half'"),
        ({"freeze": "encoder", "gradual": 2}, "`gradual` is for an encoder that is trained, and `freeze` is encoder"),
        ({"freeze": "encoder", "mask_frames": 0.1}, "`mask_frames` is for an encoder that is trained"),
        ({"head": "attentive", "layer_weights": True}, "attentive mixes the layers by itself: leave out"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 0.95\], not 1"),
        ({"gradual": -1}, "gradual must lie in"),
        ({"encoder_learning_rate": 0.0}, "encoder_learning_rate must lie in"),
    ],
)
def test_what_is_refused(values: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        FineTunedConfig.from_mapping(values)
