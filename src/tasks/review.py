"""Tasks that compare, repeat and report runs, and one that evaluates score files of any system."""

from dataclasses import dataclass
from pathlib import Path

from fabric import Connection

from src.tasks.command_line import command
from src.tasks.run_flags import RUN_HELP, RunFlags
from src.tasks.words import RELEASE
from src.utils.paths import ROOT


@command(
    "CompareRuns",
    runs="tested runs, separated by commas: run0,mlp_study0/run3; a study alone stands for its best trial",
    output="JSON file to write the comparison to (default: none)",
)
def compare_runs(c: Connection, runs: str = "", output: Path | None = None) -> None:
    """Compare tested runs, and say for each pair whether the difference is established."""
    from src.experiments.evaluation import comparison
    from src.utils.files import check_output, write_json
    from src.utils.paths import runs_folder

    found = comparison.compare_runs(runs, root=ROOT)
    if output:
        check_output(output, [file for run in found.runs for file in (runs_folder(ROOT) / run.name).iterdir()])
    print(found)
    if output:
        write_json(output, found.as_json())
        print(f"Written to {output}.")


@command(
    "CompareLayers",
    pooling="mean, std or mean+std (default: that of --hyperparameters, else mean)",
    hyperparameters="JSON file, such as that of a run or a study's best; defaults fill the rest; its layer is ignored",
)
def compare_layers(
    c: Connection,
    dataset: Path = RELEASE,
    backbone: str = "",
    classifier: str = "",
    pooling: str = "",
    hyperparameters: Path | None = None,
    hold_out: str = "",
    seed: int = 7,
) -> None:
    """Train one classifier on every layer and draw the validation EER with its interval into runs/layers<k>."""
    from dataclasses import replace

    from src.experiments.inputs.embeddings import Embeddings
    from src.experiments.training import layers
    from src.experiments.training.recipe import choose_recipe

    wanted = Embeddings(backbone, -1, pooling or None)
    recipe = choose_recipe(dataset, wanted, classifier, hyperparameters=hyperparameters, seed=seed)
    print(layers.compare_layers(replace(recipe, hold_out=hold_out), root=ROOT))


@dataclass(frozen=True)
class RepetitionFlags(RunFlags):
    """The flags of ReproduceRun."""

    dataset: Path | None = None


@command(
    "ReproduceRun",
    dataset="folder of the run's corpus (default: where the run noted it)",
    classifier="classifier of the study, beside --study-number=",
    **RUN_HELP,
)
def reproduce_run(c: Connection, flags: RepetitionFlags) -> None:
    """Train a run again from its files and say whether it gives the same scores."""
    from src.experiments.evaluation import reproduction

    print(reproduction.reproduce_run(flags.name(), root=ROOT, dataset=flags.dataset))


@command("ReportRuns")
def report_runs(c: Connection) -> None:
    """Write runs/index.html, a leaderboard, and a page for every run and study; they need no server and no network."""
    from src.experiments.report import pages

    print(f"Written: {pages.report_runs(ROOT)}; open it in any browser.")


@command(
    "EvaluateScores",
    scores="score file: ASVspoof 2019, 2021 or 5, or our scores.csv",
    key="key file of the challenge; not needed where the scores carry labels (ASVspoof 2019, our scores.csv)",
    asv_scores="scores of the challenge's speaker verification, for the min t-DCF",
    output="JSON file to write the metrics to (default: none)",
)
def evaluate_scores(
    c: Connection,
    scores: Path | None = None,
    key: Path | None = None,
    asv_scores: Path | None = None,
    output: Path | None = None,
) -> None:
    """Compute every metric of a score file; scores are higher for bona fide."""
    from src.metrics.report import format_table
    from src.utils.files import check_output, write_json
    from src.utils.score_files import evaluate_score_files

    if scores is None:
        raise ValueError("No score file given (`scores=FILE`).")
    if output:
        check_output(output, [path for path in (scores, key, asv_scores) if path])
    report = evaluate_score_files(scores, key, asv_scores)
    print(format_table(report))
    if output:
        write_json(output, report)
        print(f"Written to {output}.")
