"""Folders as people who fine-tune models leave them: with a head on top, saved by their processor."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.backbones import load_backbone
from tests.backbones.conftest import SHAPES, TINY, SaveModel

SOUND = np.random.default_rng(7).uniform(-0.5, 0.5, 8000).astype(np.float32)
HEADS = {
    "recognition": ("wav2vec2", "Wav2Vec2Config", "Wav2Vec2ForCTC", {"vocab_size": 4}),
    "classification": ("wav2vec2", "Wav2Vec2Config", "Wav2Vec2ForSequenceClassification", {}),
    "pretraining": ("wav2vec2", "Wav2Vec2Config", "Wav2Vec2ForPreTraining", {}),
    "recognition, hubert": ("hubert", "HubertConfig", "HubertForCTC", {"vocab_size": 4}),
    "speaker vectors, wavlm": ("wavlm", "WavLMConfig", "WavLMForXVector", {}),
    "adapter": ("wav2vec2", "Wav2Vec2Config", "Wav2Vec2ForCTC", {"add_adapter": True, "vocab_size": 4}),
}
"""What a model was fine-tuned for -> its family, its classes, and settings."""


def save_by_processor(folder: Path, *, do_normalize: bool = True) -> None:
    """Save a feature extractor and a tokenizer together, as recognisers have them."""
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2Processor

    vocabulary = folder.parent / "vocab.json"
    vocabulary.write_text(json.dumps({"a": 0, "[UNK]": 1, "[PAD]": 2, "|": 3}))
    tokenizer = Wav2Vec2CTCTokenizer(str(vocabulary), unk_token="[UNK]", pad_token="[PAD]")
    extractor = Wav2Vec2FeatureExtractor(do_normalize=do_normalize)
    Wav2Vec2Processor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(folder)


@pytest.mark.parametrize("do_normalize", [True, False])
def test_a_folder_saved_by_its_processor_loads(base: Path, tmp_path: Path, do_normalize: bool) -> None:
    """Fault 11, docs/faults.md: such a folder has a processor_config.json and no preprocessor_config.json."""
    shutil.copytree(base, tmp_path / "model", ignore=shutil.ignore_patterns("preprocessor_config.json"))
    save_by_processor(tmp_path / "model", do_normalize=do_normalize)
    assert not (tmp_path / "model" / "preprocessor_config.json").exists()
    backbone = load_backbone("wav2vec2", str(tmp_path / "model"))
    assert backbone.rate == 16_000
    assert backbone.identity()["normalisation"] == ("zero mean, unit variance" if do_normalize else "none")
    if do_normalize:
        plain = load_backbone("wav2vec2", str(base))
        np.testing.assert_array_equal(backbone.frames(SOUND), plain.frames(SOUND))


@pytest.mark.parametrize("head", HEADS)
def test_a_model_with_a_head_gives_the_frames_of_the_model_below(
    head: str, save_model: SaveModel, tmp_path: Path
) -> None:
    """Fault 11, docs/faults.md."""
    import torch
    import transformers

    family, config_class, model_class, options = HEADS[head]
    settings: dict[str, Any] = {**TINY, **SHAPES["base"], "num_hidden_layers": 2, **options}
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = getattr(transformers, model_class)(getattr(transformers, config_class)(**settings)).eval()
    model.save_pretrained(tmp_path / "model")
    save_by_processor(tmp_path / "model", do_normalize=False)
    below = getattr(model, model.base_model_prefix)
    below.adapter = None
    with torch.inference_mode():
        hidden = below(torch.from_numpy(SOUND)[None], output_hidden_states=True).hidden_states
    backbone = load_backbone(family, str(tmp_path / "model"), precision="fp32")
    frames = backbone.frames(SOUND)
    assert frames.shape == (3, 24, 16)
    for found, expected in zip(frames, hidden, strict=True):
        np.testing.assert_allclose(found, expected[0].numpy(), atol=1e-5)


def test_the_advice_for_a_folder_without_an_extractor_can_be_followed(base: Path, tmp_path: Path) -> None:
    from transformers import AutoFeatureExtractor

    folder = tmp_path / "model"
    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("preprocessor_config.json"))
    advice = r"AutoFeatureExtractor.from_pretrained\(MODEL\).save_pretrained\(FOLDER\)"
    with pytest.raises(FileNotFoundError, match=advice):
        load_backbone("wav2vec2", str(folder))
    AutoFeatureExtractor.from_pretrained(base).save_pretrained(folder)
    load_backbone("wav2vec2", str(folder))
