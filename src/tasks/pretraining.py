"""The task that pretrains backbones on speech without labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fabric import Connection

from src.pretraining import OBJECTIVES
from src.tasks.command_line import command
from src.tasks.detectors import found_model, parse_settings
from src.tasks.resume_flag import refuse_beside_resume
from src.tasks.words import FOLDERS_HELP, RELEASE, folders, listed
from src.utils.paths import ROOT, noted_path, on

SPLITS = "pretext_train"


@dataclass(frozen=True)
class PretrainingFlags:
    """The flags of PretrainBackbone."""

    objective: str = ""
    dataset: str = str(RELEASE)
    splits: str = SPLITS
    front_end: str = ""
    size: str = ""
    model: str = ""
    teacher: str = ""
    steps: int | None = None
    hours_seen: float | None = None
    batch_seconds: float | None = None
    learning_rate: float | None = None
    augment: str = ""
    noise_folder: Path | None = None
    rooms_folder: Path | None = None
    precision: str = ""
    set: str = ""
    no_probe: bool = False
    workers: int = 0
    resume: str = ""
    seed: int = 7

    def chosen(self) -> dict[str, object]:
        """Return the settings that flags name."""
        from src.tasks.detectors import written

        named = {
            "objective": self.objective or None,
            "front_end": self.front_end or None,
            "size": self.size or None,
            "steps": self.steps,
            "hours_seen": self.hours_seen,
            "batch_seconds": self.batch_seconds,
            "learning_rate": self.learning_rate,
            "augment": self.augment or None,
            "noise_folder": str(self.noise_folder) if self.noise_folder else None,
            "rooms_folder": str(self.rooms_folder) if self.rooms_folder else None,
            "precision": self.precision or None,
            "model": self.model or None,
            "teacher": self.teacher or None,
        }
        given: dict[str, object] = {name: value for name, value in named.items() if value is not None}
        return found_model({**parse_settings(self.set), **written(given)})


HELP = {
    "objective": f"what is learnt: {listed(OBJECTIVES)} (default wav2vec2)",
    "dataset": "folders of corpora, separated by commas (default datasets/release)",
    "splits": "splits that are learnt from, separated by commas (default pretext_train); pretext_val is held out",
    "front_end": "of a new model: mel (log-mel; cheap on a CPU; default) or conv (convolutions on the waveform)",
    "size": "of a new model: tiny (4 layers of 216), small (4 layers of 256; default) or base (as published)",
    "model": "carry on this model: hub id, folder such as runs/pretraining0/model, or random:base (default: a new one)",
    "teacher": "folder of a model: hubert names units of its layers, distill follows them (default: none)",
    "steps": "how often weights change (default: as --hours-seen asks for)",
    "hours_seen": "hours of speech that are seen, each crop counted every time (default 1)",
    "batch_seconds": "seconds of audio in a batch, on each device (default 16; more on a GPU)",
    "learning_rate": "at its peak (default 0.0005, or 0.00005 for a model that is carried on)",
    "augment": "recipe by which what is heard is augmented, but no target: field, or a JSON file (default: none)",
    **FOLDERS_HELP,
    "precision": "fp32, or bf16 on hardware that has it (default fp32)",
    "set": "further settings, such as patience=3,layer_decay=0.8,crop_seconds=3; --set=?=0 lists all",
    "no_probe": "do not judge the model at the end by the downstream splits, layer by layer (see ProbeBackbone)",
    "workers": "processes that read recordings; 0 = the pretraining itself (default)",
    "resume": "pretraining to resume, such as pretraining3, after a kill; only --workers, --no-probe and its own "
    "--dataset go with it",
}


@command("PretrainBackbone", **HELP)
def pretrain_backbone(c: Connection, flags: PretrainingFlags) -> None:
    """Pretrain a speech model without labels into runs/pretraining<k>; after a kill, --resume=pretraining<k>.

    It learns from the pretext splits, from random weights or onwards from a model, and stops early
    where held-out speech gains no more. Its model/ is what --model= of other tasks reads.
    """
    from src.experiments.pretraining import pretrainer, resuming
    from src.experiments.pretraining.recipe import PretrainingRecipe
    from src.pretraining.contract import PretrainingConfig
    from src.pretraining.onwards import completed

    around: dict[str, Any] = {"workers": flags.workers, "with_probe": not flags.no_probe}
    if flags.resume:
        refuse_beside_resume(flags, "workers", "no_probe")
        datasets = () if flags.dataset == str(RELEASE) else folders(flags.dataset)
        done = resuming.resume_pretraining(flags.resume, root=ROOT, datasets=datasets, **around)
    else:
        config = completed(PretrainingConfig.from_mapping(flags.chosen()))
        datasets, splits = folders(flags.dataset), [name.strip() for name in flags.splits.split(",") if name.strip()]
        recipe = PretrainingRecipe(tuple(datasets), config, tuple(splits), flags.seed)
        done = pretrainer.pretrain_backbone(recipe, root=ROOT, **around)
    print(done)
    window = " --window=own" if done.family == "whisper" else ""
    used = f"fab GenerateEmbeddings --backbone={done.family} --model={noted_path(ROOT, done.model)}{window}"
    print(f"Next: {used}{on(done.dataset)}")
