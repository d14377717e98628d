"""A model that cannot be used ends in one clear sentence, whatever transformers, safetensors or torch raise for it."""

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from src.backbones import load_backbone
from src.backbones.pretrained import family_of

Change = Callable[[Path], None]
WEIGHTS, CONFIG, PREPROCESSING = "model.safetensors", "config.json", "preprocessor_config.json"


def assert_one_sentence(error: BaseException) -> None:
    line = str(error)
    assert "\n" not in line, line
    assert len(line) < 500, line
    assert line.endswith("."), line


def remove(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def put(name: str, content: bytes) -> Change:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return change


def both(*changes: Change) -> Change:
    def change(folder: Path) -> None:
        for each in changes:
            each(folder)

    return change


def cut(name: str, size: int) -> Change:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


def setting(name: str, **values: Any) -> Change:
    def change(folder: Path) -> None:
        content = {**json.loads((folder / name).read_text()), **values}
        (folder / name).write_text(json.dumps({key: value for key, value in content.items() if value is not None}))

    return change


def old_format(content: Callable[[dict[str, Any]], Any], size: int | None = None) -> Change:
    def change(folder: Path) -> None:
        import torch
        from safetensors.torch import load_file

        torch.save(content(load_file(folder / WEIGHTS)), folder / "pytorch_model.bin")
        (folder / WEIGHTS).unlink()
        cut("pytorch_model.bin", size or 10**9)(folder)

    return change


def without(part: str) -> Change:
    def change(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        state = {name: tensor for name, tensor in load_file(folder / WEIGHTS).items() if part not in name}
        save_file(state, folder / WEIGHTS, metadata={"format": "pt"})

    return change


class RunsCode:
    """An object whose pickle runs a command when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("code-ran",)


CANNOT_LOAD = "The model .*m cannot be loaded .* is damaged or of another kind; fetch it again"
DO_NOT_FIT = "The weights of .*m do not fit its config.json .*; fetch the model again"
GIT_LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 380267417\n"
DAMAGED = {
    "no config": (remove(CONFIG), r"has no config.json; save the model there: MODEL.save_pretrained\(FOLDER\)"),
    "no preprocessor": (remove(PREPROCESSING), r"has neither preprocessor_config.json nor .*AutoFeatureExtractor"),
    "processor without an extractor": (
        both(remove(PREPROCESSING), put("processor_config.json", b'{"processor_class": "Wav2Vec2Processor"}')),
        CANNOT_LOAD,
    ),
    "no weights": (remove(WEIGHTS), r"has no weights \(\*.safetensors or pytorch_model\*.bin\)"),
    "empty weights": (put(WEIGHTS, b""), CANNOT_LOAD),
    "weights cut off": (cut(WEIGHTS, 5000), CANNOT_LOAD),
    "weights that git did not fetch": (put(WEIGHTS, GIT_LFS), CANNOT_LOAD),
    "weights lack a layer": (without("layers.5."), DO_NOT_FIT.replace(".*;", ".*layers.5.*;")),
    "weights of another width": (setting(CONFIG, intermediate_size=32), DO_NOT_FIT.replace(".*;", ".*feed_forward.*;")),
    "weights of fewer layers": (setting(CONFIG, num_hidden_layers=14), DO_NOT_FIT.replace(".*;", ".*layers.12.*;")),
    "old weights, empty": (old_format(dict, 1), CANNOT_LOAD),
    "old weights, cut off": (old_format(dict, 20_000), CANNOT_LOAD),
    "old weights that run code": (old_format(lambda _: {"a": RunsCode()}), CANNOT_LOAD),
    "config is no JSON": (put(CONFIG, b"{"), CANNOT_LOAD),
    "config is empty": (put(CONFIG, b""), CANNOT_LOAD),
    "config is no object": (put(CONFIG, b"[]"), CANNOT_LOAD),
    "config without a family": (setting(CONFIG, model_type=None), CANNOT_LOAD),
    "config of an unknown family": (setting(CONFIG, model_type="parrot"), CANNOT_LOAD),
    "config of impossible values": (setting(CONFIG, num_attention_heads=3), CANNOT_LOAD),
    "config of wrong types": (setting(CONFIG, num_hidden_layers="many"), CANNOT_LOAD),
    "preprocessor is no JSON": (put(PREPROCESSING, b"{"), CANNOT_LOAD),
    "preprocessor unknown": (put(PREPROCESSING, b'{"feature_extractor_type": "Nope"}'), CANNOT_LOAD),
    "preprocessor of spectrograms": (
        put(PREPROCESSING, b'{"feature_extractor_type": "WhisperFeatureExtractor"}'),
        CANNOT_LOAD,
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_model_folders(case: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    change, line = DAMAGED[case]
    folder = tmp_path / "m"
    shutil.copytree(base, folder)
    load_backbone("wav2vec2", str(folder))  # until the change it can be used
    change(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=line) as caught:
        load_backbone("wav2vec2", str(folder))
    assert_one_sentence(caught.value)
    assert not Path("code-ran").exists(), "reading the weights ran code"


def test_the_mask_of_training_may_be_absent(base: Path, tmp_path: Path) -> None:
    """Checkpoints fine-tuned elsewhere lack it, and nothing that is computed here depends on it."""
    shutil.copytree(base, tmp_path / "m")
    without("masked_spec_embed")(tmp_path / "m")
    assert len(load_backbone("wav2vec2", str(tmp_path / "m")).layers) == 13


@pytest.mark.parametrize(
    ("wanted", "given"), [("hubert", "base"), ("wav2vec2", "large"), ("wavlm", "base"), ("hubert", "wavlm")]
)
def test_the_other_family_is_refused(wanted: str, given: str, request: pytest.FixtureRequest) -> None:
    found = {"base": "wav2vec2", "large": "hubert", "wavlm": "wavlm"}[given]
    line = f"{given} is of the family {found}, not {wanted}: name a model of that family, or the backbone of this one"
    with pytest.raises(ValueError, match=line) as caught:
        load_backbone(wanted, str(request.getfixturevalue(given)))
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("name", ["./gone", "../gone", "~/gone", "/gone/model"])
def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"There is no model folder .*gone") as caught:
        load_backbone("hubert", name)
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("name", ["", "facebook/wav2vec2-large", "nothing", "a/b/c", "no such model!"])
def test_a_model_that_is_not_in_the_hubs_cache_while_offline(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    assert huggingface_hub.constants.HF_HUB_OFFLINE, "the tests must not reach the network"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    line = (
        f"The model {name or 'facebook/wav2vec2-base'} is not in the hub's cache and cannot be downloaded .*; "
        "connect to the network, or name a folder that holds the model"
    )
    with pytest.raises(FileNotFoundError, match=line) as caught:
        load_backbone("wav2vec2", name)
    assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("wav2vec2", "facebook/wav2vec2-base"),
        ("hubert", "facebook/hubert-large-ls960-ft"),
        ("wavlm", "microsoft/wavlm-base"),
    ],
)
def test_the_model_that_is_taken_when_none_is_named(family: str, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"The model {name} is not in the hub's cache"):
        load_backbone(family)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"precision": "fp16"}, "Unknown precision 'fp16'; allowed: auto, fp32, tf32, bf16"),
        ({"precision": ""}, "Unknown precision ''"),
        ({"device": "tpu"}, "Unknown device 'tpu'; allowed: auto, cpu, cuda"),
        ({"device": "cuda:99"}, "There is no device cuda:99: .*`device=cpu`"),
    ],
)
def test_bad_settings_are_refused_before_a_model_is_looked_for(options: dict[str, str], line: str) -> None:
    with pytest.raises(ValueError, match=line) as caught:
        load_backbone("wav2vec2", "/gone", **options)
    assert_one_sentence(caught.value)


def test_the_hubs_retries_do_not_hide_the_line_about_a_model_of_unknown_family(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = logging.getLogger("huggingface_hub")
    monkeypatch.setattr(hub, "level", logging.WARNING)  # as it is before any model was read
    with pytest.raises(FileNotFoundError, match="nobody/nothing is not in the hub's cache"):
        family_of("nobody/nothing")
    assert hub.level == logging.ERROR
