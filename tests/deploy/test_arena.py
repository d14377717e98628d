"""The arena's folder scores by itself, in a process of its own, as the run does; its score files are pinned."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from src.audio.io import load_waveform, save_waveform
from src.deploy.arena import export_arena
from src.deploy.arena_detector import ARENA_SAMPLES, Detector
from src.deploy.arena_scores import Scored, write_scores
from src.deploy.judge import open_judge
from src.experiments.runs.artefacts import read_scores
from src.experiments.runs.names import RunName
from src.experiments.training.trained import read_trained
from src.utils.files import file_digest, read_json, write_json
from tests.conftest import tone
from tests.deploy.conftest import FINE_TUNED, FUSED, LR, ONE_LAYER, TINY
from tests.typed import REPOSITORY, run_fab

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
FRESH = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from arena_detector import Detector
from src.audio.io import load_waveform
detector = Detector(n_samples=None, device="cpu")
print(json.dumps([detector.score(load_waveform(Path(path))) for path in sys.argv[2:]]))
"""


def export(root: Path, name: str, place: Path, **options: Any) -> Path:
    return export_arena(RunName.parse(name), place, root=root, **options).folder


@pytest.fixture(scope="module")
def exported(judged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that was tested, and judged on another corpus; not to be changed."""
    root = tmp_path_factory.mktemp("arena")
    shutil.copytree(judged / "runs" / LR, root / "runs" / LR)
    about = {"corpus": "a <b>", "protocol": "all trials (dev, eval)", "split": "all", "identity": "0" * 64}
    write_json(root / "runs" / LR / "benchmark" / "a-00-all" / "results.json", {"about": about})
    shutil.copyfile(root / "runs" / LR / "scores.csv", root / "runs" / LR / "benchmark" / "a-00-all" / "scores.csv")
    return export(root, LR, root / "out", datasets=[judged / "datasets" / "corpus"])


@pytest.mark.slow
def test_a_fresh_process_scores_as_the_run_did(exported: Path, judged: Path, tmp_path: Path) -> None:
    table = read_scores(judged / "runs" / LR)
    moved = shutil.copytree(exported, tmp_path / "elsewhere")  # it needs neither its project nor the corpus
    clips = [str(judged / "datasets" / "corpus" / file) for file in table["file"]]
    command = [sys.executable, "-W", "ignore", "-c", FRESH, str(moved), *clips]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(found, table["score"], rtol=1e-12)  # one clip at a time, the test all at once


@pytest.mark.parametrize("name", [ONE_LAYER, TINY, FINE_TUNED, FUSED])
def test_runs_of_every_kind_score_from_their_folder(judged: Path, tmp_path: Path, name: str) -> None:
    model = str(judged / "small") if name in (ONE_LAYER, FUSED) else None
    folder = export(judged, name, tmp_path / "out", model=model)
    clips = [
        load_waveform(judged / "datasets" / "corpus" / file) for file in read_scores(judged / "runs" / LR)["file"][:2]
    ]
    detector = Detector(folder, model=model, device="cpu")
    own = open_judge(read_trained(judged, RunName.parse(name)), root=judged, model=model, device="cpu")
    assert detector.scores(clips).tolist() == own.score(clips).tolist()
    assert detector.threshold == own.threshold
    assert "Person0" not in "".join(path.read_text() for path in folder.rglob("provenance.json"))
    assert ("which was a local one" in (folder / "README.md").read_text()) == (name in (ONE_LAYER, FUSED))


def test_score_files_are_pinned_and_name_their_protocol(exported: Path, judged: Path) -> None:
    manifest = read_json(exported / "manifest.json")
    there = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    assert set(manifest["files"]) == there - {"manifest.json"}
    assert all(file_digest(exported / file) == digest for file, digest in manifest["files"].items())
    protocols = {entry["protocol"]: entry for entry in manifest["scores"]}
    assert {name: entry["arena_protocol"] for name, entry in protocols.items()} == {
        "downstream_test, whole recordings": False,
        "all trials (dev, eval), whole recordings": False,
        "all clips, the first 64,600 samples": True,
    }
    table = read_scores(judged / "runs" / LR)
    entry = protocols["downstream_test, whole recordings"]
    lines = [line.rpartition(" ") for line in (exported / entry["file"]).read_text().splitlines()]
    assert [float(score) for _, _, score in lines] == table["score"].tolist()
    assert [trial for trial, _, _ in lines] == [Path(file).stem for file in table["file"]] or lines[0][0] in set(
        table["file"]
    )
    assert entry["sha256"] == file_digest(exported / entry["file"]) == manifest["files"][entry["file"]]
    assert "| a &#60;b&#62; |" in (exported / "README.md").read_text()
    arena = protocols["all clips, the first 64,600 samples"]
    assert arena["trials"] == len(list((judged / "datasets" / "corpus").rglob("*.flac")))


def test_corpora_of_nearly_one_name_keep_their_scores(tmp_path: Path) -> None:
    tables = [pd.DataFrame({"file": ["1.wav"], "score": [score]}) for score in (1.0, 2.0)]
    names = ("mini a", "mini-a")
    found = [Scored(name, "all", True, table, "0", "") for name, table in zip(names, tables, strict=True)]
    entries = [write_scores(tmp_path, one) for one in found]
    assert [file_digest(tmp_path / entry["file"]) for entry in entries] == [entry["sha256"] for entry in entries]
    assert entries[0]["file"] != entries[1]["file"]


def test_the_arena_sees_the_first_samples_alone(exported: Path) -> None:
    detector = Detector(exported)
    long = tone(1, noise=0.01, seconds=6)
    assert detector(long) == detector(long[:ARENA_SAMPLES]) != Detector(exported, n_samples=None)(long)
    assert detector.score(np.asarray(long, np.float64)) == pytest.approx(detector(long))
    for wrong, rate, said in (
        (long[None], 16_000, r"shape \(n,\), mono, not \(1, 96000\)"),
        (long, 8_000, "must be at 16000 Hz, not 8000"),
        (np.zeros(16_000, np.float32), 16_000, "silent"),
    ):
        with pytest.raises(ValueError, match=said):
            detector.score(wrong, rate)


def test_trials_that_cannot_be_used_are_named(judged: Path, tmp_path: Path) -> None:
    from src.experiments.corpus.catalogue import generate_tables
    from tests.conftest import write_corpus

    dataset = write_corpus(tmp_path / "some", people=2, clips=1, without_spoofs=0)
    generate_tables(dataset)
    spoiled = next((dataset / "fake_voices").rglob("*.flac"))
    save_waveform(spoiled, np.zeros(8_000, np.float32))
    folder = export(judged, LR, tmp_path / "out", datasets=[dataset])
    (entry,) = [entry for entry in read_json(folder / "manifest.json")["scores"] if entry["arena_protocol"]]
    assert (entry["trials"], list(entry["unusable"])) == (3, [spoiled.relative_to(dataset).as_posix()])


def test_the_task_replaces_its_own_folder_and_no_other(
    judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "project"
    shutil.copytree(judged / "runs" / LR, root / "runs" / LR)
    (root / "other").mkdir()
    (root / "other" / "notes.txt").touch()
    (root / "file").touch()
    for _ in range(2):
        assert run_fab("ExportArena --run=run0", root, monkeypatch) == 0
    said = capsys.readouterr().out
    assert "trials of corpus, downstream_test, whole recordings" in said
    assert f"Written to {root / 'runs/run0/arena'}" in said and "ExportArena --datasets=" in said
    assert not [path for path in (root / "runs/run0").iterdir() if path.name.startswith(".")]
    (root / "runs/run0/model.safetensors").unlink()
    for flags, expected in (
        ("--run=run0 --output=other", "is not empty and was not made by ExportArena"),
        ("--run=run0 --output=file", "--output must be a folder"),
        ("--run=run0 --datasets=nowhere", "There is no folder"),
        ("--run=run7", "There is no run 7"),
        ("--run=run0", "has no weights any more"),
    ):
        assert run_fab(f"ExportArena {flags}", root, monkeypatch) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert expected in line
    assert (root / "runs/run0/arena/manifest.json").is_file()
