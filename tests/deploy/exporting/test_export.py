"""Runs as files: each says what its run says, and one that does not is never seen."""

import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from src.audio.io import load_waveform
from src.deploy.exporting import FORMATS
from src.deploy.exporting.checking import Check
from src.deploy.exporting.export import Export, Wish, example_of, export_run, sidecar_of
from src.deploy.exporting.int8 import to_int8
from src.deploy.exporting.module import Exportable, run_module
from src.deploy.exporting.onnx_file import ONNX
from src.deploy.exporting.validation import Agreement, require_order
from src.deploy.judge import open_judge
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trained import Trained, read_trained
from src.experiments.training.trainer import train_model
from src.utils.files import file_digest, read_json

pytestmark = [pytest.mark.filterwarnings("ignore:The EER is"), pytest.mark.usefixtures("one_thread")]
LR, TINY = "run0", "run1"


@pytest.fixture(autouse=True)
def tiny_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    from src.detectors import DETECTORS

    monkeypatch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")


@pytest.fixture(scope="module")
def root(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with a run on embeddings and a detector; not to be changed."""
    from src.detectors import DETECTORS

    root = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("exported") / "project"))
    dataset = root / "datasets" / "corpus"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.experiments.training.trainer.save_figure", lambda *_: None)
        patch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
        train_model(choose_recipe(dataset, Embeddings("lfcc", -1, "mean+std"), "lr"), root=root)
        train_model(choose_recipe(dataset, Waveforms(), "tiny", values={"epochs": 1}), root=root)
    return root


def trained_run(root: Path, name: str) -> Trained:
    return read_trained(root, RunName.parse(name))


@pytest.fixture(scope="module")
def exported(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Return the run on embeddings as ONNX."""
    output = tmp_path_factory.mktemp("onnx") / "judge.onnx"
    return export_run(trained_run(root, LR), Wish(output=output), root)


@pytest.mark.slow
def test_scores_agree_at_all_lengths_and_batches(exported: Export) -> None:
    assert {(check.seconds, check.clips) for check in exported.checks} >= {(0.5, 1), (4.0, 8), (30.0, 2)}
    assert max(check.difference for check in exported.checks) < 1e-3
    assert "Run by its own runtime at 8 sizes" in str(exported)


def test_the_record_says_what_a_score_needs_to_be_read(exported: Export, root: Path) -> None:
    about = read_json(sidecar_of(exported.path))
    assert about["sha256"] == file_digest(exported.path)
    assert about["threshold"] == trained_run(root, LR).threshold
    assert about["input"]["rate"] == 16_000 and about["input"]["longest_samples"] == 30 * 16_000
    assert about["input"]["silent_below"] == 1e-4 and "silence" in about["input"]["refuse"]
    assert (about["run"], about["backbone"], about["built_upon"]) == (LR, "lfcc", [])
    assert exported.path.read_bytes().find(b"/src/deploy/") == -1  # where our code lies is nobody's business


def test_the_example_scores_a_recording_as_the_run_does(
    exported: Export, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = next((root / "datasets" / "corpus").rglob("*.flac"))
    monkeypatch.setattr(sys, "argv", ["example", str(recording)])
    runpy.run_path(str(example_of(exported.path)), run_name="__main__")
    path, score, *decision = capsys.readouterr().out.split()
    expected = open_judge(trained_run(root, LR), root=root, device="cpu").score([load_waveform(recording)])[0]
    assert path == str(recording) and float(score) == pytest.approx(expected, abs=1e-3)
    assert " ".join(decision) == ("bona fide" if expected >= exported.threshold else "spoof")
    wrong = exported.path.with_name("wrong.wav")
    monkeypatch.setattr(sys, "argv", ["example", str(wrong)])
    for sound, rate, said in (
        (np.ones(8000), 8000, "has 8000 Hz: resample it to 16000 Hz first"),
        (np.full(16_000, 0.1), 16_000, "wrong.wav is silent: a score would mean nothing"),
        (np.zeros(10), 16_000, "wrong.wav has 10 samples, not 320 to 480000"),
    ):
        soundfile.write(wrong, sound, rate)
        with pytest.raises(SystemExit, match=said):
            runpy.run_path(str(example_of(exported.path)), run_name="__main__")


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "onnx"])
def test_a_detector_cuts_its_windows_in_the_graph(format: str, root: Path, tmp_path: Path) -> None:
    suffix = {"torchscript": ".pt", "torch-export": ".pt2"}[format]
    made = export_run(trained_run(root, TINY), Wish(format, output=tmp_path / f"tiny{suffix}"), root)
    assert max(check.difference for check in made.checks) < 1e-4
    assert read_json(sidecar_of(made.path))["input"]["longest_samples"] is None


def test_a_file_that_says_something_else_is_removed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Constant(torch.nn.Module):
        def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
            return waveforms.mean(dim=1) * 0.0

    from dataclasses import replace

    made = replace(run_module(trained_run(root, LR), root), module=Constant())
    monkeypatch.setattr("src.deploy.exporting.export.run_module", lambda *_: made)
    with pytest.raises(ValueError, match=r"The file gives other scores than run0: .* It was removed"):
        export_run(trained_run(root, LR), Wish("torchscript", output=tmp_path / "model.pt"), root)
    assert list(tmp_path.iterdir()) == []


def checked(scores: np.ndarray, expected: np.ndarray) -> list[Check]:
    return [Check(1.0, len(scores), 0.0, 0.0, 1.0, tuple(scores.tolist()), tuple(expected.tolist()))]


def test_eight_bits_must_leave_the_clips_in_their_order() -> None:
    scores = np.random.default_rng(0).standard_normal(20)
    require_order(Agreement(60, 0.02, 0.06, 0.5, 0, 1 / 30), checked(-scores, scores), "run0")
    with pytest.raises(ValueError, match=r"rises from 2\.00% to 9\.00%, and 6\.67 points .* with `precision=fp32`"):
        require_order(Agreement(60, 0.02, 0.09, 0.5, 0, 1 / 30), [], "run0")
    with pytest.raises(ValueError, match=r"rises from 2\.00% to 8\.00%, and 5 points are allowed"):
        require_order(Agreement(600, 0.02, 0.08, 0.5, 0, 1 / 300), [], "run0")
    require_order("no corpus", checked(scores + 0.05 * scores[::-1], scores), "run0")
    require_order("no corpus", checked(-scores[:4], scores[:4]), "run0")  # too few to tell
    for spoiled in (-scores, 0 * scores):
        with pytest.raises(ValueError, match=r"Eight bits spoil the scores of run0: the ranks .* on made-up clips"):
            require_order("no corpus", checked(spoiled, scores), "run0")


@pytest.mark.slow
def test_an_export_of_eight_bits_is_checked_and_says_what_it_costs(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, wish = trained_run(root, LR), Wish("onnx", "int8", tmp_path / "model.onnx")
    monkeypatch.setattr("src.deploy.exporting.export.to_int8", lambda path: 1)
    costs = Agreement(60, 0.02, 0.06, 0.5, 0, 1 / 50)
    monkeypatch.setattr("src.deploy.exporting.export.validate", lambda *_: costs)
    said = str(export_run(trained, wish, root))
    assert "The file errs more often than its run: its EER is 4.00 points higher." in said
    for scale in (-1.0, 10.0):
        (tmp_path / "model.onnx").unlink(missing_ok=True)
        made = run_module(trained, root)
        made.module.scale, made.module.offset = scale * made.module.scale, scale * made.module.offset
        monkeypatch.setattr("src.deploy.exporting.export.run_module", lambda *_, made=made: made)
        with pytest.raises(ValueError, match=r"The file gives other scores than run0: .* with `precision=fp32`"):
            export_run(trained, wish, root)
        assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"format": "tflite"}, "Unknown format 'tflite'; allowed: onnx, torchscript, torch-export"),
        ({"precision": "int4"}, "Unknown precision 'int4'; allowed: fp32, int8"),
        ({"format": "torchscript", "precision": "int8"}, "`precision=int8` is for `format=onnx`"),
    ],
)
def test_unknown_wishes_are_refused(wish: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Wish(**wish)


def test_a_runtime_that_is_not_installed_is_named(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("src.deploy.exporting.formats.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs the package onnx: pip install -e '\.\[export\]'"):
        export_run(trained_run(root, LR), Wish(output=tmp_path / "model.onnx"), root)


def test_a_wrong_ending_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`output` of onnx ends with \.onnx, not with '\.pt'"):
        export_run(trained_run(root, LR), Wish(output=tmp_path / "model.pt"), root)


def test_eight_bits_are_refused_where_there_is_no_product_to_round(exported: Export, tmp_path: Path) -> None:
    path = Path(shutil.copy(exported.path, tmp_path))
    with pytest.raises(ValueError, match="no matrix product of weights that eight bits would make smaller"):
        to_int8(path)
    assert list(tmp_path.iterdir()) == [path]


class Layers(torch.nn.Module):
    """A convolution and a matrix product."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.dense = torch.nn.Conv1d(1, 16, 400, stride=160), torch.nn.Linear(16, 64)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        return self.dense(self.convolution(waveforms[:, None]).transpose(1, 2)).square().mean(dim=(1, 2))


def test_products_of_weights_are_rounded_and_convolutions_are_not(tmp_path: Path) -> None:
    import onnx

    torch.manual_seed(0)
    layers, path = Layers().eval().requires_grad_(False), tmp_path / "layers.onnx"
    ONNX.write(Exportable(layers, 400, None, 16_000), path)
    assert to_int8(path) == 1
    assert "Conv" in {node.op_type for node in onnx.load(path).graph.node}
    waveforms = torch.randn(3, 9_000)
    scores, expected = ONNX.open(path)(waveforms.numpy()), layers(waveforms).numpy()
    assert 0 < np.abs(scores - expected).max() < 0.02 * expected.max()
