"""Pretraining into a run folder: killed and resumed to the same bits, carried on, read by the other tasks, refused."""

import errno
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import transformers

from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.splits import SplitShares, split_dataset
from src.experiments.pretraining import pretrainer
from src.experiments.pretraining.data import read_speech
from src.experiments.pretraining.pretrainer import Pretrained, pretrain_backbone
from src.experiments.pretraining.recipe import PretrainingRecipe
from src.experiments.pretraining.resuming import resume_pretraining
from src.learning import trainer as learning
from src.pretraining import loop
from src.pretraining.contract import PretrainingConfig
from src.pretraining.lesson import layer_groups
from src.pretraining.onwards import begin, completed
from src.utils.files import read_json, write_json
from tests.conftest import RATE, tone
from tests.forked import FORK, finished, forked, kill
from tests.pretraining.smaller import SMALLER, smaller
from tests.typed import run_fab

pytestmark = [
    pytest.mark.usefixtures("one_thread", "small"),
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
]
NOISY = '[{"probability": 0.8, "one_of": [{"effect": "white", "parameters": {"snr": {"from": 10, "to": 30}}}]}]'
TINY = {"crop_seconds": 1.0, "batch_seconds": 2.0, "accumulate": 2, "steps": 6, "validations": 3, "units": 8}
TINY |= {"warmup": 0.5, "augment": NOISY}
FLAGS = "--no-probe --steps=2 --batch-seconds=4 --set=crop_seconds=1,validations=1,units=8"


@pytest.fixture(scope="module")
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        smaller(patch)
        yield


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the picture of the signs, which takes longer than a training."""
    monkeypatch.setattr(pretrainer, "draw_signs", lambda folder: None)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project whose corpus has all five splits, and clips that are long enough."""
    import soundfile

    root = tmp_path_factory.mktemp("project")
    for number in range(16):
        name = f"Person{number:02d}_{'FM'[number % 2]}{number:03d}"
        for place in (f"real_voices/{name}/{name[-4:]}-000{{}}", f"fake_voices/{name}_Fake/{{}}_fake"):
            for clip in range(2):
                path = root / "datasets/corpus" / f"{place.format(clip)}.flac"
                path.parent.mkdir(parents=True, exist_ok=True)
                noise = 0.02 if "real" in place else 0.005
                soundfile.write(path, tone(10 * number + clip, noise=noise, seconds=1.1 + 0.2 * clip), RATE)
    generate_tables(root / "datasets/corpus")
    split_dataset(root / "datasets/corpus", SplitShares(pretext=0.5, pretext_train=0.75, train=0.5, val=0.25), seed=7)
    return root


def recipe_in(root: Path, **settings: Any) -> PretrainingRecipe:
    """Return a recipe of six steps."""
    config = PretrainingConfig.from_mapping({**TINY, **settings})
    return PretrainingRecipe((root / "datasets/corpus",), completed(config))


@pytest.fixture(scope="module")
def done(root: Path, small: None) -> Pretrained:
    """Return a pretraining that nothing disturbed."""
    return pretrain_backbone(recipe_in(root), root=root)


def test_the_folder_tells_everything(done: Pretrained) -> None:
    names = {path.name for path in done.folder.iterdir()}
    records = {"hyperparameters.json", "provenance.json", "metrics.json", "signs.csv", "signs.png"}
    assert names == {*records, "start", "half", "model"}
    signs = pd.read_csv(done.folder / "signs.csv")
    assert signs["step"].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert signs["held_out_loss"].notna().tolist() == [True, False, True, False, True, False, True]
    assert signs["hours_seen"].iloc[-1] == pytest.approx(6 * 4 / 3600)
    metrics = read_json(done.folder / "metrics.json")
    kept = signs.set_index("step")["held_out_loss"]
    assert metrics["held_out_loss"] == pytest.approx(kept[1:].min()) == pytest.approx(kept[metrics["best_step"]])
    provenance = read_json(done.folder / "provenance.json")
    people = provenance["data"]["people"]
    assert len(people["train"]) == 6 and not set(people["train"]) & set(people["held_out"])
    assert provenance["ended"] and provenance["parameters"] > 1000
    assert str(done).startswith(f"{done.folder}: held-out loss ")


def test_people_of_a_test_who_are_heard_in_a_derived_corpus_are_told(root: Path, tmp_path: Path) -> None:
    original, derived = tmp_path / "datasets/corpus", tmp_path / "datasets/noisy"
    for folder in (original, derived):
        shutil.copytree(root / "datasets/corpus", folder)
    write_json(derived / "recipe.json", {"source": "corpus"})
    recipe = replace(recipe_in(tmp_path), datasets=(original, derived))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_speech(recipe, tmp_path)
    test = pd.read_csv(derived / "splits/by_file/files-downstream_test.csv")
    person = test[test["id"] == test["id"][0]]
    edited("pretext_train", lambda table: pd.concat([table, person]))(derived)
    n_people = test["id"].nunique()
    with pytest.warns(UserWarning, match=f"1 of the {n_people} people of downstream_test are heard"):
        read_speech(recipe, tmp_path)


def pretrain_in_its_process(root: Path, how: str, last: int, waits: Connection) -> None:
    """Pretrain, or resume it, with a checkpoint at every step; after a step say so, and wait to be killed."""
    learning.CHECKPOINT_SECONDS = 0.0
    step = loop.PretrainingTrainer.training_step

    def counted(self: loop.PretrainingTrainer, *arguments: Any) -> Any:
        loss = step(self, *arguments)
        if self.state.global_step == last:
            waits.send(last)
            time.sleep(60)
        return loss

    loop.PretrainingTrainer.training_step = counted  # type: ignore[method-assign]
    if how == "resume":
        resume_pretraining("pretraining0", root=root)
    else:
        pretrain_backbone(recipe_in(root), root=root)


def test_killed_and_resumed_it_ends_as_undisturbed(done: Pretrained, root: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(root / "datasets", again / "datasets")
    for how, last in (("new", 3), ("resume", 4)):
        told, waits = FORK.Pipe(duplex=False)
        process = forked(pretrain_in_its_process, again, how, last, waits)
        assert told.poll(60), "it never came to this step"
        kill(process)
    assert finished(forked(pretrain_in_its_process, again, "resume", -1, waits)) == 0
    for name in ("model/model.safetensors", "model/objective.safetensors", "signs.csv", "metrics.json"):
        assert (again / "runs/pretraining0" / name).read_bytes() == (done.folder / name).read_bytes(), name
    assert not (again / "runs/pretraining0/checkpoints").exists()
    with pytest.raises(ValueError, match=r"is finished: its model lies in .*model"):
        resume_pretraining("pretraining0", root=again)


def test_other_tasks_read_its_model(
    done: Pretrained, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = f"--dataset=datasets/corpus --backbone=whisper --model={done.model}"
    assert run_fab(f"GenerateEmbeddings {model} --window=own --splits=downstream_val", root, monkeypatch) == 0
    flags = "--seconds=1 --epochs=1 --batch-size=16"
    assert run_fab(f"FineTune {model} {flags}", root, monkeypatch) == 0, capsys.readouterr().err


@pytest.mark.usefixtures("undrawn")
def test_it_is_carried_on_with_what_it_has_learnt(done: Pretrained, root: Path) -> None:
    further = pretrain_backbone(recipe_in(root, model=str(done.model), steps=2, validations=1, units=0), root=root)
    settings = read_json(further.model / "pretraining.json")["settings"]
    assert (settings["front_end"], settings["size"], settings["units"]) == ("mel", "small", 8)
    assert settings["learning_rate"] == 5e-5 and settings["layer_decay"] == 0.9
    assert further.metrics["start"]["held_out_loss"] == pytest.approx(done.metrics["held_out_loss"], rel=1e-4)
    shutil.rmtree(further.folder)


def test_several_corpora_are_learnt_from_at_once(done: Pretrained, root: Path, tmp_path: Path) -> None:
    other = shutil.copytree(root / "datasets/corpus", tmp_path / "other")
    recipe = recipe_in(root)
    one, two = (read_speech(replace(recipe, datasets=(recipe.datasets[0], *more)), root) for more in ((), (other,)))
    assert len(two.train.table) == 2 * len(one.train.table) and len(two.corpora) == 2
    with pytest.raises(ValueError, match="corpus_digest"):
        changed = replace(one, corpora=[{**one.corpora[0], "splits": {"pretext_train": {"corpus_digest": "1"}}}])
        changed.require_same({"corpora": one.corpora}, done.folder)


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"objective": "mel"}, "was pretrained with the objective wav2vec2, not mel"),
        ({"size": "base"}, "was pretrained with the size small, not base"),
        ({"front_end": "conv"}, "was pretrained with the front_end mel, not conv"),
        ({"units": 9}, "was pretrained with `units=8`, to which what it learnt belongs, not 9"),
        ({"teacher": "elsewhere"}, "was pretrained with `teacher=`, to which"),
    ],
)
def test_an_earlier_pretraining_of_another_kind_is_refused(done: Pretrained, wrong: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        completed(PretrainingConfig(model=str(done.model), **wrong))


@pytest.mark.parametrize("other", [{"front_end": "mel"}, {"size": "small"}])
def test_a_model_of_random_weights_has_its_own_shape(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is a model on waveforms of the size base: leave `front_end` and `size` out"):
        completed(PretrainingConfig(model="random:base", **other))
    assert completed(PretrainingConfig(model="random:base", front_end="conv", size="base")).size == "base"


def test_what_stands_behind_the_layers_learns_as_fast_as_the_highest(root: Path) -> None:
    objective, _ = begin(recipe_in(root).config)
    scales = {parameter: group["scale"] for group in layer_groups(objective, 0.5) for parameter in group["params"]}
    model = objective.encoder.model
    ends = [model.conv1.weight, model.layers[0].fc1.weight, model.layers[-1].fc1.weight, model.layer_norm.weight]
    assert [scales[parameter] for parameter in ends] == [0.5 ** len(model.layers), 0.5 ** (len(model.layers) - 1), 1, 1]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a public checkpoint with a quantiser."""
    folder = tmp_path_factory.mktemp("published")
    transformers.Wav2Vec2ForPreTraining(transformers.Wav2Vec2Config(**SMALLER["SMALL_CONV"])).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


@pytest.mark.usefixtures("undrawn")
def test_a_public_model_is_carried_on(root: Path, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_fab(f"PretrainBackbone --dataset=datasets/corpus --model={published} {FLAGS}", root, monkeypatch) == 0
    folder = max((root / "runs").glob("pretraining*"), key=lambda path: path.stat().st_mtime)
    models = [transformers.Wav2Vec2Model.from_pretrained(folder / name) for name in ("start", "model")]
    before, after = (dict(model.named_parameters()) for model in models)
    moved = {name: float((value - after[name]).detach().abs().max()) for name, value in before.items()}
    lowest, highest = "feature_extractor.conv_layers.0.conv.weight", "encoder.layers.1.feed_forward.output_dense.weight"
    assert 0 < moved[lowest] < moved[highest]
    shutil.rmtree(folder)


@pytest.mark.usefixtures("undrawn")
def test_stopped_or_out_of_space_it_says_how_to_resume(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "optimizer.pt")

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt, match="--resume=pretraining"):
        patch.setattr(loop.PretrainingTrainer, "training_step", stop)
        pretrain_backbone(recipe_in(root), root=root)
    monkeypatch.setattr(learning, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(transformers.Trainer, "_save_checkpoint", full)
    with pytest.raises(ValueError, match=r"No space left on device: optimizer\.pt\. Free some space and resume"):
        pretrain_backbone(recipe_in(root), root=root)
    for folder in root.glob("runs/pretraining*"):
        if not (folder / "metrics.json").exists():
            shutil.rmtree(folder)


Change = Callable[[Path], None]


def edited(split: str, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> Change:
    def change(dataset: Path) -> None:
        path = dataset / "splits/by_file" / f"files-{split}.csv"
        edit(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)

    return change


def broken(dataset: Path) -> None:
    table = pd.read_csv(dataset / "splits/by_file/files-pretext_train.csv")
    (dataset / table["file"][0]).write_bytes(b"fLaC")


def whisper(dataset: Path) -> None:
    config = transformers.WhisperConfig(**SMALLER["SMALL_MEL"])
    transformers.models.whisper.modeling_whisper.WhisperEncoder(config).save_pretrained(dataset.parent / "whisper")
    transformers.WhisperFeatureExtractor().save_pretrained(dataset.parent / "whisper")


def without_quantiser(dataset: Path) -> None:
    config = transformers.Wav2Vec2Config(**SMALLER["SMALL_CONV"])
    transformers.Wav2Vec2Model(config).save_pretrained(dataset.parent / "bare")
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(dataset.parent / "bare")


def nothing(dataset: Path) -> None:
    """Leave the corpus as it is."""


CASES = [
    ("", lambda dataset: shutil.rmtree(dataset / "splits"), "pretext_train of .* was not made .*fab SplitDataset"),
    ("", edited("pretext_train", lambda table: table[:0]), "pretext_train.csv has no rows; run fab SplitDataset again"),
    ("--batch-seconds=600", nothing, "s of speech to learn from, less than a batch .--batch-seconds=600"),
    ("", edited("pretext_train", lambda table: table[table["id"] == table["id"][0]]), "are of one person"),
    ("--splits=pretext_train,pretext_val", nothing, "pretext_val is held out"),
    ("--splits=all", nothing, "is heard in all and held out in pretext_val"),
    ("", broken, "cannot be used: .*fab AddDatasetDuration"),
    ("--model=datasets/whisper", whisper, "learnt from transcripts, and no --objective"),
    ("--model=datasets/bare", without_quantiser, "bare holds no quantiser"),
    ("--model=datasets/nothing", nothing, "nothing is not in the hub's cache"),
    ("--model=random:large", nothing, "--model=random:large names no size .*: give --model=random:tiny or "),
    ("--objective=words", nothing, "--objective must be wav2vec2, hubert"),
    (
        "--set=speed=2,crop_seconds=1",
        nothing,
        "Unknown hyperparameter 'speed'; allowed, with their defaults: objective",
    ),
    ("--resume=run3", nothing, "'run3' is not a pretraining"),
    ("--resume=pretraining77", nothing, "There is no pretraining77"),
    ("--augment=nowhere", nothing, "nowhere"),
]


@pytest.mark.parametrize(("flags", "change", "line"), CASES, ids=[f"{n}{case[0]}" for n, case in enumerate(CASES)])
def test_wrong_use_ends_in_one_line(
    root: Path,
    tmp_path: Path,
    flags: str,
    change: Change,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import re

    shutil.copytree(root / "datasets", tmp_path / "datasets")
    change(tmp_path / "datasets/corpus")
    of_new = "" if "--resume" in flags else FLAGS
    asked = " ".join(flag for flag in of_new.split() if flag.split("=")[0] not in flags)
    assert run_fab(f"PretrainBackbone --dataset=datasets/corpus {asked} {flags}", tmp_path, monkeypatch) == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1 and re.search(line, told), told
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


@pytest.mark.usefixtures("undrawn")
def test_a_loss_that_is_not_finite_ends_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from src.pretraining.wav2vec2 import Wav2Vec2

    forward = Wav2Vec2.forward

    def infinite(self: Wav2Vec2, *crops: Any, **drawn: Any) -> dict[str, Any]:
        found = forward(self, *crops, **drawn)
        return {**found, "loss": found["loss"] * float("inf")} if self.training else found

    monkeypatch.setattr(Wav2Vec2, "forward", infinite)
    with pytest.raises(ValueError, match=r"The loss is not finite in step 0: train with a lower `learning_rate`"):
        pretrain_backbone(recipe_in(root), root=root)


@pytest.mark.usefixtures("undrawn")
def test_without_hope_it_stops_early(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([5.0, 4.0, 3.0, 3.5, 3.4, 3.3])
    signs = loop.PretrainingTrainer.held_out_signs
    monkeypatch.setattr(loop.PretrainingTrainer, "held_out_signs", lambda self: {**signs(self), "loss": next(losses)})
    stopped = pretrain_backbone(recipe_in(root, steps=30, validations=30, patience=2), root=root)
    assert (stopped.metrics["steps"], stopped.metrics["best_step"], stopped.metrics["held_out_loss"]) == (4, 2, 3.0)
    assert np.isfinite(stopped.metrics["end"]["loss"])
    shutil.rmtree(stopped.folder)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("objective", "losses"), [("best-rq", [5.0, 5.2, 5.1, 5.0]), ("wav2vec2", [4.7, 30, 20, 10])])
def test_weights_worse_than_those_of_the_start_are_not_handed_out(
    root: Path, monkeypatch: pytest.MonkeyPatch, objective: str, losses: list[float]
) -> None:
    measured, signs = iter(losses), loop.PretrainingTrainer.held_out_signs
    monkeypatch.setattr(loop.PretrainingTrainer, "held_out_signs", lambda self: {**signs(self), "loss": next(measured)})
    line = f"held-out loss was {losses[0]:g} at its start and {losses[-1]:g} at best.*`learning_rate` lower.*`steps`"
    with pytest.raises(ValueError, match=line):
        pretrain_backbone(recipe_in(root, objective=objective), root=root)
    folder = max((root / "runs").glob("pretraining*"), key=lambda path: path.stat().st_mtime)
    assert (folder / "signs.csv").is_file() and not (folder / "model").exists()
    shutil.rmtree(folder)
