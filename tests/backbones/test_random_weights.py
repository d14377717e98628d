"""Random weights of published shapes: the same each time, known without loading, and said to be random."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from src.backbones import BACKBONES, identify_backbone, load_backbone
from src.backbones.published import FAMILIES
from src.backbones.random_weights import make_random

REPOSITORY = Path(__file__).resolve().parents[2]
SOUND = np.random.default_rng(7).uniform(-0.5, 0.5, 8000).astype(np.float32)
PARAMETERS = {
    ("wav2vec2", "base"): 94_371_712,
    ("wav2vec2", "large"): 315_438_720,
    ("hubert", "base"): 94_371_712,
    ("hubert", "large"): 315_438_720,
    ("wavlm", "base"): 94_381_936,
    ("wavlm", "large"): 315_453_120,
    ("data2vec-audio", "base"): 93_164_288,
    ("whisper", "base"): 20_590_592,
    ("ast", "base"): 86_187_264,
}
"""Parameters of the published models, without their heads."""


def test_every_family_is_a_backbone() -> None:
    assert FAMILIES.keys() <= BACKBONES.keys()
    assert all(about.default.count("/") == 1 for about in FAMILIES.values())


@pytest.mark.parametrize(("family", "size"), [(family, size) for family in FAMILIES for size in FAMILIES[family].sizes])
def test_what_is_known_of_them_without_loading(family: str, size: str) -> None:
    known = identify_backbone(family, f"random:{size}", precision="fp32")
    assert known is not None
    assert known["model"] == f"random:{size}"
    assert known["random"] is True
    assert known["digest"].startswith(f"random weights ({size}), seed 7, torch ")
    assert known["layers"][-1] == FAMILIES[family].sizes[size][FAMILIES[family].depth]


@pytest.mark.parametrize(("family", "size"), PARAMETERS)
def test_shapes_are_the_published_ones(family: str, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device "meta" computes shapes alone: nothing is drawn."""
    with torch.device("meta"):
        model, config, _ = make_random(family, size)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[family, size]
    assert config.hidden_size == FAMILIES[family].sizes[size][FAMILIES[family].width]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make random:base of wav2vec2 small."""
    shape = {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16}
    sizes = FAMILIES["wav2vec2"].sizes
    monkeypatch.setitem(sizes, "base", {**sizes["base"], **shape, "conv_dim": (8,) * 7})  # type: ignore[arg-type]


@pytest.mark.usefixtures("small")
def test_equal_numbers_come_out_each_time_and_the_global_state_stays_as_it_was() -> None:
    frames = []
    for seed in (1, 2):
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            before = torch.random.get_rng_state()
            with pytest.warns(UserWarning, match="^random:base has random weights: for trying things out, not for a"):
                backbone = load_backbone("wav2vec2", "random:base", device="cpu", precision="fp32")
            assert torch.equal(torch.random.get_rng_state(), before)
        frames.append(backbone.frames(SOUND))
    np.testing.assert_array_equal(*frames)
    assert np.isfinite(frames[0]).all()
    identity = backbone.identity()
    known = identify_backbone("wav2vec2", "random:base", precision="fp32")
    assert known is not None
    assert known == {key: identity[key] for key in known}


@pytest.mark.usefixtures("small")
def test_another_family_or_size_has_another_digest() -> None:
    digests = {identify_backbone("wav2vec2", f"random:{size}")["digest"] for size in ("base", "large")}  # type: ignore[index]
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("family", "name", "line"),
    [
        ("wav2vec2", "random:tiny", "the size 'tiny': give `model=random:base` or `model=random:large`.$"),
        ("hubert", "random:", "the size '': give"),
        ("ast", "random:large", "the size 'large': give `model=random:base`.$"),
        ("wav2vec2-bert", "random:base", "the size 'base': give `model=random:large`.$"),
    ],
)
def test_sizes_that_are_not_published_are_refused(family: str, name: str, line: str) -> None:
    for check in (load_backbone, identify_backbone):
        with pytest.raises(ValueError, match=f"^There is no random {family} of {line}"):
            check(family, name)


def test_a_spectral_backbone_has_no_random_weights() -> None:
    with pytest.raises(ValueError, match="lfcc has no models to choose from"):
        load_backbone("lfcc", "random:base")


def test_nothing_heavy_is_imported_to_know_them() -> None:
    code = (
        "import json, sys; from src.backbones import identify_backbone; identify_backbone('whisper', 'random:base'); "
        "print(json.dumps(sorted(sys.modules.keys() & {'torch', 'transformers'})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
