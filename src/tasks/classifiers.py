"""Tasks that train, tune and test classifiers, and the whole chain."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fabric import Connection

from src.backbones import BACKBONES
from src.experiments.runs.commands import how_to_test
from src.tasks.command_line import command
from src.tasks.detectors import parse_settings, written
from src.tasks.engine_flags import EngineFlags
from src.tasks.run_flags import RUN_HELP, RunFlags
from src.tasks.words import RELEASE, listed
from src.utils.paths import ROOT

if TYPE_CHECKING:
    from src.experiments.inputs import Input


@dataclass(frozen=True)
class ClassifierFlags:
    """The flags of all tasks that train classifiers on embeddings."""

    dataset: Path = RELEASE
    backbone: str = ""
    classifier: str = ""
    layer: str = ""
    pooling: str = ""
    seed: int = 7


@dataclass(frozen=True)
class TrainingFlags(ClassifierFlags):
    """The flags of TrainModel."""

    hyperparameters: Path | None = None
    hold_out: str = ""
    augment: str = ""
    copies: int = 0


JOINED = f"{listed(BACKBONES)}; or several, joined: lfcc+whisper"


@command(
    "TrainModel",
    backbone=JOINED,
    layer="hidden layer, -1 = the last; mix = all, weighted; 0+4 = of two backbones (default: as --hyperparameters)",
    pooling="mean, std or mean+std (default: that of --hyperparameters, else mean)",
    hyperparameters="JSON file, such as that of a run or a study's best; defaults fill the rest; its seed is ignored",
    augment="also train on the copies that GenerateEmbeddings --augment=RECIPE made (default: none)",
    copies="how many copies of each training clip; 0 = all that were made (default)",
)
def train_model(c: Connection, flags: TrainingFlags) -> None:
    """Train one classifier into runs/run<m>."""
    from src.experiments.inputs.embeddings import Embeddings
    from src.experiments.training.recipe import choose_recipe
    from src.experiments.training.trainer import train_model as train
    from src.utils.recipes import written_recipe

    copies = written_recipe(flags.augment), flags.copies
    wanted = Embeddings(flags.backbone, flags.layer or None, flags.pooling or None, *copies)
    recipe = choose_recipe(
        flags.dataset, wanted, flags.classifier, hyperparameters=flags.hyperparameters, seed=flags.seed
    )
    run = train(replace(recipe, hold_out=flags.hold_out or recipe.hold_out), root=ROOT)
    print(f"{run}. Next: {how_to_test(run.name)}")


@dataclass(frozen=True)
class ModelFlags(ClassifierFlags):
    """The flags that choose a classifier on embeddings, or a detector on waveforms."""

    detector: str = ""
    set: str = ""

    def input(self, augment: str = "") -> "Input":
        """Return what is trained on: embeddings, with augmented copies or without, for a classifier, else waveforms."""
        from src.experiments.inputs.embeddings import Embeddings
        from src.experiments.inputs.waveforms import Waveforms
        from src.utils.recipes import written_recipe

        if not self.detector:
            return Embeddings(self.backbone, self.layer or None, self.pooling or None, written_recipe(augment))
        if self.backbone or self.classifier or self.layer or self.pooling:
            raise ValueError(
                "A `detector` is trained on waveforms: leave out `backbone`, `classifier`, `layer` and `pooling`."
            )
        return Waveforms()


@dataclass(frozen=True)
class StudyFlags(ModelFlags, EngineFlags):
    """The flags of OptimizeHyperparameters."""

    trials: int = 0
    jobs: int = 0
    study_number: int = -1
    storage: str = ""
    timeout: float = 0.0
    keep: int = 5
    hold_out: str = ""
    augment: str = ""

    def fixed(self) -> dict[str, object]:
        """Return the hyperparameters that are the same in all trials."""
        named = {"augment": self.augment} if self.augment and self.detector else {}
        return parse_settings(self.set) | written(named)


@command(
    "OptimizeHyperparameters",
    backbone=JOINED,
    layer="hidden layer, -1 = the last; mix = all, weighted; 0+4 = of two backbones (default: part of the search)",
    pooling="mean, std or mean+std (default: part of the search)",
    jobs="trials at the same time, each in a process; 0 = as many as cores and memory allow, at most a quarter of the "
    "trials (default; with --storage= or --engine= 1); a study is repeated exactly by the same seed and as many jobs",
    study_number="study to resume; -1 = a new one (default)",
    storage="database URL (postgresql://user@host/base) or journal file, for several machines on one study; the "
    "workers of an engine need one",
    timeout="wall-clock seconds after which no trial is started; 0 = none (default)",
    augment="recipe such as field, of a detector's windows, or of copies that GenerateEmbeddings --augment=RECIPE made",
    set="hyperparameters that are the same in all trials, such as epochs=5,channels=16; the others are searched",
    keep="trials whose weights are kept, the best ones (default 5); all keep hyperparameters and metrics",
)
def optimize_hyperparameters(c: Connection, flags: StudyFlags) -> None:
    """Search the hyperparameters with the lowest validation EER into runs/<classifier or detector>_study<k>."""
    from src.experiments.studies import on_engines, tuner
    from src.experiments.studies.search import Search, Wish

    engine = flags.chosen_engine()
    wanted = (flags.dataset, flags.input(flags.augment), flags.detector or flags.classifier)
    search = Search(*wanted, flags.seed, flags.fixed(), flags.hold_out)
    effort = tuner.Effort(flags.trials or None, flags.jobs, flags.timeout or None, flags.keep)
    wish = Wish(flags.study_number if flags.study_number >= 0 else None, flags.storage or None)
    if engine.is_local:
        study = tuner.optimize_hyperparameters(search, effort, root=ROOT, wish=wish)
    else:
        study = on_engines.search_on_engine(search, effort, engine, root=ROOT, wish=wish)
    print(f"{study}. Next: {how_to_test(study.name.run())}")


@command(
    "FuseRuns",
    runs="finished runs of one corpus, separated by commas: run3,svm_study0/run2; a study stands for its best trial",
    method="logistic (default): weights fitted on the validation clips; or mean: the mean of the calibrated scores",
)
def fuse_runs(c: Connection, runs: str = "", method: str = "logistic") -> None:
    """Fuse the scores of several runs into a run of its own, runs/run<m>."""
    from src.experiments.training import fusion

    fused = fusion.fuse_runs(runs, method, root=ROOT)
    print(f"{fused}\nNext: {' && '.join(fused.next_commands)}")


@dataclass(frozen=True)
class TestFlags(RunFlags):
    """The flags of TestModel."""

    dataset: Path | None = None
    backbone: str = ""
    gender: str = ""
    split: str = "downstream_test"
    reject: float = 0.05


@command(
    "TestModel",
    dataset="folder of the corpus to test on (default: the run's own)",
    backbone="backbone that the run must have (default: any)",
    classifier="classifier that the run must have (default: any); names the study beside --study-number=",
    gender="F or M: only these people (default: all)",
    **RUN_HELP,
)
def put_to_test(c: Connection, flags: TestFlags) -> None:
    """Score a split with a run: metrics, scores and pictures."""
    from src.experiments.evaluation import evaluate
    from src.metrics.report import format_table

    verdict = evaluate.evaluate_run(
        flags.name(),
        evaluate.HeldOut(flags.dataset, flags.split, flags.gender or None),
        root=ROOT,
        expected={"backbone": flags.backbone, "classifier": flags.classifier},
        reject=flags.reject,
    )
    values = {name: metric["value"] for name, metric in verdict.metrics.items()}
    print(format_table(values, evaluate.bounds_of(verdict.metrics)))
    print(f"Intervals: 95 %, bootstrap of {verdict.about['resampled']} ({verdict.about['n_people']} people).")
    if verdict.note_on_rejection:
        print(verdict.note_on_rejection)
    if "classes" in verdict.about:
        print(f"In this corpus {verdict.about['classes']}.")
    if verdict.n_known:
        print(f"Note: {verdict.note_on_people}")
    if verdict.note_on_cues:
        print(f"Note: {verdict.note_on_cues}")
    if not verdict.about["calibrated_on"]:
        print("Note: this run was made before scores were calibrated: act DCF and Cllr say little; train again.")
    print(f"Written to {verdict.folder}. Next: fab ReportRuns")


@command("Pipeline")
def pipeline(
    c: Connection,
    dataset: Path = RELEASE,
    backbone: str = "",
    classifier: str = "",
    trials: int = 0,
    model: str = "",
    seed: int = 7,
) -> None:
    """Run the whole chain on a corpus, skipping what is finished; ends with the best run tested."""
    from src.experiments.pipeline import Chain, run_pipeline

    for step in run_pipeline(dataset, Chain(backbone, classifier, trials or None, model or None, seed=seed), root=ROOT):
        print(step)


@command("Demo")
def demo(c: Connection, seed: int = 7) -> None:
    """Run the chain on a small corpus that the project makes itself; offline, about two minutes."""
    from src.experiments.demo import run_demo

    for line in run_demo(ROOT, seed=seed):
        print(line)
