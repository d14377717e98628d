from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.experiments.extraction.projections import Drawing, draw_embeddings
from src.utils.embeddings import load_embeddings
from src.utils.paths import embeddings_folder

SPLIT = "downstream_val"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """Put cheap functions in the place of projections and figure; return what they were called with."""
    from src.visualize import scatter

    seen: dict[str, list[Any]] = {"umap": [], "tsne": [], "figure": []}
    figure = scatter.scatter_figure

    def cheap(name: str) -> Any:
        def project(vectors: np.ndarray, *, seed: int) -> np.ndarray:
            seen[name].append((vectors, seed))
            return vectors[:, :2]

        return project

    def watched(points: np.ndarray, groups: np.ndarray, **options: str) -> Any:
        seen["figure"].append((points, groups, options))
        return figure(points, groups, **options)

    monkeypatch.setattr("src.visualize.umap.umap_projection", cheap("umap"))
    monkeypatch.setattr("src.visualize.tsne.tsne_projection", cheap("tsne"))
    monkeypatch.setattr(scatter, "scatter_figure", watched)
    return seen


def draw(root: Path, methods: tuple[str, ...] = ("umap", "tsne"), **options: Any) -> list[Path]:
    drawing = Drawing(split=SPLIT, **options)
    return draw_embeddings(root / "datasets" / "corpus", "lfcc", drawing, root=root, methods=methods)


def folder(root: Path) -> Path:
    return embeddings_folder(root, root / "datasets" / "corpus", "lfcc", SPLIT)


def test_a_picture_for_each_method_lies_beside_the_embeddings(project: Path, calls: dict[str, list[Any]]) -> None:
    paths = draw(project)
    assert paths == [folder(project) / "pictures" / f"{name}-layer00-label.png" for name in ("umap", "tsne")]
    assert all(path.read_bytes().startswith(PNG) for path in paths)
    assert sorted(path.name for path in paths[0].parent.iterdir()) == sorted(path.name for path in paths)
    table = load_embeddings(folder(project))
    for name in ("umap", "tsne"):
        ((vectors, seed),) = calls[name]
        np.testing.assert_array_equal(vectors, table.vectors)
        assert seed == 7
    assert [options["title"] for _, _, options in calls["figure"]] == [
        f"{name}: corpus, {SPLIT}, lfcc layer 0, {len(table)} clips" for name in ("UMAP", "t-SNE")
    ]


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_one_method_alone(project: Path, calls: dict[str, list[Any]], method: str) -> None:
    (path,) = draw(project, methods=(method,), layer=0, seed=3)
    assert path.name == f"{method}-layer00-label.png"
    assert [len(calls[name]) for name in (method, {"umap": "tsne", "tsne": "umap"}[method])] == [1, 0]
    assert calls[method][0][1] == 3


@pytest.mark.parametrize("color_by", ["label", "gender", "speaker", "system"])
def test_clips_are_coloured_by_what_is_asked_for(project: Path, calls: dict[str, list[Any]], color_by: str) -> None:
    (path,) = draw(project, methods=("umap",), color_by=color_by)
    assert path.name == f"umap-layer00-{color_by}.png"
    table = load_embeddings(folder(project))
    words = {
        "label": ["bona-fide" if label == 1 else "spoof" for label in table.labels],
        "gender": table.genders.tolist(),
        "speaker": table.speakers.tolist(),
        "system": ["bona-fide" if label == 1 else "" for label in table.labels],
    }
    ((_, groups, options),) = calls["figure"]
    assert groups.tolist() == words[color_by]
    assert options["legend_title"] == color_by


def test_of_many_clips_some_are_chosen_at_random(project: Path, calls: dict[str, list[Any]]) -> None:
    table = load_embeddings(folder(project))
    for seed in (1, 1, 2):
        draw(project, methods=("umap",), max_points=10, seed=seed, color_by="speaker")
    chosen = [[table.vectors.tolist().index(row) for row in vectors.tolist()] for vectors, _ in calls["umap"]]
    assert chosen[0] == chosen[1] != chosen[2]
    for places, (points, groups, options) in zip(chosen, calls["figure"], strict=True):
        assert len(set(places)) == 10
        assert groups.tolist() == table.speakers[places].tolist()
        assert len(points) == 10
        assert options["title"].endswith(f", 10 of {len(table)} clips")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"color_by": "mood"}, "`color_by` must be one of label, gender, speaker, system, not 'mood'"),
        ({"color_by": ""}, "`color_by` must be .*, not ''"),
        ({"max_points": 0}, "`max_points` must be 1 or more, not 0"),
        ({"layer": 1}, r"There is no layer 1; these embeddings have 0 \(-1 is the last of them\)"),
        ({"methods": ("pca",)}, "Unknown projection 'pca'; allowed: umap, tsne"),
    ],
)
def test_bad_wishes_are_refused_and_draw_nothing(
    prepared: Path, calls: dict[str, list[Any]], options: dict[str, Any], line: str
) -> None:
    with pytest.raises(ValueError, match=line):
        draw(prepared, **options)
    assert not (folder(prepared) / "pictures").exists()
    assert calls["figure"] == []


def test_a_real_projection_draws_the_same_picture_again(project: Path) -> None:
    (path,) = draw(project, methods=("tsne",), color_by="gender")
    first = path.read_bytes()
    assert first.startswith(PNG)
    path.unlink()
    draw(project, methods=("tsne",), color_by="gender")
    assert path.read_bytes() == first
