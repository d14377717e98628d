"""The tasks of AUDIOS: `fab -l` lists them, `fab -h TASK` explains the flags of one.

A task reads its flags, calls one function and says what was made, where it lies and what comes next. Everything heavy
is imported inside the tasks, so that listing them takes no time.
"""

from pathlib import Path
from shlex import quote

from fabric import Connection, Task

from src.utils.command_line import command, fixed
from src.utils.paths import ROOT

RELEASE = ROOT / "datasets" / "release"
DOWNSTREAM = "downstream_train,downstream_val,downstream_test"


def _on(dataset: Path) -> str:
    """Return the flag that names a corpus, where it is not the default one."""
    return "" if dataset == RELEASE else f" --dataset={quote(str(dataset))}"


# ---- corpora


@command("PrepareDataset", output="folder to prepare (default datasets/release)", dry_run="only say what would be done")
def prepare_dataset(c: Connection, output: Path = RELEASE, dry_run: bool = False) -> None:
    """Download CETUC and Fake Voices and lay them out as a corpus."""
    from src.corpora.cetuc_fake_voices import plan, prepare

    print("\n".join(map(str, plan(output))) if dry_run else prepare(output))
    print(f"Next: fab {'PrepareDataset' if dry_run else 'GenerateDatasetCSV' + _on(output)}")


@command("GenerateDatasetCSV", layout="how the folder is laid out: audios (default)")
def generate_dataset_csv(c: Connection, dataset: Path = RELEASE, layout: str = "audios") -> None:
    """List the recordings of a corpus in files-metadata.csv and people-metadata.csv."""
    from src.experiments.catalogue import generate_tables

    print(f"{generate_tables(dataset, layout)}. Next: fab AddDatasetDuration{_on(dataset)}")


@command("AddDatasetDuration")
def add_dataset_duration(c: Connection, dataset: Path = RELEASE, jobs: int = 0) -> None:
    """Add the column duration (seconds) to files-metadata.csv."""
    from src.experiments.catalogue import add_duration

    print(f"{add_duration(dataset, jobs)}. Next: fab AddDatasetAmplitude{_on(dataset)}")


@command("AddDatasetAmplitude")
def add_dataset_amplitude(c: Connection, dataset: Path = RELEASE, jobs: int = 0) -> None:
    """Add the column amplitude (peak, 0 to 1) to files-metadata.csv."""
    from src.experiments.catalogue import add_amplitude

    print(f"{add_amplitude(dataset, jobs)}. Next: fab DatasetInfo{_on(dataset)}")


@command("DatasetInfo")
def dataset_info(c: Connection, dataset: Path = RELEASE, jobs: int = 0) -> None:
    """Say what a corpus holds, and what in it gives the class away without any listening."""
    from src.experiments.inspection import inspect_dataset

    print(f"{inspect_dataset(dataset, jobs)}\nNext: fab SplitDataset{_on(dataset)}")


@command(
    "NormalizeDataset",
    method="peak (default: largest sample at full scale) or rms",
    target_rms="root mean square that --method=rms brings every clip to, 0 to 1 (default 0.1)",
    trim="also cut the silence before and after the speech",
)
def normalize_dataset(
    c: Connection,
    dataset: Path = RELEASE,
    output: Path | None = None,
    method: str = "peak",
    target_rms: float = 0.1,
    trim: bool = False,
) -> None:
    """Write a new corpus whose clips have one level, format and sample rate."""
    from src.experiments import transforms

    made = transforms.normalize_dataset(dataset, output, method=method, target_rms=target_rms, trim=trim)
    print(f"{made}. Next: fab SplitDataset{_on(made.folder)}")


@command("AddNoise", snr="signal-to-noise ratio in dB (default 20)")
def add_noise(
    c: Connection,
    dataset: Path = RELEASE,
    output: Path | None = None,
    snr: float = 20.0,
    seed: int = 7,
) -> None:
    """Write a new corpus whose clips carry white noise."""
    from src.experiments import transforms

    made = transforms.add_noise_to_dataset(dataset, output, snr=snr, seed=seed)
    print(f"{made}. Next: fab SplitDataset{_on(made.folder)}")


@command(
    "CreateSpoofs",
    dataset="folder with real_voices/, laid out as a corpus is (default datasets/release)",
    vocoder="griffinlim (default)",
)
def create_spoofs(
    c: Connection,
    dataset: Path = RELEASE,
    vocoder: str = "griffinlim",
    output: Path | None = None,
    seed: int = 7,
) -> None:
    """Write a new corpus of genuine speech and copy-synthesised spoofs of it."""
    from src.experiments import transforms

    made = transforms.create_spoofs(dataset, output, vocoder=vocoder, seed=seed)
    print(f"{made}. Next: fab SplitDataset{_on(made.folder)}")


@command(
    "SplitDataset",
    pretext="share of the people with spoofs for the pretext task; 0 = no pretext splits (default 0.6)",
    pretext_train="share of those for its training (default 0.8)",
    train="share of the other people for training classifiers (default 0.7)",
    val="share of the other people for validation, the rest is the test (default 0.2)",
)
def split_dataset(
    c: Connection,
    dataset: Path = RELEASE,
    pretext: float = 0.6,
    pretext_train: float = 0.8,
    train: float = 0.7,
    val: float = 0.2,
    seed: int = 7,
) -> None:
    """Split a corpus by person, balanced by gender, into pretext and downstream splits."""
    from src.experiments import splits

    made = splits.split_dataset(dataset, splits.SplitShares(pretext, pretext_train, train, val), seed=seed)
    print("\n".join(splits.describe(name, clips) for name, clips in made.items()))
    print(f"Written to {dataset / 'splits'}. Next: fab GenerateEmbeddings --backbone=lfcc{_on(dataset)}")


# ---- embeddings


def _generate_embeddings(
    c: Connection,
    dataset: Path = RELEASE,
    backbone: str = "",
    model: str = "",
    splits: str = DOWNSTREAM,
    device: str = "auto",
    precision: str = "auto",
    layers: str = "",
    batch_seconds: float = 0.0,
    max_seconds: float = 30.0,
    shard: int = 0,
    num_shards: int = 1,
) -> None:
    """Compute mean and deviation over time of every hidden layer for every clip; goes on where it stopped."""
    from src.experiments.batching import Share
    from src.experiments.extraction import Limits
    from src.experiments.extraction_requests import Request, extract_splits

    names = [name.strip() for name in splits.split(",")]
    limits, share = Limits(batch_seconds, max_seconds), Share(((shard, num_shards),))
    request = Request(dataset, names, backbone, model, device, precision, layers, limits, share)
    finished = True
    for done in extract_splits(request, root=ROOT):
        print(done)
        finished &= done.n_clips is not None
    if finished:
        print(f"Next: fab OptimizeHyperparameters --backbone={backbone} --classifier=svm{_on(dataset)}")


generate_embeddings = command("GenerateEmbeddings")(_generate_embeddings)
generate_embeddings_wav2vec2 = command("GenerateEmbeddingsWav2vec2")(fixed(_generate_embeddings, backbone="wav2vec2"))
generate_embeddings_hubert = command("GenerateEmbeddingsHubert")(fixed(_generate_embeddings, backbone="hubert"))


@command(
    "EmbeddingsInfo",
    dataset="folder of a corpus; left out: all that have embeddings",
    backbone="wav2vec2, hubert, wavlm or lfcc; left out: all",
)
def embeddings_info(c: Connection, dataset: Path | None = None, backbone: str = "") -> None:
    """Say what embeddings there are, whole or not, and compare every row with its checksum."""
    from src.experiments.stores import format_reports, inspect_stores

    reports = inspect_stores(ROOT, dataset.name if dataset else "", backbone)
    print(format_reports(reports, ROOT))
    damaged = [report for report in reports if report.problem]
    if damaged:
        raise ValueError(
            f"{damaged[0].problem}; delete {damaged[0].folder / 'index.csv'} and run fab GenerateEmbeddings "
            "again: it computes what is damaged anew."
        )


def _with_methods(name: str, methods: tuple[str, ...], titles: str) -> Task:
    """Make a task that draws embeddings with the given projections."""

    def draw(
        c: Connection,
        dataset: Path = RELEASE,
        backbone: str = "",
        split: str = "downstream_train",
        layer: int = -1,
        color_by: str = "label",
        max_points: int = 5000,
        seed: int = 7,
    ) -> None:
        from src.experiments.projections import draw_embeddings

        for picture in draw_embeddings(
            dataset,
            backbone,
            root=ROOT,
            methods=methods,
            split=split,
            layer=layer,
            color_by=color_by,
            max_points=max_points,
            seed=seed,
        ):
            print(f"Drawn: {picture}")

    draw.__doc__ = f"Draw a split's embeddings with {titles}."
    return command(name)(draw)


visualize_embeddings = _with_methods("VisualizeEmbeddings", ("umap", "tsne"), "UMAP and t-SNE")
visualize_embeddings_umap = _with_methods("VisualizeEmbeddingsUMAP", ("umap",), "UMAP")
visualize_embeddings_tsne = _with_methods("VisualizeEmbeddingsTSNE", ("tsne",), "t-SNE")


# ---- classifiers


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
    from src.experiments import training

    run = training.train_model(
        dataset,
        backbone,
        classifier,
        root=ROOT,
        layer=layer,
        pooling=pooling,
        hyperparameters=hyperparameters,
        seed=seed,
    )
    number = run.folder.name.removeprefix("run")
    print(f"{run}. Next: fab TestModel --run-number={number}{_on(dataset)}")


@command(
    "OptimizeHyperparameters",
    layer="hidden layer, -1 = the last; left out: part of the search",
    pooling="mean, std or mean+std; left out: part of the search",
    study_number="study to go on with; -1 = a new one (default)",
)
def optimize_hyperparameters(
    c: Connection,
    dataset: Path = RELEASE,
    backbone: str = "",
    classifier: str = "",
    trials: int = 0,
    layer: int | None = None,
    pooling: str = "",
    study_number: int = -1,
    seed: int = 7,
) -> None:
    """Search the hyperparameters with the lowest validation EER into runs/<classifier>_study<k>."""
    from src.experiments import tuning

    search = tuning.Search(dataset, backbone, classifier, layer=layer, pooling=pooling, seed=seed)
    study = tuning.optimize_hyperparameters(search, root=ROOT, trials=trials, study_number=study_number)
    number = study.folder.name.rpartition("study")[2]
    print(f"{study}. Next: fab TestModel --classifier={classifier} --study-number={number}{_on(dataset)}")


@command(
    "TestModel",
    backbone="what the run was trained with; left out: whatever it is",
    classifier="what the run is; may be left out for a run that belongs to no study",
    run_number="number of the run; in a study, left out: its best",
    gender="F or M: only these people; left out: everybody",
)
def test_model(
    c: Connection,
    dataset: Path = RELEASE,
    backbone: str = "",
    classifier: str = "",
    run_number: int = -1,
    study_number: int = -1,
    gender: str = "",
    split: str = "downstream_test",
) -> None:
    """Score a split with a run's classifier: metrics, scores and pictures."""
    from src.experiments import evaluation
    from src.metrics.report import format_table

    verdict = evaluation.evaluate_run(
        dataset,
        root=ROOT,
        run_number=run_number,
        study_number=study_number,
        backbone=backbone,
        classifier=classifier,
        gender=gender,
        split=split,
    )
    print(format_table(verdict.report))
    if verdict.n_known:
        print(f"Note: {verdict.n_known} of these people were in training or validation: this is no test.")
    print(
        f"Written to {verdict.folder}; act DCF and Cllr read scores as log-likelihood ratios, which these are not yet."
    )


@command(
    "EvaluateScores",
    scores="score file: ASVspoof 2019, 2021 or 5, or a scores.csv of ours",
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
    from src.utils.files import write_json
    from src.utils.score_files import evaluate_score_files

    if scores is None:
        raise ValueError("No score file given (--scores=FILE).")
    report = evaluate_score_files(scores, key, asv_scores)
    print(format_table(report))
    if output:
        write_json(output, report)
        print(f"Written to {output}.")


# ---- all of it


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
    from src.experiments.pipeline import run_pipeline

    for step in run_pipeline(
        dataset, root=ROOT, backbone=backbone, classifier=classifier, trials=trials, model=model, seed=seed
    ):
        print(step)


@command("Demo")
def demo(c: Connection, seed: int = 7) -> None:
    """Run the chain on a small corpus that the project makes itself; offline, about two minutes."""
    from src.experiments.demo import run_demo

    for line in run_demo(ROOT, seed=seed):
        print(line)
