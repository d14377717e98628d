"""What a run is trained with by a file, a flag, or default; a bad file is refused before anything is made."""

from pathlib import Path

import pytest

from src.experiments.inputs.embeddings import Embeddings
from src.experiments.studies.search import Search
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.utils.files import file_digest, read_json, write_json
from tests.experiments.training.trainings import train

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is"),  # of classifiers no better than chance
    pytest.mark.usefixtures("one_thread"),
]


def test_a_plain_file_overrides_the_defaults_but_not_the_flags(drawn: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "h.json", {"C": 3, "layer": 1, "pooling": "mean"})
    run = train(drawn, pooling="std", hyperparameters=tmp_path / "h.json")
    inputs = read_json(run.folder / "hyperparameters.json")
    assert (inputs["C"], inputs["kernel"], inputs["gamma"]) == (3, "rbf", 1.0)
    assert (inputs["layer"], inputs["pooling"]) == (1, "std")


def test_a_run_and_the_best_of_a_study_can_be_trained_again(drawn: Path) -> None:
    search = Search(drawn / "datasets" / "corpus", Embeddings("hubert", None, None), "svm", seed=5)
    study = optimize_hyperparameters(search, Effort(4), root=drawn)
    best = study.folder / f"run{study.best_trial}"
    for file in (study.folder / "best_hyperparameters.json", best / "hyperparameters.json"):
        again = train(drawn, hyperparameters=file, seed=5)
        assert again.metrics == read_json(best / "metrics.json")
        assert file_digest(again.folder / "hyperparameters.json") == file_digest(best / "hyperparameters.json")


BAD_FILES = [
    ('{"classifier": "mlp"}', "is of the classifier mlp, not svm"),
    ('{"backbone": "lfcc"}', "is of the backbone lfcc, not hubert"),
    ('{"best_hyperparameters": {"classifier": "rf"}}', "is of the classifier rf, not svm"),
    ('{"depth": 3}', "Unknown hyperparameter 'depth'; allowed, with their defaults: C=10.0, kernel=rbf, gamma="),
    ('{"C": "high"}', "C must be a number such as 10.0, not 'high'"),
    ('{"C": true}', "C must be a number"),
    ('{"C": NaN}', "C must be a number"),
    ('{"C": null}', "C must be a number"),
    ('{"C": -1}', "C must lie in"),
    ('{"kernel": "poly"}', "Unknown kernel 'poly'; allowed: rbf, linear"),
    ('{"layer": null}', "layer must be a whole number, not None"),
    ('{"layer": "deep"}', "layer must be a whole number, not 'deep'"),
    ('{"layer": 1.5}', "layer must be a whole number, not 1.5"),
    ('{"layer": true}', "layer must be a whole number, not True"),
    ('{"layer": 3}', "There is no layer 3"),
    ('{"pooling": "max"}', "Unknown pooling 'max'; allowed: mean, std, mean\\+std"),
    ('{"pooling": ["mean"]}', "Unknown pooling '\\['mean'\\]'"),
    ('{"C": 1,', "h.json is not valid JSON"),
    ('[{"C": 1}]', "must hold a JSON object of hyperparameters, not list"),
    ('{"best_hyperparameters": [1]}', "must hold a JSON object of hyperparameters, not list"),
    ('{"best_hyperparameters": null}', "must hold a JSON object of hyperparameters, not NoneType"),
    (b"\xff\xfe", "h.json is not valid JSON"),
]


@pytest.mark.parametrize(("content", "line"), BAD_FILES, ids=[str(content) for content, _ in BAD_FILES])
def test_a_bad_file_is_refused_before_a_folder_is_made(
    content: str | bytes, line: str, drawn: Path, tmp_path: Path
) -> None:
    file = tmp_path / "h.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=line):
        train(drawn, hyperparameters=file)
    assert not (drawn / "runs").exists()


def test_a_file_that_is_not_there_is_named(drawn_once: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no hyperparameter file .*absent\.json"):
        train(drawn_once, hyperparameters=Path("absent.json"))


def test_an_explicit_flag_goes_before_the_file(drawn: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "h.json", {"layer": 1, "pooling": "mean"})
    run = train(drawn, layer=0, pooling="std", hyperparameters=tmp_path / "h.json")
    inputs = read_json(run.folder / "hyperparameters.json")
    assert (inputs["layer"], inputs["pooling"]) == (0, "std")
