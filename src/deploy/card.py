"""A run's card in the form of Hugging Face: metadata with a model index, and what a reader should know, in its order.

Everything in it comes from files that the run left (its provenance, its score files, its tests) and from the tables of
its corpus. Nothing is invented: what they do not say is called unknown, a test that was not made is said to be missing.
Nobody is named, and no folder of the machine that trained: a card is written to be published.

The metadata and the model index are those of `huggingface_hub`. Its `ModelCard.validate` asks the hub; what can be
checked here is checked before anything is written: the card is parsed again, and its results must come back unchanged.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.deploy.card_content import content_of, cost_of
from src.deploy.card_model import Model, describe_model
from src.deploy.card_results import TASK, results_of
from src.deploy.footprint import GRAMS_PER_KWH, Work, total, works_behind
from src.deploy.markdown import render
from src.experiments.report.run_records import read_run
from src.experiments.runs.names import RunName
from src.experiments.training.trained import Trained, read_trained
from src.utils.files import check_output, write_text
from src.visualize.pages.records import Run
from src.visualize.pages.words import readable

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCard

CARD = "README.md"
"""What the hub shows of a folder."""
LIBRARY = "audios"
TAGS = ("anti-spoofing", "deepfake-detection", "speech", LIBRARY)
HUB_METRICS = ("accuracy", "f1", "precision", "recall", "roc_auc")


def write_card(name: RunName, output: Path | None = None, *, root: Path) -> Path:
    """Write the card of a run and return its path.

    Parameters
    ----------
    name : RunName
        A study alone stands for its best trial.
    output : Path, optional
        The file; README.md in the run's folder when it is not given.
    root : Path
        Holds `runs/`.

    Raises
    ------
    FileNotFoundError
        When there is no such run, or it did not finish.
    ValueError
        When a file of it is damaged, it is a cross-validation, or the output is one of its files.
    """
    trained = read_trained(root, name)
    if output:
        check_output(output, [file for file in trained.folder.rglob("*") if file.name != CARD])
    card = make_card(trained, root)
    path = output or trained.folder / CARD
    write_text(path, str(card))
    return path


def make_card(trained: Trained, root: Path) -> "ModelCard":
    """Return the card of a run, checked."""
    from huggingface_hub import ModelCard

    run = read_run(trained.name, root)
    parts = parts_of(trained, root)
    model = describe_model(trained, parts)
    fused = [str(part.name) for part in parts]
    works = works_behind(trained.name, trained.provenance, root, fused)
    results = results_of(run)
    metadata = _metadata(run, model, works, results)
    content = content_of(trained, run, parts, root)
    text = render("model_card.md", metadata=metadata, model=model, **cost_of(works), **content)
    card = ModelCard(text)
    check_results(card, results)
    return card


def parts_of(trained: Trained, root: Path) -> list[Trained]:
    """Return the runs that a fusion is made of, as far as they are here; none of any other run."""
    found = []
    for part in trained.inputs.get("runs", ()) if trained.recipe.input.kind == "scores" else ():
        try:
            found.append(read_trained(root, RunName.parse(part)))
        except (OSError, ValueError) as error:
            logging.getLogger("audios").debug("%s", error)  # the card says what is unknown
    return found


def check_results(card: "ModelCard", results: "Sequence[EvalResult]") -> None:
    """Raise RuntimeError unless a card holds exactly these results when the hub's own code reads it."""
    from huggingface_hub import ModelCard
    from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

    read = ModelCard(str(card)).data
    if not results:
        return
    index = eval_results_to_model_index(read.get("model_name"), read.get("eval_results"))
    _, found = model_index_to_eval_results(index)
    if found != list(results):
        raise RuntimeError("the model index of the card does not hold the results of the run")


def _metadata(run: Run, model: Model, works: Sequence[Work], results: "list[EvalResult]") -> Any:
    """Return the metadata of a card as YAML."""
    from huggingface_hub import ModelCardData
    from markupsafe import Markup

    grams = total(works, "grams")
    emissions = None if grams is None else {
        "emissions": float(f"{grams:.3g}"),
        "source": f"an estimate from hours, a supposed power and {GRAMS_PER_KWH:g} g/kWh; see Environmental Impact",
        "training_type": "fine-tuning" if model.bases else "pre-training",
        "hardware_used": readable("; ".join(dict.fromkeys(work.device for work in works))),
    }  # fmt: skip
    found = {result.metric_type for result in results}
    data = ModelCardData(
        model_name=run.name,
        license="unknown",
        library_name=LIBRARY,
        pipeline_tag=TASK,
        tags=list(TAGS),
        base_model=list(model.bases) or None,
        metrics=[name for name in HUB_METRICS if name in found] or None,
        eval_results=results or None,
        co2_eq_emissions=emissions,
    )
    return Markup(data.to_yaml())
