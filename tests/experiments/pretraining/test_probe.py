"""A probe of two small models beside LFCC, on recordings of three spoof systems."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from src.experiments.pretraining import clip_embeddings, probe_results, probing
from src.experiments.pretraining.clip_embeddings import LFCC, embed_clips, load_local
from src.experiments.pretraining.probe import has_downstream_splits, probe
from src.experiments.pretraining.probe_results import IN_DOMAIN, LEFT_OUT, PICTURE, TABLE, Probe
from src.experiments.pretraining.probing import RECORD, find_models
from tests.detectors.small_models import save_small, save_small_whisper
from tests.experiments.pretraining.probed_project import SYSTEMS, silence, write_probed_corpus
from tests.typed import run_fab

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probed")
    write_probed_corpus(folder / "datasets" / "corpus")
    save_small_whisper(folder / "start")
    save_small(folder / "model", num_hidden_layers=2)
    return folder


@pytest.fixture(scope="module")
def silent(root: Path) -> str:
    """Return a test clip that was replaced by silence."""
    from src.experiments.corpus.splits import read_split

    file = str(read_split(root / "datasets" / "corpus", "downstream_test")["file"].iloc[0])
    silence(root / "datasets" / "corpus", file)
    return file


@pytest.fixture(scope="module")
def reads() -> Counter[str]:
    return Counter()


@pytest.fixture(scope="module")
def probed(root: Path, silent: str, reads: Counter[str]) -> Iterator[Probe]:
    load = clip_embeddings.load_waveform

    def counted(path: Path, rate: int) -> np.ndarray:
        reads[str(path)] += 1
        return load(path, rate)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clip_embeddings, "load_waveform", counted)
        models = {LFCC: None, "start": root / "start", "model": root / "model"}
        yield probe(models, root / "datasets" / "corpus", root=root)


def rows_of(table: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def test_every_recording_is_read_once_for_all_models(probed: Probe, reads: Counter[str]) -> None:
    assert len(reads) > 80
    assert set(reads.values()) == {1}


def test_the_table_has_every_layer_in_domain_and_without_each_system(probed: Probe) -> None:
    n_layers = {LFCC: 1, "start": 4, "model": 3}
    for model, n in n_layers.items():
        for system in ("", *SYSTEMS):
            assert rows_of(probed.table, model=model, judged=LEFT_OUT, system=system)["layer"].tolist() == [*range(n)]
        assert rows_of(probed.table, model=model, judged=IN_DOMAIN)["layer"].tolist() == [*range(n)]


def test_lfcc_has_the_eer_of_the_statistics_that_stores_hold(probed: Probe, root: Path, silent: str) -> None:
    from src.backbones import load_backbone
    from src.backbones.clips import recording_statistics
    from src.experiments.corpus.splits import DOWNSTREAM, read_split
    from src.metrics.eer import eer_of
    from src.models.logistic_regression import LogisticRegression, LogisticRegressionConfig
    from src.utils.embeddings import EmbeddingTable, table_of

    backbone, dataset = load_backbone("lfcc"), root / "datasets" / "corpus"

    def table(split: str) -> EmbeddingTable:
        rows = read_split(dataset, split)
        rows = rows[rows["file"] != silent]
        statistics = [recording_statistics(backbone, dataset / file)[0] for file in rows["file"]]
        return table_of(rows, np.stack(statistics).reshape(len(rows), -1))

    train, val, test = map(table, DOWNSTREAM)
    head = LogisticRegression(LogisticRegressionConfig())
    head.fit(train, val)
    (found,) = rows_of(probed.table, model=LFCC, judged=IN_DOMAIN).to_dict("records")
    assert found["eer"] == eer_of(test.labels, head.scores(test.vectors))
    assert found["val_eer"] == eer_of(val.labels, head.scores(val.vectors))
    assert found["clips"] == len(test)


def test_the_mean_is_that_of_the_systems(probed: Probe) -> None:
    for _, rows in rows_of(probed.table, judged=LEFT_OUT).groupby(["model", "layer"]):
        mean, each = rows[rows["system"] == ""], rows[rows["system"] != ""]
        assert mean["eer"].item() == pytest.approx(each["eer"].mean())


def test_validation_chooses_one_layer_of_each_model(probed: Probe) -> None:
    for judged in (IN_DOMAIN, LEFT_OUT):
        rows = rows_of(probed.table, judged=judged, system="")
        for model, of_model in rows.groupby("model"):
            lowest = of_model["layer"].iloc[int(of_model["val_eer"].to_numpy().argmin())]
            assert probed.chosen(judged)[str(model)]["layer"] == lowest


def test_the_last_model_is_compared_with_lfcc_and_with_the_first(probed: Probe) -> None:
    for judged in (IN_DOMAIN, LEFT_OUT):
        chosen = probed.chosen(judged)
        pairs = [(each.first, each.second) for each in probed.differences[judged]]
        assert pairs == [("model", LFCC), ("model", "start")]
        for each in probed.differences[judged]:
            assert each.difference == pytest.approx(chosen[each.first]["eer"] - chosen[each.second]["eer"])
            assert each.bounds.low <= each.difference <= each.bounds.high


def test_clips_that_no_model_can_use_are_told(probed: Probe, silent: str) -> None:
    assert [note for note in probed.notes if silent in note and note.startswith("1 of ")]


def test_it_is_written_as_table_picture_and_sentences(
    probed: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = probe_results.save_figure
    drawn: list[Figure] = []
    monkeypatch.setattr(probe_results, "save_figure", lambda path, figure: (drawn.append(figure), save(path, figure)))
    probed.write(tmp_path)
    assert {text.get_text() for axes in drawn[0].axes for text in axes.texts} == set(SYSTEMS)
    assert pd.read_csv(tmp_path / TABLE)["eer"].tolist() == probed.table["eer"].tolist()
    assert (tmp_path / PICTURE).stat().st_size > 1000
    found = json.loads(json.dumps(probed.as_json(), allow_nan=False))
    assert found["left_out"]["models"]["model"]["eer"]["value"] == probed.chosen(LEFT_OUT)["model"]["eer"]
    assert any(line.startswith("On systems left out of training: lfcc, EER") for line in found["in_words"])


def test_without_known_systems_it_says_so_and_judges_in_domain() -> None:
    from src.experiments.pretraining.probe_results import Layer as ProbedLayer
    from src.experiments.pretraining.probe_results import conclude
    from src.metrics.across import Scored
    from src.metrics.bootstrap import Trials

    rng = np.random.default_rng(0)
    trials = Trials(np.arange(40) % 2, np.array([f"p{place // 4}" for place in range(40)]))
    layers = [
        ProbedLayer(name, layer, {IN_DOMAIN: eer, LEFT_OUT: float("nan")}, {"": Scored(trials, rng.random(40))})
        for name, layer, eer in (("start", 0, 0.2), ("start", 1, 0.3), ("model", 0, 0.4), ("model", 1, 0.1))
    ]
    found = conclude(layers, ["No system is left out: one made all spoofs."])
    assert {name: row["layer"] for name, row in found.chosen(IN_DOMAIN).items()} == {"start": 0, "model": 1}
    assert "left_out" not in found.as_json()
    assert str(found).splitlines()[-1] == "Note: No system is left out: one made all spoofs."


def test_folders_that_hold_no_model_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no model folder"):
        load_local(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"has no config\.json"):
        load_local(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no model folder .*pretraining4/start"):
        find_models("pretraining4", tmp_path)


def test_clips_that_cannot_be_used_at_all_are_an_error(root: Path, silent: str) -> None:
    from src.experiments.inputs.waveforms import Waveforms

    clips = Waveforms().open(root / "datasets" / "corpus", root).read("downstream_test")
    with pytest.raises(ValueError, match="None of the 1 clips can be embedded"):
        embed_clips({LFCC: None}, clips.take(clips.files == silent))


def test_a_corpus_with_splits_can_be_probed(root: Path, tmp_path: Path) -> None:
    assert has_downstream_splits(root / "datasets" / "corpus")
    assert not has_downstream_splits(tmp_path)


def test_models_are_probed_by_a_task(
    root: Path, probed: Probe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(probing, "probe", lambda models, *_, **options: asked.extend([models, options]) or probed)
    assert run_fab("ProbeBackbone --dataset=datasets/corpus --models=start --device=cpu", root, monkeypatch) == 0
    printed = capsys.readouterr().out
    assert asked[0] == {LFCC: None, f"{root.name}/start": root / "start"}
    assert asked[1] == {"root": root, "seed": 7, "device": "cpu"}
    assert "In domain: lfcc, EER " in printed
    folder = root / "runs" / "probe0"
    assert f"Written to {folder}; {folder / PICTURE} shows all layers." in printed
    record = json.loads((folder / RECORD).read_text())
    assert record["models"][f"{root.name}/start"].startswith("sha256:")
    assert record["in_words"] == printed.splitlines()[: len(record["in_words"])]
    assert set(record["origin"]["data"]["waveforms"]) == {"downstream_train", "downstream_val", "downstream_test"}


def test_models_are_found_by_folder_or_by_pretraining(root: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "pretraining3"
    for part in ("start", "model"):
        shutil.copytree(root / "start", run / part)
    for typed in ("pretraining3", "runs/pretraining3/"):
        assert find_models(typed, tmp_path) == {f"pretraining3/{part}": run / part for part in ("start", "model")}
    both = find_models(f"{root / 'start'}, {run / 'start'}", tmp_path)
    assert list(both) == [f"{root.name}/start", "pretraining3/start"]
    like = Path(shutil.copytree(run, tmp_path / "elsewhere" / "pretraining3")) / "start"
    assert list(find_models(f"{like},{run / 'start'}", tmp_path)) == [str(like), str(run / "start")]
    with pytest.raises(ValueError, match="Which models"):
        find_models(" , ", tmp_path)
    with pytest.raises(ValueError, match=r"names .*start twice"):
        find_models(f"{run / 'start'},pretraining3", tmp_path)


def test_an_encoder_of_our_own_is_judged_by_its_benchmark(
    root: Path, probed: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks import own_encoder

    asked: list[str] = []
    monkeypatch.setattr(own_encoder, "probe", lambda models, *_, **__: asked.extend(models) or probed)

    for part in ("start", "model"):
        shutil.copytree(root / "start", tmp_path / part)
    flags = [f"--dataset={root / 'datasets' / 'corpus'}", f"--root={root}", f"--run={tmp_path}"]
    monkeypatch.setattr("sys.argv", ["own_encoder", *flags])
    own_encoder.main()
    printed = capsys.readouterr().out.splitlines()
    assert asked == [LFCC, "start", "model", "model in float16"]
    assert printed[-1].startswith("It may ") and "0.01 MB in float16, of 5 allowed" in printed[-1]
