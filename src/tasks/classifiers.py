"""Tasks that train, tune and test classifiers, and the whole chain."""

from pathlib import Path

from fabric import Connection

from src.experiments.runs.commands import how_to_test
from src.tasks.command_line import command
from src.tasks.run_flags import OLD_FLAGS, RUN_HELP, named_run
from src.tasks.words import RELEASE
from src.utils.paths import ROOT


@command(
    "TrainModel",
    layer="hidden layer, -1 = the last; left out: that of --hyperparameters, else the last",
    pooling="mean, std or mean+std; left out: that of --hyperparameters, else mean",
    hyperparameters="JSON file, also that of a run or a study's best; the rest is built in; its seed is not taken",
)
def train_model(
    c: Connection,
    dataset: Path = RELEASE,
    backbone: str = "",
    classifier: str = "",
    layer: int | None = None,
    pooling: str = "",
    hyperparameters: Path | None = None,
    seed: int = 7,
) -> None:
    """Train one classifier into runs/run<m>."""
    from src.experiments.inputs.embeddings import Embeddings
    from src.experiments.training.recipe import choose_recipe
    from src.experiments.training.trainer import train_model as train

    wanted = Embeddings(backbone, layer, pooling or None)
    run = train(choose_recipe(dataset, wanted, classifier, hyperparameters=hyperparameters, seed=seed), root=ROOT)
    print(f"{run}. Next: {how_to_test(run.name)}")


@command(
    "OptimizeHyperparameters",
    layer="hidden layer, -1 = the last; left out: part of the search",
    pooling="mean, std or mean+std; left out: part of the search",
    jobs="processes that train trials at once (default 1); with several a study cannot be repeated exactly",
    study_number="study to go on with; -1 = a new one (default)",
    storage="database URL (postgresql://user@host/base) or journal file, for several machines on one study",
    timeout="seconds after which no trial is begun; 0 = none (default)",
    keep="trials whose weights are kept, the best ones (default 5); all keep hyperparameters and metrics",
)
def optimize_hyperparameters(
    c: Connection,
    dataset: Path = RELEASE,
    backbone: str = "",
    classifier: str = "",
    trials: int = 0,
    layer: int | None = None,
    pooling: str = "",
    jobs: int = 1,
    study_number: int = -1,
    storage: str = "",
    timeout: float = 0.0,
    keep: int = 5,
    seed: int = 7,
) -> None:
    """Search the hyperparameters with the lowest validation EER into runs/<classifier>_study<k>."""
    from src.experiments.inputs.embeddings import Embeddings
    from src.experiments.studies import tuner
    from src.experiments.studies.search import Search, Wish

    search = Search(dataset, Embeddings(backbone, layer, pooling or None), classifier, seed)
    effort = tuner.Effort(trials or None, jobs, timeout or None, keep)
    wish = Wish(study_number if study_number >= 0 else None, storage or None)
    study = tuner.optimize_hyperparameters(search, effort, root=ROOT, wish=wish)
    print(f"{study}. Next: {how_to_test(study.name.run())}")


@command(
    "TestModel",
    run=RUN_HELP,
    dataset="folder of the corpus to test on; left out: the run's own",
    backbone="what the run was trained with; left out: whatever it is",
    classifier="what the run is; may be left out for a run that belongs to no study",
    gender="F or M: only these people; left out: everybody",
    **OLD_FLAGS,
)
def put_to_test(
    c: Connection,
    run: str = "",
    dataset: Path | None = None,
    backbone: str = "",
    classifier: str = "",
    run_number: int = -1,
    study_number: int = -1,
    gender: str = "",
    split: str = "downstream_test",
) -> None:
    """Score a split with a run: metrics, scores and pictures."""
    from src.experiments.evaluation import evaluate
    from src.metrics.report import format_table

    verdict = evaluate.evaluate_run(
        named_run(run, run_number, study_number, classifier),
        evaluate.HeldOut(dataset, split, gender or None),
        root=ROOT,
        expected={"backbone": backbone, "classifier": classifier},
    )
    values = {name: metric["value"] for name, metric in verdict.metrics.items()}
    print(format_table(values, evaluate.bounds_of(verdict.metrics)))
    print(f"Intervals: 95 %, by drawing {verdict.about['n_people']} people anew ({verdict.about['resampled']}).")
    if verdict.n_known:
        print(f"Note: {verdict.note_on_people}")
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
