"""What was typed for a task becomes what runs on the host, with the files that it names."""

from pathlib import Path

import pytest

from src.remote.order import Order, read_order

FLAGS = {
    "GenerateEmbeddings": {
        "dataset": "path",
        "backbone": "text",
        "model": "text",
        "noise_folder": "path",
        "batch_seconds": "text",
        "shard": "text",
        "num_shards": "text",
    },
    "TestModel": {"run": "text", "dataset": "path or none", "quick": "switch", "output": "path"},
    "Benchmark": {"run": "text", "datasets": "text"},
    "PretrainBackbone": {"dataset": "text", "teacher": "text"},
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    for folder in ("datasets/corpus", "runs/svm_study0/run3", "embeddings/corpus/lfcc", "runs/pretraining0/model"):
        (root / folder).mkdir(parents=True)
    (tmp_path / "other disk" / "noise").mkdir(parents=True)
    (tmp_path / "other disk" / "speech").mkdir()
    monkeypatch.chdir(root)
    return root


def read(text: str, root: Path) -> Order:
    return read_order(text, FLAGS, root)


def test_what_lies_in_the_project_keeps_its_place(root: Path) -> None:
    order = read("GenerateEmbeddings --backbone=lfcc --dataset=datasets/corpus --model=runs/pretraining0/model", root)
    assert order.words[1:] == ("--backbone=lfcc", "--dataset=datasets/corpus", "--model=runs/pretraining0/model")
    assert order.corpora == {"datasets/corpus": root / "datasets/corpus"}
    assert order.inputs == {"runs/pretraining0/model": root / "runs/pretraining0/model"}
    assert order.stores(root) == {"embeddings/corpus/lfcc": root / "embeddings/corpus/lfcc"}


def test_what_lies_elsewhere_gets_a_place(root: Path) -> None:
    elsewhere = root.parent / "other disk"
    text = f"GenerateEmbeddings '--dataset={elsewhere / 'speech'}' '--noise-folder={elsewhere / 'noise'}'"
    order = read(text, root)
    assert order.corpora == {"datasets/speech": elsewhere / "speech"}
    ((there, here),) = order.inputs.items()
    assert here == elsewhere / "noise"
    assert there.startswith(".remote/sent/") and there.endswith("/noise")
    assert order.words[1:] == ("--dataset=datasets/speech", f"--noise-folder={there}")


def test_relative_paths_are_taken_from_the_current_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "datasets")
    assert read("TestModel --dataset=corpus --run=run0", root).words == (
        "TestModel",
        "--dataset=datasets/corpus",
        "--run=run0",
    )


def test_names_that_are_no_paths_stay_as_they_are(root: Path) -> None:
    text = "GenerateEmbeddings --dataset=datasets/corpus --model=facebook/wav2vec2-base"
    assert read(text, root).words == tuple(text.split())
    assert read(text, root).inputs == {}


def test_the_folder_of_a_teacher_goes_along(root: Path) -> None:
    order = read("PretrainBackbone --dataset=datasets/corpus --teacher=runs/pretraining0/model", root)
    assert order.inputs == {"runs/pretraining0/model": root / "runs/pretraining0/model"}


def test_runs_go_along_whole_with_the_stores_of_their_corpora(root: Path) -> None:
    order = read("TestModel --run=svm_study0/run3 --dataset=datasets/corpus --quick", root)
    assert order.runs == {"runs/svm_study0": root / "runs/svm_study0"}
    assert order.stores(root) == {"embeddings/corpus/lfcc": root / "embeddings/corpus/lfcc"}
    assert order.words[-1] == "--quick"


def test_several_corpora_are_sent(root: Path) -> None:
    speech = root.parent / "other disk" / "speech"
    order = read(f"Benchmark --run=svm_study0 '--datasets=datasets/corpus,{speech}'", root)
    assert order.words[-1] == "--datasets=datasets/corpus,datasets/speech"
    assert set(order.corpora) == {"datasets/corpus", "datasets/speech"}


def test_the_default_corpus_goes_along_where_there_is_one(root: Path) -> None:
    assert read("GenerateEmbeddings", root).corpora == {}
    (root / "datasets" / "release").mkdir()
    assert read("GenerateEmbeddings", root).corpora == {"datasets/release": root / "datasets/release"}
    assert read("PretrainBackbone", root).corpora == {"datasets/release": root / "datasets/release"}
    assert read("TestModel --run=run0", root).corpora == {}, "without the flag it takes that of the run"
    assert read("Benchmark --run=run0", root).corpora == {}


def test_hosts_get_shares_in_batches_of_one_size(root: Path) -> None:
    order = read("GenerateEmbeddings --dataset=datasets/corpus", root)
    assert order.share(0, 1) is order
    shares = [order.share(number, 2) for number in range(2)]
    assert [share.words[-2:] for share in shares] == [("--shard=0", "--num-shards=2"), ("--shard=1", "--num-shards=2")]
    assert all("--batch-seconds=64" in share.words for share in shares)
    assert len({order.name, *(share.name for share in shares)}) == 3
    given = read("GenerateEmbeddings --dataset=datasets/corpus --batch-seconds=8", root).share(1, 2)
    assert [word for word in given.words if "batch" in word] == ["--batch-seconds=8"]


@pytest.mark.parametrize("text", ["TestModel --run=run0", "GenerateEmbeddings --shard=0 --dataset=datasets/corpus"])
def test_what_cannot_be_shared_is_refused_for_several_hosts(root: Path, text: str) -> None:
    with pytest.raises(ValueError, match="cannot be shared by 3 hosts"):
        read(text, root).share(0, 3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "What shall run there"),
        ("GenerateEmbedding", "no task 'GenerateEmbedding'"),
        ("TestModel --runn=run0", "--runn=run0"),
        ("TestModel run0", "'run0'"),
        ("TestModel --run", "'--run' alone"),
        ("TestModel --run='run0", "cannot be read"),
        ("TestModel --run=run0 --quick=false", "is a switch"),
        ("TestModel --output=/nowhere/else.json", "outside of the project"),
    ],
)
def test_what_is_no_task_is_refused(root: Path, text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read(text, root)


def test_a_corpus_that_is_missing_is_refused(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read("TestModel --dataset=nowhere", root)


def test_two_corpora_of_one_name_are_refused(root: Path) -> None:
    (root.parent / "corpus").mkdir()
    with pytest.raises(ValueError, match="would both be datasets/corpus"):
        read(f"Benchmark --datasets=datasets/corpus,{root.parent / 'corpus'}", root)
