"""A store that is finished needs no cluster, whichever engine is asked for; one that lacks anything does."""

from pathlib import Path

import pytest

from src.engines.contract import Engine
from src.experiments.corpus.splits import DOWNSTREAM
from src.experiments.extraction.clusters import open_cluster
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Request
from src.utils.embeddings import META


@pytest.mark.parametrize("engine", [Engine("ray", address="127.0.0.1:1"), Engine("slurm", workers=2)])
def test_what_is_finished_needs_no_cluster(project: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # and no Slurm
    request = Request(project / "datasets" / "corpus", DOWNSTREAM, "lfcc")
    with open_cluster(engine, request, root=project) as cluster:
        made = list(extract_splits(request, root=project, cluster=cluster))
    assert [each.n_computed for each in made] == [0] * len(DOWNSTREAM)
    assert all(each.n_clips for each in made)
    (made[0].folder / META).unlink()  # its index alone does not make it finished
    with (
        pytest.raises(ValueError, match=r"No Ray cluster can be reached|There is no Slurm"),
        open_cluster(engine, request, root=project) as cluster,
    ):
        list(extract_splits(request, root=project, cluster=cluster))
