"""Models of one's own choice under a probe, which lands in `runs/probe<k>/`: probe.csv, probe.png, probe.json last."""

from dataclasses import dataclass
from pathlib import Path

from src.backbones.pretrained import family_of, model_digest
from src.experiments.corpus.splits import DOWNSTREAM
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.pretraining.clip_embeddings import LFCC, Models
from src.experiments.pretraining.probe import probe
from src.experiments.pretraining.probe_results import PICTURE, Probe
from src.experiments.pretraining.recipe import PRETRAINING
from src.experiments.pretraining.review import MODEL, START
from src.experiments.runs.folders import new_numbered_folder
from src.experiments.runs.names import numbered
from src.experiments.runs.provenance import describe_origin, now
from src.utils.files import write_json
from src.utils.paths import absolute, runs_folder

FOLDER = "probe"
RECORD = "probe.json"
PARTS = (START, MODEL)
"""The models of a pretraining that are probed."""


@dataclass(frozen=True)
class WrittenProbe:
    """A probe and its folder."""

    folder: Path
    probe: Probe

    def __str__(self) -> str:
        return f"{self.probe}\nWritten to {self.folder}; {self.folder / PICTURE} shows all layers."


def probe_models(named: str, dataset: Path, *, root: Path, seed: int = 7, device: str = "auto") -> WrittenProbe:
    """Probe the models of some folders beside LFCC.

    Parameters
    ----------
    named : str
        Folders of models, separated by commas; `pretraining0` stands for the start and the model of that pretraining.
    dataset, seed, device
        See `probe`.
    root : Path
        Holds `runs/`.

    Raises
    ------
    FileNotFoundError, ValueError
        When one is no model, is named twice, or the corpus cannot be used.
    """
    started = now()
    models = find_models(named, root)
    found = probe({LFCC: None, **models}, dataset, root=root, seed=seed, device=device)
    opened = Waveforms().open(dataset, root)
    data = {"corpus": {"path": opened.noted_path}, "waveforms": {split: opened.origin(split) for split in DOWNSTREAM}}
    digests = {name: model_digest(str(folder)) for name, folder in models.items()}
    folder = new_numbered_folder(runs_folder(root), FOLDER)
    found.write(folder)
    origin = describe_origin(seed=seed, data=data, started=started)
    write_json(folder / RECORD, {"corpus": dataset.name, "models": digests, **found.as_json(), "origin": origin})
    return WrittenProbe(folder, found)


def find_models(named: str, root: Path) -> Models:
    """Return name -> folder of the models that were typed, in their order.

    Raises
    ------
    FileNotFoundError, ValueError
        When none is named, one twice, or one is no folder of a model.
    """
    folders: list[Path] = []
    for typed in filter(None, (part.strip().rstrip("/") for part in named.split(","))):
        name = typed.removeprefix("./").removeprefix("runs/")
        of_run = numbered(name, PRETRAINING) is not None
        folders += [runs_folder(root) / name / part for part in PARTS] if of_run else [absolute(typed)]
    if not folders:
        raise ValueError("Which models? Give folders or a pretraining: `models=pretraining0,FOLDER`.")
    twice = [folder for folder in folders if folders.count(folder) > 1]
    if twice:
        raise ValueError(f"`models` names {twice[0]} twice.")
    for folder in folders:
        family_of(str(folder))
    last = [folder.name for folder in folders]
    alone = len(set(last)) == len(last) and not set(last) & set(PARTS)
    names = last if alone else [f"{folder.parent.name}/{folder.name}" for folder in folders]
    if len(set(names)) < len(names) or LFCC in names:
        names = list(map(str, folders))
    return dict(zip(names, folders, strict=True))
