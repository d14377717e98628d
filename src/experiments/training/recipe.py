"""Everything a run is trained from, and how it stands in `hyperparameters.json`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from src.experiments.corpus.held_out_domains import kinds_in
from src.experiments.inputs import Input, input_of
from src.experiments.training.models import model_class
from src.models.contract import Config
from src.utils.files import read_json

HOLD_OUT = "hold_out"
OWN_KEYS = ("corpus", "input", "classifier", "seed", HOLD_OUT)
"""What `hyperparameters.json` holds beside the input's own keys and those of the model's config."""


@dataclass(frozen=True)
class Recipe:
    """Everything a run is trained from."""

    dataset: Path
    input: Input
    model: str
    """What is trained, by its name: mlp, svm, ..."""
    config: Config
    seed: int = 7
    hold_out: str = ""
    """Which kinds of domains are left out to choose it by, and for its threshold: system, corpus, or both."""

    def __post_init__(self) -> None:
        kinds_in(self.hold_out)
        model_class(self.model, takes=self.input.kind)
        self.input.for_model(self.model)  # refuses what it cannot take

    def as_json(self, described: Mapping[str, Any]) -> dict[str, Any]:
        """Return the hyperparameters of the run, flat.

        Parameters
        ----------
        described : mapping
            The input with all its choices, as `OpenInput.describe` gives it.
        """
        return {
            "corpus": self.dataset.name,
            "input": self.input.kind,
            **described,
            "classifier": self.model,
            "seed": self.seed,
            **({HOLD_OUT: self.hold_out} if self.hold_out else {}),
            **asdict(self.config),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], dataset: Path) -> Self:
        """Read a run's hyperparameters back, those of the first edition included."""
        model_input = input_of(values)
        own = hyperparameters_in(values, type(model_input))
        config = model_class(values["classifier"]).Config.from_mapping(own)
        return cls(dataset, model_input, values["classifier"], config, values["seed"], values.get(HOLD_OUT, ""))


def hyperparameters_in(values: Mapping[str, Any], kind: type[Input]) -> dict[str, Any]:
    """Return those values of a `hyperparameters.json` that are the model's own."""
    of_input = (*kind.keys, *getattr(kind, "optional_keys", ()))
    return {key: value for key, value in values.items() if key not in (*OWN_KEYS, *of_input)}


def choose_recipe(
    dataset: Path,
    wanted: Input,
    classifier: str,
    *,
    hyperparameters: Path | None = None,
    values: Mapping[str, Any] | None = None,
    seed: int = 7,
) -> Recipe:
    """Return a recipe; what is left open comes from a JSON file, else from the defaults.

    Parameters
    ----------
    dataset : Path
    wanted : Input
        What it leaves open is that of the file, else what is built in: the last layer and "mean" of embeddings.
    classifier : str
    hyperparameters : Path, optional
        JSON: the classifier's hyperparameters, a run's `hyperparameters.json`, or a study's best. Its seed is
        ignored.
    values : mapping, optional
        The model's own hyperparameters that count before those of the file.
    seed : int

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When it is another classifier's or input's, or what it holds is not allowed.
    """
    kind = model_class(classifier, takes=wanted.kind)
    content = _read_file(hyperparameters, classifier) if hyperparameters else {}
    completed = wanted.completed(content, hyperparameters)
    config = kind.Config.from_mapping({**hyperparameters_in(content, type(wanted)), **(values or {})})
    return Recipe(dataset, completed, classifier, config, seed, str(content.get(HOLD_OUT, "")))


def _read_file(path: Path, classifier: str) -> Mapping[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"There is no hyperparameter file {path}.")
    content = read_json(path)
    if isinstance(content, Mapping):
        content = content.get("best_hyperparameters", content)
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} must hold a JSON object of hyperparameters, not {type(content).__name__}.")
    if content.get("classifier", classifier) != classifier:
        raise ValueError(f"{path} is of the classifier {content['classifier']}, not {classifier}.")
    return content
