"""Plot a split's embeddings in two dimensions with UMAP or t-SNE, coloured by a property of the clips.

The figures are saved in `embeddings/<corpus>/<backbone>/<split>/pictures/`. They show whether groups lie apart, not how
well a classifier separates them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.artefacts import save_figure
from src.utils.embeddings import EmbeddingTable, resolve_layer
from src.utils.labels import LABEL_NAMES
from src.utils.paths import embeddings_folder
from src.utils.registry import lookup

PROJECTIONS = {
    "umap": "src.visualize.umap:umap_projection",
    "tsne": "src.visualize.tsne:tsne_projection",
}
"""Name of a projection -> function of vectors (n, d) and a seed that returns points (n, 2)."""
TITLES = {"umap": "UMAP", "tsne": "t-SNE"}
COLORS: dict[str, Callable[[EmbeddingTable], np.ndarray]] = {
    "label": lambda table: np.where(table.labels == 1, LABEL_NAMES[1], LABEL_NAMES[0]),
    "gender": lambda table: table.genders,
    "speaker": lambda table: table.speakers,
    "system": lambda table: np.where(table.labels == 1, LABEL_NAMES[1], table.systems),
}
"""Property to colour by -> function that returns the group of each clip, shape (n,)."""


@dataclass(frozen=True)
class Drawing:
    """Which embeddings of a backbone are plotted, and how."""

    split: str = "downstream_train"
    layer: int = -1
    """A layer that the store holds, or a place counted from the end: -1 is the last one."""
    color_by: str = "label"
    """A key of `COLORS`."""
    max_points: int = 5000
    """If there are more clips, this many are chosen at random."""
    seed: int = 7

    def __post_init__(self) -> None:
        if self.color_by not in COLORS:
            raise ValueError(f"`color_by` must be one of {', '.join(COLORS)}, not '{self.color_by}'.")
        if self.max_points < 1:
            raise ValueError(f"`max_points` must be 1 or more, not {self.max_points}.")


def draw_embeddings(
    dataset: Path,
    backbone: str,
    drawing: Drawing | None = None,
    *,
    root: Path,
    methods: tuple[str, ...] = ("umap", "tsne"),
) -> list[Path]:
    """Save one figure for each projection method; return their paths.

    Parameters
    ----------
    dataset : Path
    backbone : str
    drawing : Drawing, optional
    root : Path
        Holds `embeddings/`.
    methods : tuple of str
        Keys of `PROJECTIONS`.

    Raises
    ------
    ValueError, FileNotFoundError
        When a method is unknown, or the embeddings are missing or belong to another split.
    """
    from src.visualize.scatter import scatter_figure

    drawing = drawing or Drawing()
    split, layer, color_by = drawing.split, drawing.layer, drawing.color_by
    opened = Embeddings(backbone, layer).open(dataset, root)
    table, number = opened.read(split), resolve_layer(layer, opened.meta(split).layers)
    chosen = np.arange(len(table))
    if len(table) > drawing.max_points:
        rng = np.random.default_rng(drawing.seed)
        chosen = np.sort(rng.choice(len(table), drawing.max_points, replace=False))
    groups = COLORS[color_by](table)[chosen]
    of_clips = f"{len(chosen)} clips" if len(chosen) == len(table) else f"{len(chosen)} of {len(table)} clips"
    paths = []
    for method in methods:
        points = lookup(PROJECTIONS, method, "projection")(table.vectors[chosen], seed=drawing.seed)
        title = f"{TITLES[method]}: {dataset.name}, {split}, {backbone} layer {number}, {of_clips}"
        figure = scatter_figure(points, groups, title=title, legend_title=color_by)
        folder = embeddings_folder(root, dataset, backbone, split) / "pictures"
        paths.append(folder / f"{method}-layer{number:02d}-{color_by}.png")
        save_figure(paths[-1], figure)
    return paths
