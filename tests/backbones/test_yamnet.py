import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from src.audio.io import load_waveform
from src.backbones import identify_backbone, load_backbone
from src.backbones.yamnet_network import YamnetLayers, cut_patches, load_layers, log_mel, pad_same
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.splits import SplitShares, split_dataset
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Request
from src.utils.embeddings import load_embeddings
from tests.backbones.yamnet_folder import MODELS, PUBLISHED, needs_data, save_yamnet

Golden = dict[str, Any]
SPLIT = "downstream_train"


def noise(n: int, seed: int = 0) -> np.ndarray:
    """Return noise of a tenth of full scale."""
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of random weights, not to be changed."""
    return save_yamnet(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture(scope="module")
def golden() -> Golden:
    content: Golden = json.loads((PUBLISHED / "golden.json").read_text())
    return content


@pytest.fixture(scope="module")
def published() -> YamnetLayers:
    return load_layers(PUBLISHED).eval()


def waveform_of(given: Golden) -> np.ndarray:
    """Return the waveform that golden numbers were made from."""
    waveform = noise(64_600) if given["name"] == "noise" else soundfile.read(MODELS / given["path"], dtype="float32")[0]
    assert hashlib.sha256(waveform.tobytes()).hexdigest() == given["sha256_of_float32_bytes"]
    return np.asarray(waveform)


def assert_like(array: np.ndarray, given: Golden, tolerance: Golden) -> None:
    """Compare norm, mean, and both ends of an array with what they are to be."""
    assert list(array.shape) == given["shape"]
    np.testing.assert_allclose(np.linalg.norm(array), given["norm"], **tolerance["norm"])
    flat = array.ravel()
    for found, name in ((flat.mean(dtype=np.float64), "mean"), (flat[:4], "first"), (flat[-4:], "last")):
        np.testing.assert_allclose(found, given[name], **tolerance["first_last_mean"], err_msg=name)


@needs_data
@pytest.mark.parametrize("number", range(3))
def test_the_front_end_gives_the_golden_log_mel_energies(golden: Golden, number: int) -> None:
    given = golden["inputs"][number]
    energies = log_mel().float()(torch.from_numpy(waveform_of(given))[None])[0].T.numpy()
    assert len(energies) == given["n_frames"]
    assert_like(energies, given["log_mel"], golden["tolerance"])
    atol = golden["tolerance"]["log_mel"]["atol"]
    np.testing.assert_allclose(energies.min(), given["log_mel"]["minimum"], rtol=0, atol=atol)
    np.testing.assert_allclose(energies.max(), given["log_mel"]["maximum"], rtol=0, atol=atol)
    np.testing.assert_allclose(energies[0, :4], given["log_mel"]["frame_0_bands_0_to_3"], rtol=0, atol=atol)
    np.testing.assert_allclose(energies[50, 30:34], given["log_mel"]["frame_50_bands_30_to_33"], rtol=0, atol=atol)


@needs_data
@pytest.mark.parametrize("number", range(3))
def test_every_layer_gives_the_golden_numbers(golden: Golden, published: YamnetLayers, number: int) -> None:
    given = golden["inputs"][number]
    energies = log_mel().float()(torch.from_numpy(waveform_of(given))[None])
    stages: dict[str, torch.Tensor] = {}
    handles = [
        module.register_forward_hook(lambda _, __, output, name=name: stages.update({name: output.relu()[0]}))
        for name, module in published.named_modules()
        if name in given["stages"]
    ]
    with torch.inference_mode():
        published(cut_patches(energies)[0, :1])
    for handle in handles:
        handle.remove()
    assert stages.keys() == given["stages"].keys()
    for name, stage in stages.items():
        assert_like(stage.numpy(), given["stages"][name], golden["tolerance"])


@needs_data
@pytest.mark.parametrize("number", range(3))
def test_embeddings_and_scores_are_golden(golden: Golden, published: YamnetLayers, number: int) -> None:
    given, tolerance = golden["inputs"][number], golden["tolerance"]
    backbone = load_backbone("yamnet", str(PUBLISHED), precision="fp32", device="cpu")
    _, embeddings = backbone.frames(waveform_of(given))
    wanted = given["embedding"]
    assert list(embeddings.shape) == wanted["shape"]
    for found, name in (
        (np.linalg.norm(embeddings, axis=1), "norm_per_patch"),
        (embeddings[0, :8], "patch_0_first_8"),
        (np.linalg.norm(embeddings.mean(axis=0)), "time_mean_norm"),
        (embeddings.mean(axis=0)[:8], "time_mean_first_8"),
        (np.linalg.norm(embeddings.std(axis=0)), "time_std_ddof0_norm"),
    ):
        np.testing.assert_allclose(found, wanted[name], **tolerance["embedding"], err_msg=name)
    assert (embeddings[0] > 0).sum() == wanted["patch_0_nonzero"]
    with torch.inference_mode():
        logits = published.classifier(torch.from_numpy(embeddings))
    np.testing.assert_allclose(logits[0, :4], given["logits"]["patch_0_first_4"], rtol=1e-4, atol=1e-3)
    scores = logits.sigmoid().numpy()
    assert list(scores.shape) == given["scores"]["shape"]
    atol = tolerance["scores"]["atol"]
    np.testing.assert_allclose(scores[:, 0], given["scores"]["speech_per_patch"], rtol=0, atol=atol)
    np.testing.assert_allclose(scores.mean(axis=0).sum(), given["scores"]["sum_of_mean"], rtol=0, atol=1e-3)
    for top, mean in (("top_5_of_mean", scores.mean(axis=0)), ("top_5_of_patch_0", scores[0])):
        assert np.argsort(-mean)[:5].tolist() == [each["index"] for each in given["scores"][top]]
        np.testing.assert_allclose(np.sort(mean)[:-6:-1], [each["score"] for each in given["scores"][top]], atol=atol)


def test_there_are_as_many_parameters_as_published() -> None:
    assert sum(parameter.numel() for parameter in YamnetLayers().parameters()) == 3_729_481


@pytest.mark.parametrize("n", [1, 2, 3, 6, 12, 47, 96])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_is_tensorflows_same(n: int, stride: int) -> None:
    """TensorFlow's definition in words: ceil(n / stride) places, and the odd zero comes last."""
    padded = pad_same(torch.arange(1.0, n + 1).expand(n, n), stride).amax(dim=0)
    places = -(-n // stride)
    assert torch.nn.functional.conv1d(padded[None, None], torch.ones(1, 1, 3), stride=stride).shape[-1] == places
    before = int(padded.nonzero()[0])
    after = len(padded) - n - before
    assert after - before in (0, 1)
    if stride == 1:
        assert (before, after) == (1, 1)
    elif n % 2 == 0:
        assert (before, after) == (0, 1)


@pytest.mark.parametrize(
    ("samples", "patches"), [(400, 1), (15_600, 1), (23_279, 1), (23_280, 2), (64_000, 7), (480_000, 61)]
)
def test_patches_are_complete_ones_but_for_a_short_clip(folder: Path, samples: int, patches: int) -> None:
    backbone = load_backbone("yamnet", str(folder), precision="fp32")
    assert backbone.frames(noise(samples)).shape == (2, patches, 1024)


def test_a_short_clip_is_filled_up_with_zeros(folder: Path) -> None:
    backbone = load_backbone("yamnet", str(folder), precision="fp32")
    filled = np.concatenate([noise(9000), np.zeros(6600, np.float32)])
    np.testing.assert_array_equal(backbone.frames(noise(9000)), backbone.frames(filled))


def test_a_clips_statistics_do_not_depend_on_the_others(folder: Path) -> None:
    backbone = load_backbone("yamnet", str(folder), precision="fp32")
    clips = [noise(n, seed) for seed, n in enumerate((500, 40_000, 16_000))]
    pooled, counts = backbone.begin(clips)()
    assert pooled.shape == (3, 2, 2, 1024)
    assert counts == [1, 4, 1]
    for clip, statistics in zip(clips, pooled, strict=True):
        np.testing.assert_array_equal(backbone.statistics([clip])[0][0], statistics)
        frames = backbone.frames(clip)
        np.testing.assert_allclose(statistics[:, 0], frames.mean(axis=1), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(statistics[:, 1], frames.std(axis=1), rtol=1e-4, atol=1e-6)


def test_layers_wanted_are_those_kept(folder: Path) -> None:
    both = load_backbone("yamnet", str(folder), precision="fp32").frames(noise(16_000))
    for layer in (0, 1):
        backbone = load_backbone("yamnet", str(folder), precision="fp32", layers=str(layer))
        assert backbone.layers == (layer,)
        np.testing.assert_array_equal(backbone.frames(noise(16_000)), both[layer : layer + 1])


def test_half_precision_is_near(folder: Path) -> None:
    exact = load_backbone("yamnet", str(folder), precision="fp32").frames(noise(16_000))
    rounded = load_backbone("yamnet", str(folder), precision="bf16").frames(noise(16_000))
    assert rounded.dtype == np.float32
    np.testing.assert_allclose(rounded, exact, rtol=0, atol=0.05 * np.abs(exact).max())


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_the_identity_is_known_without_loading(folder: Path, precision: str) -> None:
    known = identify_backbone("yamnet", str(folder), precision=precision, layers="1")
    assert known is not None
    identity = load_backbone("yamnet", str(folder), precision=precision, layers="1").identity()
    assert json.loads(json.dumps(identity)) == identity
    assert known == {key: identity[key] for key in known}
    assert {"backbone", "model", "digest", "layers", "dimension"} <= known.keys()
    assert ("precision" in known) == (precision != "auto")


def test_a_store_holds_both_layers(folder: Path, make_corpus: Callable[..., Path], tmp_path: Path) -> None:
    dataset = make_corpus("corpus", people=6, clips=1)
    generate_tables(dataset)
    split_dataset(dataset, SplitShares(pretext=0, train=0.5, val=0.25), seed=7)
    request = Request(dataset, [SPLIT], "yamnet", str(folder), device="cpu", precision="fp32")
    (made,) = extract_splits(request, root=tmp_path)
    backbone = load_backbone("yamnet", str(folder), device="cpu", precision="fp32")
    for layer in (0, 1):
        table = load_embeddings(made.folder, layer=layer, pooling="mean+std")
        assert len(table.files)
        for file, vector in zip(table.files, table.vectors, strict=True):
            (statistics,), _ = backbone.statistics([load_waveform(dataset / file)])
            np.testing.assert_array_equal(vector, statistics[layer].ravel())
    (again,) = extract_splits(request, root=tmp_path)
    assert again.n_computed == 0


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def put(name: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return change


def other_shape(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    state["classifier.bias"] = torch.zeros(10)
    del state["layer3.pointwise.bias"]
    save_file(state, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (remove("config.json"), FileNotFoundError, "has no config.json; name a folder that holds YAMNet"),
        (remove("model.safetensors"), FileNotFoundError, "has no model.safetensors"),
        (put("config.json", b"{"), ValueError, "config.json is not valid JSON"),
        (put("config.json", b"[]"), ValueError, "config.json is damaged"),
        (put("config.json", b"{}"), ValueError, "holds a model of the kind unknown, not YAMNet"),
        (put("config.json", b'{"architecture": "AASIST"}'), ValueError, "of the kind AASIST, not YAMNet"),
        (put("config.json", b'{"model_type": "wavlm"}'), ValueError, "of the kind wavlm, not YAMNet"),
        (put("model.safetensors", b"x" * 100), ValueError, "does not hold YAMNet's weights .*fetch it again"),
        (put("model.safetensors", b""), ValueError, "does not hold YAMNet's weights"),
        (other_shape, ValueError, r"does not hold YAMNet's weights \(.*layer3.pointwise.bias"),
    ],
)
def test_a_folder_that_is_none_is_refused_in_one_line(
    change: Callable[[Path], None], error: type[Exception], words: str, tmp_path: Path
) -> None:
    folder = save_yamnet(tmp_path / "m")
    change(folder)
    with pytest.raises(error, match=words) as caught:
        load_backbone("yamnet", str(folder))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_model_must_be_named() -> None:
    for look_up in (load_backbone, identify_backbone):
        with pytest.raises(ValueError, match=r"yamnet has no default model: name a folder .*`model=FOLDER`"):
            look_up("yamnet")
        with pytest.raises(FileNotFoundError, match="There is no model folder nowhere"):
            look_up("yamnet", "nowhere")


@pytest.mark.parametrize("options", [{"precision": "fp16"}, {"device": "tpu"}, {"layers": "2"}])
def test_options_that_it_does_not_have_are_refused(folder: Path, options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"Unknown precision 'fp16'|Unknown device 'tpu'|There is no layer 2"):
        load_backbone("yamnet", str(folder), **options)
