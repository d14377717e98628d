"""Folders as people who fine-tune models leave them: with a head on top, saved by their processor."""

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.backbones import load_backbone
from src.experiments.extraction.engines import in_one_process, on_devices
from src.experiments.extraction.plan import make_plan
from src.experiments.extraction.requests import Request, Share
from tests.backbones.conftest import SHAPES, TINY, SaveModel

SOUND = np.random.default_rng(7).uniform(-0.5, 0.5, 8000).astype(np.float32)
HEADS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "recognition": ("wav2vec2", "Wav2Vec2Config", "Wav2Vec2ForCTC", {"vocab_size": 4}),
    "classification": ("wav2vec2", "Wav2Vec2Config", "Wav2Vec2ForSequenceClassification", {}),
    "pretraining": ("wav2vec2", "Wav2Vec2Config", "Wav2Vec2ForPreTraining", {}),
    "recognition, hubert": ("hubert", "HubertConfig", "HubertForCTC", {"vocab_size": 4}),
    "speaker vectors, wavlm": ("wavlm", "WavLMConfig", "WavLMForXVector", {}),
    "speakers, unispeech": ("unispeech-sat", "UniSpeechSatConfig", "UniSpeechSatForXVector", {}),
    "frames, data2vec": (
        "data2vec-audio",
        "Data2VecAudioConfig",
        "Data2VecAudioForAudioFrameClassification",
        {"num_conv_pos_embeddings": 5},
    ),
    "recognition, conformer": (
        "wav2vec2-conformer",
        "Wav2Vec2ConformerConfig",
        "Wav2Vec2ConformerForCTC",
        {"vocab_size": 4},
    ),
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
    with pytest.warns(UserWarning, match=rf"holds a {model_class}: its head \(.+\) is not used") as told:
        backbone = load_backbone(family, str(tmp_path / "model"), precision="fp32")
    assert len(told) == 1
    frames = backbone.frames(SOUND)
    assert frames.shape == (3, 24, 16)
    for found, expected in zip(frames, hidden, strict=True):
        np.testing.assert_allclose(found, expected[0].numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("family", "head", "names"),
    [
        ("wav2vec2-bert", "Wav2Vec2BertForCTC", "lm_head"),
        ("wav2vec2-bert", "Wav2Vec2BertForSequenceClassification", "classifier, projector"),
        ("ast", "ASTForAudioClassification", "classifier"),
    ],
)
def test_a_model_of_spectrograms_with_a_head_gives_the_frames_of_the_model_below(
    family: str, head: str, names: str, save_spectral: SaveModel, tmp_path: Path
) -> None:
    import transformers

    folder = save_spectral(tmp_path / "model", family, head=head, vocab_size=4)
    whole = getattr(transformers, head).from_pretrained(folder)
    getattr(whole, whole.base_model_prefix).save_pretrained(tmp_path / "below")
    shutil.copy(folder / "preprocessor_config.json", tmp_path / "below")
    with pytest.warns(UserWarning, match=rf"holds a {head}: its head \({names}\) is not used"):
        backbone = load_backbone(family, str(folder), precision="fp32")
    below = load_backbone(family, str(tmp_path / "below"), precision="fp32")
    np.testing.assert_array_equal(backbone.frames(SOUND), below.frames(SOUND))


@pytest.mark.slow
def test_the_head_is_told_once_whatever_the_number_of_processes(prepared: Path, base: Path, tmp_path: Path) -> None:
    """Workers and shards load the model each for itself; the user asked once."""
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    config = Wav2Vec2Config(**{**TINY, **SHAPES["base"], "num_hidden_layers": 1, "vocab_size": 4})
    Wav2Vec2ForCTC(config).save_pretrained(tmp_path / "model")
    shutil.copy(base / "preprocessor_config.json", tmp_path / "model")
    request = Request(
        prepared / "datasets" / "corpus", ["downstream_val"], "wav2vec2", str(tmp_path / "model"), precision="fp32"
    )
    with pytest.warns(UserWarning, match=r"model holds a Wav2Vec2ForCTC: its head \(lm_head\)") as told:
        on_devices(make_plan(request, root=tmp_path), ["cpu", "cpu"])
    assert len(told) == 1
    for number in range(2):
        share = Share(((number, 2),))
        plan = make_plan(replace(request, share=share), root=tmp_path / "shards")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            list(in_one_process(plan))
        assert len(caught) == (number == 0)


def test_the_advice_for_a_folder_without_an_extractor_can_be_followed(base: Path, tmp_path: Path) -> None:
    from transformers import AutoFeatureExtractor

    folder = tmp_path / "model"
    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("preprocessor_config.json"))
    advice = r"AutoFeatureExtractor.from_pretrained\(MODEL\).save_pretrained\(FOLDER\)"
    with pytest.raises(FileNotFoundError, match=advice):
        load_backbone("wav2vec2", str(folder))
    AutoFeatureExtractor.from_pretrained(base).save_pretrained(folder)
    load_backbone("wav2vec2", str(folder))
