"""What the template of a card is filled in with: the tables of the run's page, and sentences with its numbers."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from src.deploy.card_data import UNKNOWN, clips_of, clips_table, licences_of, own_places
from src.deploy.card_limits import CUES, limits_of
from src.deploy.card_model import needs_of
from src.deploy.footprint import Work, supposition, told, total, works_table
from src.experiments.report.cross_records import read_cross
from src.experiments.report.files import exists
from src.experiments.runs.artefacts import HYPERPARAMETERS
from src.experiments.runs.commands import how_to_train_again
from src.experiments.runs.names import crosses_in
from src.experiments.training.models import model_class
from src.experiments.training.trained import Trained
from src.metrics.table import METRICS, shown_in, written
from src.models.arrays import WEIGHTS
from src.models.contract import reading_weights
from src.visualize.pages.benchmark_tables import benchmark_table
from src.visualize.pages.domain_tables import folds_table, side_by_side, unheard_table
from src.visualize.pages.explanations import parts_table
from src.visualize.pages.records import Run
from src.visualize.pages.run_tables import breakdown_tables, inputs_table, metrics_table, tested_on
from src.visualize.pages.stress_tables import in_short, stress_table
from src.visualize.pages.words import confidence, rough, size, verdict

NOT_OF_THE_RECIPE = ("seed", "by", "folds", "hold_out", "augment", "copies", "teacher")
"""What a cross-validation of a recipe may have otherwise."""


def content_of(trained: Trained, run: Run, parts: Sequence[Trained], root: Path) -> dict[str, Any]:
    """Return what the template takes, but for the metadata, the model and the work."""
    return {
        "run": run,
        "parts": [str(part) for part in trained.inputs.get("runs", ())] if _is_fusion(trained) else [],
        "is_fusion": _is_fusion(trained),
        "limits": limits_of(run),
        "commands": _commands(trained, run),
        "clips": clips_table(clips_of(trained, parts)),
        "needs": sorted({need for each in (parts or [trained]) for need in needs_of(each)}),
        "apart": _are_apart(trained, run),
        "licences": licences_of(trained.recipe.dataset),
        "hyperparameters": inputs_table(own_places(trained.inputs), "Hyperparameters"),
        "size": size(trained.provenance) or _numbers(trained),
        "weights": _size_of_weights(trained),
        "machine": inputs_table(_machine(trained), "Machine"),
        "software": inputs_table(
            {"python": trained.provenance.get("python"), **_noted(trained, "packages")}, "Packages"
        ),
        **_results(run),
        "crosses": list(_crosses(trained, root)),
    }


def cost_of(works: Sequence[Work]) -> dict[str, Any]:
    """Return what a card says of hours, energy and CO2."""
    grams, kwh, hours = (total(works, what) for what in ("grams", "kwh", "hours"))
    return {
        "footprint": works_table(works),
        "device": "; ".join(dict.fromkeys(work.device for work in works)),
        "hours": told(hours),
        "emitted": UNKNOWN if grams is None else f"about {told(grams)} g of CO2, for {told(kwh)} kWh",
        "supposed": supposition(),
    }


def _results(run: Run) -> dict[str, Any]:
    """Return the tables of what was found of a run, and the sentences above them."""
    outcome = run.outcome
    validation, cues = run.validation.get("eer"), outcome.metrics.get(CUES) if outcome else None
    stress, explained = run.stress, run.explanation
    return {
        "verdict": verdict(outcome) if outcome else "",
        "cues": rough(cues.value) if cues else "",
        "validation": rough(validation.value) if validation else "",
        "threshold": written(run.validation["threshold"].value, "number") if "threshold" in run.validation else UNKNOWN,
        "confidence": confidence(outcome.about if outcome else {}),
        "metrics": metrics_table(run, outcome),
        "glossary": [entry for entry in shown_in("page") if entry.glossary and entry.key in _metrics_in(run)],
        "divided": breakdown_tables(outcome) if outcome else [],
        "others": list(_others(run)),
        "across": side_by_side(run),
        "unheard": unheard_table(run),
        "benchmark": benchmark_table(run.benchmark) if run.benchmark else None,
        "stressed": in_short(stress) if stress else "",
        "stress": stress_table(stress) if stress else None,
        "explained": parts_table(explained) if explained else None,
    }


def _metrics_in(run: Run) -> set[str]:
    """Return the metrics that a card shows somewhere."""
    outcomes = [outcome for outcome in (run.outcome, *run.other_outcomes, *run.benchmark) if outcome]
    return {*run.validation, *(key for outcome in outcomes for key in outcome.metrics)} & METRICS.keys()


def _others(run: Run) -> Iterator[dict[str, Any]]:
    """Yield tests on other data: title and table."""
    for outcome in run.other_outcomes:
        table = metrics_table(run, outcome)
        if table:
            yield {"title": tested_on(outcome) or outcome.folder, "metrics": table}


def _crosses(trained: Trained, root: Path) -> Iterator[dict[str, Any]]:
    """Yield the finished cross-validations of the run's recipe on its corpus."""
    for name in crosses_in(root):
        run = read_cross(name, root)
        folds = folds_table(run)
        if run.outcome and folds and _same_recipe(run, trained):
            yield {"name": run.name, "by": run.hyperparameters.get("by", UNKNOWN), "folds": folds,
                   "verdict": verdict(run.outcome) or UNKNOWN}  # fmt: skip


def _same_recipe(cross: Run, trained: Trained) -> bool:
    """Tell whether a cross-validation trained what a run is, on the same corpus, but for what it may have otherwise."""
    both = (cross.hyperparameters, trained.inputs)
    own, other = ({key: value for key, value in each.items() if key not in NOT_OF_THE_RECIPE} for each in both)
    return own == other and _corpus(cross.provenance) == _corpus(trained.provenance) != ""


def _corpus(provenance: Mapping[str, Any]) -> str:
    """Return the digest of the corpus of a run; empty where it noted none."""
    data = provenance.get("data")
    corpus = data.get("corpus") if isinstance(data, Mapping) else None
    return str(corpus.get("digest") or "") if isinstance(corpus, Mapping) else ""


def _commands(trained: Trained, run: Run) -> str:
    """Return what is typed to use a run, or to train it again."""
    again = how_to_train_again(
        trained.inputs, Path("runs") / run.name / HYPERPARAMETERS, f"datasets/{trained.inputs['corpus']}"
    )
    if not run.has_weights:
        return f"# its weights were dropped; with its corpus, this trains it again:\n{again}"
    return (
        f"fab Predict --run={run.name} --files=recording.wav\n"
        f"fab Serve --run={run.name}\n"
        f"# with its corpus, this tests it, and the next line trains it again:\n"
        f"fab TestModel --run={run.name}\n{again}"
    )


def _are_apart(trained: Trained, run: Run) -> bool:
    """Tell whether it is known that nobody is in two of training, validation and test."""
    people = trained.provenance["data"].get("people")
    if not isinstance(people, Mapping) or len(people) < 2 or not run.outcome:
        return False
    known = [set(names) for names in people.values()]
    return len(set.union(*known)) == sum(map(len, known)) and run.outcome.about.get("people_seen_in_training") == 0


def _size_of_weights(trained: Trained) -> str:
    """Return how large the files of the weights are; empty where they were dropped."""
    paths = [trained.folder / name for name in model_class(trained.recipe.model).files]
    n_bytes = sum(path.stat().st_size for path in paths if exists(path))
    if not n_bytes:
        return ""
    return f"{n_bytes / 1e6:.3g} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:.3g} kB"


def _numbers(trained: Trained) -> str:
    """Return how many numbers the weights of a classifier are, which notes no parameters; empty without the file."""
    from safetensors.numpy import load

    path = trained.folder / WEIGHTS
    if not exists(path):
        return ""
    with reading_weights(path):
        count = sum(array.size for array in load(path.read_bytes()).values())
    return f"{count:,} numbers in the file of its weights"


def _noted(trained: Trained, what: str) -> Mapping[str, Any]:
    noted = trained.provenance.get(what)
    return noted if isinstance(noted, Mapping) else {}


def _machine(trained: Trained) -> Mapping[str, Any]:
    return {part: "none" if value == "" else value for part, value in _noted(trained, "machine").items()}


def _is_fusion(trained: Trained) -> bool:
    return trained.recipe.input.kind == "scores"
