"""Every wrong use ends in one line that says what to do and exit code 2; nothing is written, raw data stays."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.typed import run_fab

Change = Callable[[Path], None]


def digest(root: Path) -> str:
    """Digest names and contents of everything below a folder."""
    parts = [f"{path.relative_to(root)} {path.read_bytes()!r}" for path in sorted(root.rglob("*")) if path.is_file()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def remove(pattern: str) -> Change:
    def change(root: Path) -> None:
        for path in sorted(root.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def put(file: str, text: str) -> Change:
    def change(root: Path) -> None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)

    return change


def edit_table(file: str, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> Change:
    def change(root: Path) -> None:
        path = root / "datasets" / "corpus" / file
        edit(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)

    return change


def trained(root: Path) -> None:
    from src.experiments.inputs.embeddings import Embeddings
    from src.experiments.training.recipe import choose_recipe
    from src.experiments.training.trainer import train_model

    train_model(choose_recipe(root / "datasets" / "corpus", Embeddings("lfcc"), "svm"), root=root)


def both(*changes: Change) -> Change:
    def change(root: Path) -> None:
        for each in changes:
            each(root)

    return change


def split_again(root: Path) -> None:
    from src.experiments.corpus.splits import SplitShares, split_dataset

    split_dataset(root / "datasets" / "corpus", SplitShares(pretext=0, train=0.5, val=0.25), seed=99)


def one_label(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["label"] == "bona-fide"]


def set_cell(column: str, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def edit(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[3, column] = value
        return table

    return edit


def tiny_model(root: Path, *, weights: bool = True) -> None:
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    config = HubertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(8,) * 7,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    HubertModel(config).save_pretrained(root / "model")
    Wav2Vec2FeatureExtractor().save_pretrained(root / "model")
    if not weights:
        (root / "model" / "model.safetensors").unlink()


def edit_bytes(file: str, edit: Callable[[bytes], bytes]) -> Change:
    return lambda root: (root / file).write_bytes(edit((root / file).read_bytes())) and None


def nothing(root: Path) -> None:
    """Leave the project as it is."""


D = "--dataset=datasets/corpus"
LFCC = f"{D} --backbone=lfcc"
CORPUS = "datasets/corpus"
STORE = "embeddings/corpus/lfcc/downstream_val"
LAYER = f"{STORE}/layers/layer-00.f32"
RESULTS = put("runs/run0/test_results.json", '{"eer": {"value": 0.5, "low": null, "high": null}}')
SCORED = put("runs/run0/scores.csv", "file,label,score,speaker,gender,system\na.wav,spoof,0.5,Ana_F001,F,xtts\n")
TESTED = both(trained, RESULTS, SCORED)
BOTH_CLASSES = "".join(f"{n}.wav,{('spoof', 'bona-fide')[n % 2]},{n / 8},Ana_F00{n // 2},F,\n" for n in range(8))
TWO_TESTED = both(
    TESTED,
    put("runs/run0/scores.csv", f"file,label,score,speaker,gender,system\n{BOTH_CLASSES}"),
    lambda root: shutil.copytree(root / "runs" / "run0", root / "runs" / "run1") and None,
)
ONE_PERSON = both(
    remove(f"{CORPUS}/*_voices/Person0[1-9]*"), remove(f"{CORPUS}/*_voices/Person1*"), remove(f"{CORPUS}/*.csv")
)
CASES = [
    ("GenerateDatasetCSV --dataset=nowhere", nothing, "There is no folder"),
    (f"GenerateDatasetCSV {D}", remove(f"{CORPUS}/real_voices"), "has no folder real_voices/"),
    (f"GenerateDatasetCSV {D}", remove(f"{CORPUS}/fake_voices"), "has no folder fake_voices/"),
    (f"GenerateDatasetCSV {D}", remove(f"{CORPUS}/*_voices/*"), "holds no recording"),
    (f"GenerateDatasetCSV {D}", put(f"{CORPUS}/real_voices/Maria/1.wav", ""), "should be named <Name>_<F|M>NNN"),
    (f"GenerateDatasetCSV {D} --layout=tapes", nothing, "Unknown layout 'tapes'; allowed: audios"),
    (f"AddDatasetDuration {D}", remove(f"{CORPUS}/*.csv"), "make it with fab GenerateDatasetCSV"),
    (f"AddDatasetAmplitude {D} --jobs=-1", nothing, "--jobs must be 0"),
    (f"AddDatasetAmplitude {D}", remove(f"{CORPUS}/real_voices/Person00_F000/F000-0000.flac"), "There is no recording"),
    (
        f"SplitDataset {D}",
        edit_table("files-metadata.csv", lambda table: table.drop(columns="label")),
        "has no column label",
    ),
    (f"SplitDataset {D}", edit_table("files-metadata.csv", set_cell("label", "maybe")), "row 5: .*'maybe'"),
    (f"SplitDataset {D}", edit_table("files-metadata.csv", set_cell("gender", "X")), "row 5: unknown gender 'X'"),
    (f"SplitDataset {D}", edit_table("files-metadata.csv", one_label), "holds only bona-fide clips"),
    (f"SplitDataset {D}", put(f"{CORPUS}/files-metadata.csv", "\x00\x01"), "has no column|cannot be read"),
    (f"SplitDataset {D} --pretext=1", nothing, r"--pretext must lie in \[0, 1\)"),
    (f"SplitDataset {D} --train=0.8 --val=0.2", nothing, "leave some for the test"),
    (f"SplitDataset {D} --train=half", nothing, "--train must be a number, not 'half'"),
    (f"SplitDataset {D} --seed=-3", nothing, "--seed must lie in 0 to 4294967295, not"),
    (f"GenerateDatasetCSV {D} SplitDataset {D}", ONE_PERSON, "cannot fill the 5 splits"),
    (f"NormalizeDataset {D} --method=loud", nothing, "Unknown method 'loud'; allowed: peak, rms"),
    (f"NormalizeDataset {D} --method=rms --target-rms=0", nothing, "--target-rms must lie in"),
    (f"NormalizeDataset {D} --output={CORPUS}/inside", nothing, "--output must lie outside"),
    (f"AddNoise {D} --snr=loud", nothing, "--snr must be a number, not 'loud'"),
    (f"AddNoise {D} --snr=nan", nothing, "--snr must be a finite number"),
    (f"AddNoise {D} --output=file/corpus", put("file", "in the way"), "Not a directory"),
    (f"AddNoise {D} --output=full", put("full/of.txt", "other things"), "is not empty"),
    (f"CreateSpoofs {D} --vocoder=parrot", nothing, "Unknown vocoder 'parrot'; allowed: griffinlim"),
    (f"GenerateEmbeddings {D}", nothing, "No backbone given"),
    (
        f"GenerateEmbeddings {D} --backbone=ear",
        nothing,
        "Unknown backbone 'ear'; allowed: wav2vec2, hubert, wavlm, unispeech-sat",
    ),
    (f"GenerateEmbeddings {LFCC} --splits=exam", nothing, "Unknown split 'exam'; allowed: pretext_train"),
    (f"GenerateEmbeddings {LFCC} --splits=pretext_val", nothing, "was not made .*: run fab SplitDataset"),
    (f"GenerateEmbeddings {LFCC} --model=facebook/x", nothing, "lfcc has no models"),
    (f"GenerateEmbeddings {LFCC} --batch-seconds=-1", nothing, "--batch-seconds must be"),
    (f"GenerateEmbeddings {LFCC} --batch-seconds=nan", nothing, "--batch-seconds must be"),
    (f"GenerateEmbeddings {LFCC} --max-seconds=0", nothing, "--max-seconds must be 1 or more, not 0"),
    (f"GenerateEmbeddings {LFCC} --max-seconds=nan", nothing, "--max-seconds must be 1 or more, not nan"),
    (f"GenerateEmbeddings {LFCC} --max-seconds=long", nothing, "--max-seconds must be a number, not 'long'"),
    (f"GenerateEmbeddings {LFCC} --shard=3 --num-shards=3", nothing, "--shard must lie in 0 to 2 for --num-shards=3"),
    (f"GenerateEmbeddings {LFCC} --shard=-1 --num-shards=3", nothing, "--shard must lie in 0 to 2 .*, not -1"),
    (f"GenerateEmbeddings {LFCC} --shard=1", nothing, "--shard must lie in 0 to 0 for --num-shards=1, not 1"),
    (f"GenerateEmbeddings {LFCC} --num-shards=0", nothing, "--num-shards must be 1 or more, not 0"),
    (f"GenerateEmbeddings {LFCC} --layers=6-2", nothing, "--layers must be a range or a list .*, not '6-2'"),
    (f"GenerateEmbeddings {LFCC} --layers=99", nothing, "There is no layer 99: this model has the layers 0 to 0"),
    (f"GenerateEmbeddings {LFCC} --precision=fp16", nothing, "lfcc knows no precision 'fp16'"),
    (f"GenerateEmbeddings {LFCC}", remove(f"{CORPUS}/fake_voices/Person00_F000_Fake"), "recordings .* are missing"),
    (f"GenerateEmbeddings {LFCC} --window=own", nothing, "lfcc takes no --window, as whisper does; leave out --window"),
    (
        f"GenerateEmbeddings {D} --backbone=whisper --window=10",
        nothing,
        "Unknown --window '10' of whisper; allowed: 30",
    ),
    (
        f"GenerateEmbeddings {D} --backbone=hubert --model=random:tiny",
        nothing,
        "no random hubert of the size 'tiny': give --model=random:base or --model=random:large",
    ),
    (f"GenerateEmbeddings {D} --backbone=whisper --model=./model", tiny_model, "is of the family hubert, not whisper"),
    (f"GenerateEmbeddings {D} --backbone=wav2vec2 --device=tpu", nothing, "Unknown device 'tpu'"),
    (f"GenerateEmbeddings {D} --backbone=wav2vec2 --device=cuda:77", nothing, "There is no device cuda:77"),
    (f"GenerateEmbeddings {D} --backbone=wav2vec2 --precision=fp16", nothing, "Unknown precision 'fp16'"),
    (f"GenerateEmbeddings {D} --backbone=wav2vec2", nothing, "not in the hub's cache and cannot be downloaded"),
    (f"GenerateEmbeddings {D} --backbone=hubert --model=./absent", nothing, "There is no model folder"),
    (
        f"GenerateEmbeddings {D} --backbone=hubert --model=./model",
        lambda root: tiny_model(root, weights=False),
        "has no weights",
    ),
    (f"GenerateEmbeddings {D} --backbone=wav2vec2 --model=./model", tiny_model, "is of the family hubert"),
    (f"GenerateEmbeddings {D} --backbone=wavlm --model=./model", tiny_model, "is of the family hubert, not wavlm"),
    (f"GenerateEmbeddingsHubert {D} --model=./model --layers=x", tiny_model, "--layers must be a range .*, not 'x'"),
    (f"GenerateEmbeddingsHubert {D} --model=./model --layers=2", tiny_model, "There is no layer 2: .* 0 to 1"),
    (
        f"GenerateEmbeddingsWav2vec2 {D} --precision=fp16",
        nothing,
        "Unknown precision 'fp16'; allowed: auto, fp32, tf32",
    ),
    ("EmbeddingsInfo", remove("embeddings"), "There are no embeddings .*: .*fab GenerateEmbeddings"),
    ("EmbeddingsInfo --dataset=nowhere", nothing, "There are no embeddings .*nowhere: .*fab GenerateEmbeddings"),
    ("EmbeddingsInfo --backbone=hubert", nothing, "There are no embeddings .*hubert: .*fab GenerateEmbeddings"),
    (
        "EmbeddingsInfo",
        edit_bytes(LAYER, lambda content: content[:-1] + bytes([content[-1] ^ 1])),
        "1 of [0-9]+ rows are not what was written .*index.csv and run fab GenerateEmbeddings again",
    ),
    (f"EmbeddingsInfo {D}", edit_bytes(LAYER, lambda content: content[:-1]), "layer-00.f32 is missing or truncated"),
    ("EmbeddingsInfo --backbone=lfcc", remove(f"{STORE}/layers"), "layer-00.f32 is missing or truncated; delete"),
    ("EmbeddingsInfo", remove(f"{STORE}/journal.csv"), "index.csv is damaged: it does not fit journal.csv; delete"),
    ("EmbeddingsInfo", put(f"{STORE}/meta.json", "{"), "meta.json .*not valid JSON"),
    ("EmbeddingsInfo", put(f"{STORE}/index.csv", "file,label\na,spoof\n"), "index.csv is damaged: it does not fit"),
    (f"VisualizeEmbeddings {LFCC} --color-by=mood", nothing, "--color-by must be one of label.*, not 'mood'"),
    (f"VisualizeEmbeddings {LFCC} --layer=5", nothing, "There is no layer 5"),
    (f"TrainModel {LFCC}", nothing, "No classifier given"),
    (f"TrainModel {LFCC} --classifier=cnn", nothing, "Unknown classifier 'cnn'; allowed: mlp, svm, rf, lr"),
    (f"TrainModel {LFCC} --classifier=svm --pooling=max", nothing, "Unknown pooling 'max'"),
    (f"TrainModel {D} --backbone=hubert --classifier=svm", nothing, "make them with fab GenerateEmbeddings"),
    (f"TrainModel {LFCC} --classifier=svm", remove(f"{CORPUS}/splits"), "run fab SplitDataset"),
    (f"TrainModel {LFCC} --classifier=svm", split_again, "was changed after its embeddings were made"),
    (f"TrainModel {LFCC} --classifier=svm --hyperparameters=none.json", nothing, "There is no hyperparameter file"),
    (f"TrainModel {LFCC} --classifier=svm --hyperparameters=h.json", put("h.json", "{"), "is not valid JSON"),
    (
        f"TrainModel {LFCC} --classifier=svm --hyperparameters=h.json",
        put("h.json", json.dumps({"depth": 3})),
        "Unknown hyperparameter 'depth'; allowed, with their defaults: C=10.0, kernel=rbf, gamma=",
    ),
    (f"OptimizeHyperparameters {LFCC} --classifier=svm --trials=-1", nothing, "--trials must be 1"),
    (
        f"OptimizeHyperparameters {LFCC} --classifier=svm --layer=deep",
        nothing,
        "--layer must be a whole number, not 'deep'",
    ),
    (
        f"TrainModel {LFCC} --classifier=svm --layer=mix",
        nothing,
        "svm cannot learn a mix of layers .*--layer=mix.*: name one layer, or train mlp",
    ),
    (f"TrainModel {LFCC} --classifier=svm --layer=0+1", nothing, r"--layer must be a whole number, not '0\+1'"),
    (f"TrainModel {D} --backbone=lfcc+lfc --classifier=svm", nothing, "Unknown backbone 'lfc'; allowed: "),
    (f"TrainModel {D} --backbone=lfcc+hubert --classifier=svm", nothing, "make them with fab GenerateEmbeddings"),
    (f"VisualizeEmbeddings {D} --backbone=lfcc+hubert", nothing, "GenerateEmbeddings|one --backbone"),
    (f"OptimizeHyperparameters {LFCC} --classifier=svm --study-number=4", nothing, "There is no study 4 of svm"),
    (f"TestModel {D}", nothing, "Which run"),
    (f"TestModel {D} --study-number=0", nothing, "Whose study"),
    (f"TestModel {D} --run-number=9", trained, "There is no run 9 .*runs there: 0"),
    (f"TestModel {D} --run-number=0 --gender=X", trained, "Unknown --gender 'X'; allowed: F, M"),
    (f"TestModel {D} --run-number=0 --classifier=mlp", trained, "was trained with the classifier svm, not mlp"),
    (
        f"TestModel {D} --run-number=0",
        both(trained, remove("embeddings/corpus/lfcc/downstream_test")),
        "make them with fab GenerateEmbeddings --backbone=lfcc --splits=downstream_test",
    ),
    ("CompareRuns", nothing, r"--runs takes two runs or more, such as run0,mlp_study0/run3; given: ''"),
    ("CompareRuns --runs=run0,", nothing, "--runs takes two runs or more, .*given: 'run0,'"),
    ("CompareRuns --runs=run0,run1", nothing, "There is no run 0 in .*there are no runs yet.*fab TrainModel"),
    ("CompareRuns --runs=run0,run1", trained, "run0 was not tested .*: run fab TestModel --run=run0"),
    ("CompareRuns --runs=run0,run1", TESTED, "There is no run 1 in .*runs there: 0"),
    ("CompareRuns --runs=run0,svm_study2", TESTED, "There is no study 2 of svm; there are no studies yet"),
    ("CompareRuns --runs=run0,best", TESTED, "'best' is not a run; runs have names such as run0 or svm_study0/run3"),
    ("CompareRuns --runs=run0,../run0", TESTED, "'../run0' is not a run"),
    ("CompareRuns --runs=run0,runs/run0/", TESTED, "--runs names run0 twice"),
    (
        "CompareRuns --runs=run0,run1",
        both(TESTED, put("runs/run0/scores.csv", "file,label,score\na.wav,spoof,0.5\n")),
        r"scores.csv is damaged \(it has no column speaker\): test the run again",
    ),
    (
        "CompareRuns --runs=run0,run1",
        both(TESTED, put("runs/run0/test_results.json", "{}")),
        "test_results.json is damaged: it holds no eer",
    ),
    (f"CompareLayers {D} --classifier=svm", nothing, "No backbone given"),
    (f"CompareLayers {LFCC}", nothing, "No classifier given"),
    (f"CompareLayers {LFCC} --classifier=cnn", nothing, "Unknown classifier 'cnn'; allowed: mlp, svm, rf, lr"),
    (f"CompareLayers {LFCC} --classifier=svm --pooling=max", nothing, "Unknown pooling 'max'"),
    (f"CompareLayers {D} --backbone=hubert --classifier=svm", nothing, "make them with fab GenerateEmbeddings"),
    (
        "CompareLayers --dataset=nowhere --backbone=lfcc --classifier=svm",
        nothing,
        "There is no corpus folder .*nowhere",
    ),
    (f"CompareLayers {LFCC} --classifier=svm", split_again, "was changed after its embeddings were made"),
    (f"CompareLayers {LFCC} --classifier=svm --hyperparameters=none.json", nothing, "There is no hyperparameter file"),
    (
        f"CompareLayers {LFCC} --classifier=svm --hyperparameters=h.json",
        put("h.json", json.dumps({"classifier": "rf"})),
        "h.json is of the classifier rf, not svm",
    ),
    (
        f"TrainModel {LFCC} --hyperparameters=h.json",
        put("h.json", json.dumps({"classifier": "rf"})),
        "No classifier given .*allowed: mlp, svm, rf, lr",
    ),
    (f"CompareLayers {LFCC} --classifier=svm --seed=-1", nothing, "--seed must lie in 0 to 4294967295, not"),
    ("ReproduceRun", nothing, "Which run"),
    ("ReproduceRun --study-number=0", nothing, "Whose study"),
    ("ReproduceRun --study-number=0 --classifier=svm", nothing, "There is no study 0 of svm"),
    ("ReproduceRun --run-number=9", trained, "There is no run 9 .*runs there: 0"),
    ("ReproduceRun --run-number=0 --dataset=datasets/release", trained, "run0 was trained on the corpus corpus, not"),
    ("ReproduceRun --run-number=0", both(trained, split_again), "was changed after its embeddings were made"),
    ("ReproduceRun --run-number=0", both(trained, remove(STORE)), "There are no embeddings .*fab GenerateEmbeddings"),
    (
        "ReproduceRun --run-number=0",
        both(trained, edit_bytes(f"{CORPUS}/real_voices/Person00_F000/F000-0000.flac", lambda content: content + b"0")),
        "1 recordings of .* are not those that .* was computed from",
    ),
    ("ReproduceRun --run-number=0", both(trained, remove("runs/run0/provenance.json")), "No such file .*provenance"),
    ("EvaluateScores", nothing, "No score file given"),
    ("EvaluateScores --scores=none.txt", nothing, "none.txt"),
    ("EvaluateScores --scores=s.txt", put("s.txt", "a 1.0\nb 2.0\n"), "key"),
    # fault 17: nothing is written over what is read
    ("EvaluateScores --scores=s.txt --output=s.txt", put("s.txt", ""), "--output is .*s.txt, which is read"),
    ("EvaluateScores --scores=s.txt --key=k --output=./k", both(put("s.txt", ""), put("k", "")), "--output is .*k, "),
    (
        "EvaluateScores --scores=s.txt --asv-scores=a --output=datasets/../a",
        both(put("s.txt", ""), put("a", "")),
        "--output is .*a, which is read",
    ),
    ("EvaluateScores --scores=s.txt --output=datasets", put("s.txt", ""), "--output must be a file, and .*datasets is"),
    ("CompareRuns --runs=run0,run1 --output=runs", TWO_TESTED, "--output must be a file, and .*runs is a folder"),
    ("CompareRuns --runs=run0,run1 --output=runs/run1/scores.csv", TWO_TESTED, "--output is .*scores.csv, which is"),
    ("CompareRuns --runs=run0,run1 --output=datasets/no/../../runs/run0/hyperparameters.json", TWO_TESTED, "--output"),
    (f"Pipeline {D} --backbone=lfcc --classifier=cnn", nothing, "Unknown classifier 'cnn'"),
    ("Pipeline --backbone=lfcc --classifier=svm", nothing, "There is no folder .*release"),
]


@pytest.mark.parametrize(
    ("arguments", "change", "line"), CASES, ids=[f"{n}-{case[0].split()[0]}" for n, case in enumerate(CASES)]
)
def test_wrong_use_ends_in_one_line(
    arguments: str,
    change: Change,
    line: str,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import re

    change(project)
    before = digest(project)
    if ONE_PERSON is change:  # its first task succeeds and writes the tables
        assert run_fab(arguments.split(" SplitDataset")[0], project, monkeypatch) == 0
        before, arguments = digest(project), "SplitDataset " + D
    capsys.readouterr()
    code = run_fab(arguments, project, monkeypatch)
    error = capsys.readouterr().err
    assert code == 2, error
    assert len(error.splitlines()) == 1, error
    assert re.search(line, error), error
    assert digest(project) == before, "a refused task wrote something"


@pytest.mark.slow
def test_raw_recordings_are_the_same_before_and_after_the_whole_chain(
    make_corpus: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Fault 6: steps that change sound wrote into the corpus they read."""
    dataset = make_corpus("corpus", people=12)
    sounds = [dataset / "real_voices", dataset / "fake_voices"]
    before = [digest(folder) for folder in sounds]
    for arguments in (
        f"Pipeline {LFCC} --classifier=svm --trials=2",
        f"NormalizeDataset {D} --method=rms --trim",
        f"AddNoise {D}",
        f"CreateSpoofs {D}",
        f"DatasetInfo {D}",
    ):
        assert run_fab(arguments, tmp_path, monkeypatch) == 0, arguments
    assert [digest(folder) for folder in sounds] == before


def test_a_full_disk_is_named_and_costs_nothing_that_was_finished(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import errno

    table = project / CORPUS / "files-metadata.csv"
    before = table.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(table))

    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_csv", full)
        assert run_fab(f"AddDatasetDuration {D}", project, patch) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert table.read_bytes() == before
    assert not list(table.parent.glob(".*part*"))
    assert run_fab(f"AddDatasetDuration {D}", project, monkeypatch) == 0
    assert np.isfinite(pd.read_csv(table)["duration"]).all()
