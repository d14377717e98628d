"""Tasks that train detectors: networks from the waveform to the score."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from fabric import Connection

from src.backbones.published import FINE_TUNABLE
from src.detectors.heads import HEADS
from src.experiments.runs.commands import how_to_test
from src.experiments.runs.names import RunName
from src.tasks.command_line import command
from src.tasks.resume_flag import refuse_beside_resume
from src.tasks.words import FOLDERS_HELP, RELEASE, listed
from src.utils.paths import ROOT, absolute

TRAINING_HELP = {
    "seconds": "length of the windows that the network sees (default: the detector's own)",
    "epochs": "epochs at most (default: the detector's own)",
    "batch_size": "windows in a batch, which all processes of a launcher share (default: the detector's own)",
    "learning_rate": "at its peak (default: the detector's own)",
    "loss": "cross-entropy, focal, oc-softmax, am-softmax or contrastive (default cross-entropy)",
    "augment": "recipe by which training windows are augmented: a name such as field, or a JSON file (default: none)",
    **FOLDERS_HELP,
    "precision": "fp32, or bf16 on hardware that has it (default fp32)",
    "set": "further hyperparameters, such as dropout=0.3,patience=5, before those of a file; --set=?=0 lists all",
    "hyperparameters": "JSON file, such as that of a run; defaults fill the rest; its seed is ignored",
    "distill_from": "run whose scores the detector learns from, beside the labels (default: none)",
    "quantize": "int8: dense layers learn to bear 8 bits, and are kept in them: a quarter of the size (default: none)",
    "log": "tensorboard: curves below the run's folder, while they grow (default: none)",
    "workers": "processes that read recordings; 0 = the training itself (default)",
    "resume": "run to resume, such as run3, after a kill; only --log, --workers and its own --dataset go with it",
}


@dataclass(frozen=True)
class NetworkFlags:
    """The flags of all tasks that train networks on waveforms."""

    dataset: Path = RELEASE
    seconds: float | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    loss: str = ""
    augment: str = ""
    noise_folder: Path | None = None
    rooms_folder: Path | None = None
    precision: str = ""
    set: str = ""
    hyperparameters: Path | None = None
    distill_from: str = ""
    quantize: str = ""
    hold_out: str = ""
    log: str = ""
    workers: int = 0
    resume: str = ""
    seed: int = 7

    def chosen(self) -> dict[str, object]:
        """Return the hyperparameters that flags name."""
        named = {
            "seconds": self.seconds,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "loss": self.loss or None,
            "augment": self.augment or None,
            "noise_folder": str(self.noise_folder) if self.noise_folder else None,
            "rooms_folder": str(self.rooms_folder) if self.rooms_folder else None,
            "precision": self.precision or None,
            "quantize": self.quantize or None,
        }
        given: dict[str, object] = {name: value for name, value in named.items() if value is not None}
        return {**parse_settings(self.set), **written(given)}


@dataclass(frozen=True)
class DetectorFlags(NetworkFlags):
    """The flags of TrainDetector."""

    detector: str = ""


@command("TrainDetector", **TRAINING_HELP)
def train_detector(c: Connection, flags: DetectorFlags) -> None:
    """Train a detector on waveforms into runs/run<m>; a training that was killed is resumed with --resume=run<m>."""
    train_network(flags.detector, flags, {})


@dataclass(frozen=True)
class FineTuneFlags(NetworkFlags):
    """The flags of FineTune."""

    backbone: str = ""
    model: str = ""
    head: str = ""
    freeze: str = ""
    prune: float | None = None

    def own(self) -> dict[str, object]:
        """Return the hyperparameters that only fine-tuning has."""
        named = {"backbone": self.backbone, "model": self.model, "head": self.head, "freeze": self.freeze}
        given: dict[str, object] = {name: value for name, value in named.items() if value}
        if self.prune == 0:
            raise ValueError("`prune` must lie between 0 and 1, such as 0.3, not 0: leave it out to prune nothing.")
        return found_model(given if self.prune is None else {**given, "prune": self.prune})


FINE_TUNING_HELP = TRAINING_HELP | {
    "seconds": "length of the windows that the network sees (default 4)",
    "epochs": "epochs at most (default 5)",
    "batch_size": "windows in a batch, which all processes of a launcher share (default 4)",
    "learning_rate": "of the head, at its peak; the encoder learns at a tenth of it (default 0.0003)",
    "model": "hub id, local folder made by save_pretrained, or random:base, random:large (default: the backbone's own)",
}


@command(
    "FineTune",
    **FINE_TUNING_HELP,
    backbone=f"{listed(FINE_TUNABLE)} (default wav2vec2)",
    head=f"{listed(HEADS)} (default linear)",
    freeze="what stays as it was published: encoder (all of it), features (its convolutions; default), or none",
    prune="share of attention heads and feed-forward units, such as 0.3, cut out after the training, which two fifths "
    "of the epochs follow (default: none)",
)
def fine_tune(c: Connection, flags: FineTuneFlags) -> None:
    """Train a head on a pretrained backbone, and the backbone with it, into runs/run<m>.

    The defaults are a plain recipe: windows of 4 s padded or cut, AdamW, a linear schedule with
    warm-up, cross-entropy, 5 epochs, batches of 4.
    """
    train_network("fine-tuned", flags, flags.own())


def train_network(detector: str, flags: NetworkFlags, own: dict[str, object]) -> None:
    """Train or resume a detector, and say what was made; `own` are hyperparameters of flags of one task."""
    from src.experiments.inputs.waveforms import Waveforms
    from src.experiments.training import recipe, resuming, trainer

    aids = trainer.Aids(flags.log, flags.workers)
    if flags.resume:
        refuse_beside_resume(flags, "log", "workers")
        dataset = None if flags.dataset == RELEASE else flags.dataset
        run = resuming.resume_run(RunName.parse(flags.resume), root=ROOT, aids=aids, dataset=dataset)
    else:
        wanted = Waveforms(flags.distill_from)
        chosen = recipe.choose_recipe(
            flags.dataset,
            wanted,
            detector,
            hyperparameters=flags.hyperparameters,
            values={**own, **flags.chosen()},
            seed=flags.seed,
        )
        run = trainer.train_model(replace(chosen, hold_out=flags.hold_out or chosen.hold_out), root=ROOT, aids=aids)
    if compression := getattr(run.model, "compression", None):
        print(compression)
    print(f"{run}. Next: {how_to_test(run.name)}")


def parse_settings(text: str) -> dict[str, object]:
    """Read hyperparameters that were typed in one flag.

    >>> parse_settings("dropout=0.3,front_end=cqcc,epochs=5,balance=false")
    {'dropout': 0.3, 'front_end': 'cqcc', 'epochs': 5, 'balance': False}

    Raises
    ------
    ValueError
        When a part is not of the form name=value.
    """
    settings: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not name or not equals:
            raise ValueError(f"`set` must be a list such as dropout=0.3,patience=5, not '{text}' (see '{part}').")
        settings[name.strip()] = _as_value(value.strip())
    return found_model(written(settings))


def written(settings: Mapping[str, object]) -> dict[str, object]:
    """Replace the name of a recipe's file, in `augment`, by what it holds."""
    from src.utils.recipes import written_recipe

    typed = settings.get("augment")
    return {**settings, **({"augment": written_recipe(typed)} if isinstance(typed, str) else {})}


def found_model(settings: dict[str, object]) -> dict[str, object]:
    """Make the paths of `model`, `weights` and `teacher` absolute where they are folders, not ids on the hub."""
    named = {name: settings.get(name) for name in ("model", "weights", "teacher")}
    folders = {name: absolute(value) for name, value in named.items() if isinstance(value, str) and value}
    return {**settings, **{name: str(folder) for name, folder in folders.items() if folder.is_dir()}}


def _as_value(text: str) -> object:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
