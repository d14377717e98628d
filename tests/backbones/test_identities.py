"""What is known of a model without loading it is what the loaded model says of itself; in doubt nothing is known."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from src.backbones import identify_backbone, load_backbone

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("options", [{}, {"precision": "fp32"}, {"layers": "0-3,7"}, {"device": "cpu"}])
@pytest.mark.parametrize(("family", "model"), [("wav2vec2", "base"), ("hubert", "large"), ("wavlm", "wavlm")])
def test_it_is_what_the_loaded_model_says(
    family: str, model: str, options: dict[str, str], request: pytest.FixtureRequest
) -> None:
    name = str(request.getfixturevalue(model))
    if model == "wavlm" and "layers" in options:
        options = {"layers": "1-2"}
    known = identify_backbone(family, name, **options)
    assert known is not None
    identity = load_backbone(family, name, **options).identity()
    assert known == {key: identity[key] for key in known}
    assert {"backbone", "model", "digest", "layers", "dimension"} <= known.keys()
    assert ("precision" in known) == ("precision" in options)


def test_the_features_are_known_whole() -> None:
    assert identify_backbone("lfcc") == load_backbone("lfcc").identity()
    with pytest.raises(ValueError, match="lfcc has no models to choose from"):
        identify_backbone("lfcc", "facebook/x")


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "preprocessor_config.json"])
def test_a_changed_file_of_a_model_changes_its_digest(base: Path, tmp_path: Path, file: str) -> None:
    shutil.copytree(base, tmp_path / "base")
    before = identify_backbone("wav2vec2", str(tmp_path / "base"))
    with (tmp_path / "base" / file).open("ab") as end:
        end.write(b" ")
    after = identify_backbone("wav2vec2", str(tmp_path / "base"))
    assert before is not None
    assert after is not None
    assert before["digest"] != after["digest"]
    assert {**before, "digest": ""} == {**after, "digest": ""}


@pytest.mark.parametrize(
    ("family", "model", "options"),
    [
        ("wav2vec2", "", {}),
        ("wav2vec2", "facebook/wav2vec2-large", {}),
        ("wav2vec2", "a/b/c", {}),
        ("wav2vec2", "no such model!", {}),
        ("wav2vec2", "./gone", {}),
        ("hubert", "BASE", {}),
        ("wav2vec2", "BASE", {"precision": "fp16"}),
        ("wav2vec2", "BASE", {"device": "tpu"}),
    ],
)
def test_what_only_loading_can_tell_is_not_guessed(
    family: str, model: str, options: dict[str, Any], base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert identify_backbone(family, model.replace("BASE", str(base)), **options) is None


def test_a_model_of_the_hub_is_known_by_its_cached_revision(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = "0123456789abcdef0123456789abcdef01234567"
    place = tmp_path / "models--facebook--wav2vec2-base"
    shutil.copytree(base, place / "snapshots" / revision)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(revision)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.file_download.constants.HF_HUB_CACHE", str(tmp_path))
    known = identify_backbone("wav2vec2")
    assert known is not None
    assert (known["model"], known["digest"], known["layers"]) == ("facebook/wav2vec2-base", revision, list(range(13)))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_config_tells_nothing(content: bytes, base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "m")
    (tmp_path / "m" / "config.json").write_bytes(content)
    assert identify_backbone("wav2vec2", str(tmp_path / "m")) is None


def test_layers_that_are_not_there_are_refused(base: Path) -> None:
    with pytest.raises(ValueError, match="There is no layer 13: this model has the layers 0 to 12"):
        identify_backbone("wav2vec2", str(base), layers="0-13")


def test_nothing_heavy_is_imported(base: Path) -> None:
    code = (
        f"import json, sys; from src.backbones import identify_backbone; "
        f"identify_backbone('wav2vec2', {str(base)!r}); identify_backbone('lfcc'); "
        "print(json.dumps(sorted(sys.modules.keys() & {'torch', 'transformers'})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
