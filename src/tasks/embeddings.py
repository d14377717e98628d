"""Tasks that compute, check and draw embeddings."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from shlex import quote

from fabric import Connection, Task

from src.backbones import BACKBONES
from src.tasks.command_line import command, fixed
from src.tasks.engine_flags import EngineFlags
from src.tasks.words import DOWNSTREAM, FOLDERS_HELP, RELEASE, listed, on
from src.utils.paths import ROOT, corpus_folder


@dataclass(frozen=True)
class ExtractionFlags(EngineFlags):
    """The flags of the tasks that compute embeddings."""

    dataset: Path = RELEASE
    backbone: str = ""
    model: str = ""
    splits: str = DOWNSTREAM
    device: str = "auto"
    precision: str = "auto"
    layers: str = ""
    batch_seconds: float = 0.0
    max_seconds: float = 30.0
    shard: int = 0
    num_shards: int = 1
    window: str = ""
    augment: str = ""
    copies: int = 1
    noise_folder: Path | None = None
    rooms_folder: Path | None = None
    seed: int = 7


def _generate_embeddings(c: Connection, flags: ExtractionFlags) -> None:
    """Compute mean and deviation over time of every hidden layer for every clip; resumes where it stopped."""
    from src.experiments.corpus.copies import Augmenting
    from src.experiments.corpus.splits import split_notes
    from src.experiments.extraction.clusters import open_cluster
    from src.experiments.extraction.copies import extract_copies
    from src.experiments.extraction.engines import extract_splits
    from src.experiments.extraction.requests import Limits, Request, Share
    from src.utils.recipes import written_recipe

    request = Request(
        flags.dataset,
        [name.strip() for name in flags.splits.split(",")],
        flags.backbone,
        flags.model or None,
        flags.device,
        flags.precision,
        flags.layers or None,
        Limits(flags.batch_seconds or None, flags.max_seconds),
        Share(((flags.shard, flags.num_shards),)),
        flags.window or None,
    )
    recipe = written_recipe(flags.augment)
    how = Augmenting(recipe or "field", flags.copies, flags.noise_folder, flags.rooms_folder, flags.seed)
    engine = flags.chosen_engine()
    finished = True
    with open_cluster(engine, request, root=ROOT) as cluster:
        copies = extract_copies(request, how, root=ROOT, cluster=cluster) if recipe else ()
        for done in chain(extract_splits(request, root=ROOT, cluster=cluster), copies):
            print(done)
            finished &= done.n_clips is not None
    for note in split_notes(flags.dataset):
        print(f"Note: {note}")
    if finished:
        also = f" --augment={quote(flags.augment)}" if recipe else ""
        search = f"fab OptimizeHyperparameters --backbone={flags.backbone} --classifier=svm{also}"
        print(f"Next: {search}{on(flags.dataset)}")


HELP = {
    "augment": "recipe (field, or a JSON file) by which training clips get augmented copies as well (default: none)",
    "copies": "with --augment=: copies of each training clip (default 1)",
    **FOLDERS_HELP,
    "seed": "with --augment=: whole number, 0 to 4294967295, from which the copies follow (default 7)",
}
generate_embeddings = command("GenerateEmbeddings", **HELP)(_generate_embeddings)
generate_embeddings_wav2vec2 = command("GenerateEmbeddingsWav2vec2", **HELP)(
    fixed(_generate_embeddings, backbone="wav2vec2")
)
generate_embeddings_hubert = command("GenerateEmbeddingsHubert", **HELP)(fixed(_generate_embeddings, backbone="hubert"))


@command(
    "EmbeddingsInfo",
    dataset="folder of a corpus (default: all that have embeddings)",
    backbone=f"{listed(BACKBONES)} (default: all)",
)
def embeddings_info(c: Connection, dataset: Path | None = None, backbone: str = "") -> None:
    """List the embeddings and their state, and compare every row with its checksum."""
    from src.experiments.extraction.stores import format_reports, inspect_stores

    reports = inspect_stores(ROOT, corpus_folder(ROOT, dataset).name if dataset else "", backbone)
    print(format_reports(reports, ROOT))
    damaged = [report for report in reports if report.problem]
    if damaged:
        raise ValueError(
            f"{damaged[0].problem}; delete {damaged[0].folder / 'index.csv'} and run fab GenerateEmbeddings "
            "again: it recomputes what is damaged."
        )


@dataclass(frozen=True)
class DrawingFlags:
    """The flags of the tasks that draw embeddings."""

    dataset: Path = RELEASE
    backbone: str = ""
    split: str = "downstream_train"
    layer: int = -1
    color_by: str = "label"
    max_points: int = 5000
    seed: int = 7


def _with_methods(name: str, methods: tuple[str, ...], titles: str) -> Task:
    """Make a task that draws embeddings with the given projections."""

    def draw(c: Connection, flags: DrawingFlags) -> None:
        from src.experiments.extraction.projections import Drawing, draw_embeddings

        drawing = Drawing(flags.split, flags.layer, flags.color_by, flags.max_points, flags.seed)
        for picture in draw_embeddings(flags.dataset, flags.backbone, drawing, root=ROOT, methods=methods):
            print(f"Drawn: {picture}")

    draw.__doc__ = f"Draw a split's embeddings with {titles}."
    return command(name)(draw)


visualize_embeddings = _with_methods("VisualizeEmbeddings", ("umap", "tsne"), "UMAP and t-SNE")
visualize_embeddings_umap = _with_methods("VisualizeEmbeddingsUMAP", ("umap",), "UMAP")
visualize_embeddings_tsne = _with_methods("VisualizeEmbeddingsTSNE", ("tsne",), "t-SNE")
