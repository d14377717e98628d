"""Tasks of effects: clips as they sound through the real world's channels."""

from dataclasses import dataclass
from pathlib import Path

from fabric import Connection

from src.tasks.command_line import command
from src.tasks.run_flags import RUN_HELP, RunFlags
from src.tasks.words import FOLDERS_HELP, RELEASE, on
from src.utils.paths import ROOT


@dataclass(frozen=True)
class AugmentingFlags:
    """The flags of AugmentDataset."""

    dataset: Path = RELEASE
    recipe: str = "field"
    copies: int = 1
    output: Path | None = None
    noise_folder: Path | None = None
    rooms_folder: Path | None = None
    seed: int = 7


@command(
    "AugmentDataset",
    recipe="field (default), another recipe of docs/augmentation.md, or a JSON file",
    copies="augmented copies of each training clip (default 1)",
    output="folder of the new corpus (default: beside the dataset, named ..._augmented)",
    **FOLDERS_HELP,
)
def augment_dataset(c: Connection, flags: AugmentingFlags) -> None:
    """Write a new corpus with augmented copies of the training clips beside all clips.

    Split the corpus first: the new one has the same splits, with copies in training splits alone.
    """
    from src.experiments.corpus import augmentation
    from src.experiments.corpus.copies import Augmenting
    from src.experiments.corpus.splits import split_table
    from src.utils.recipes import written_recipe

    recipe = written_recipe(flags.recipe)
    how = Augmenting(recipe, flags.copies, flags.noise_folder, flags.rooms_folder, flags.seed)
    made = augmentation.augment_dataset(flags.dataset, flags.output, how)
    is_split = split_table(made.folder, "downstream_train").is_file()
    then = "GenerateEmbeddings --backbone=lfcc" if is_split else "SplitDataset"
    print(f"{made}. Next: fab {then}{on(made.folder)}")


@dataclass(frozen=True)
class StressFlags(RunFlags):
    """The flags of StressTest."""

    effects: str = ""
    model: str = ""
    noise_folder: Path | None = None
    rooms_folder: Path | None = None
    seed: int = 7


@command(
    "StressTest",
    effects="effects of docs/augmentation.md, such as white,mp3,room (default: all that can be had here)",
    model="folder of the backbone's model, where the run's embeddings are of a local one",
    classifier="classifier of the study, beside --study-number=",
    **FOLDERS_HELP,
    **RUN_HELP,
)
def stress_test(c: Connection, flags: StressFlags) -> None:
    """Play the test of a run through every distortion at several strengths: EER against strength.

    Scores are kept in the run's folder: a second start computes only what is missing.
    """
    from src.experiments.evaluation import stress
    from src.tasks.detectors import found_model

    effects = tuple(filter(None, (name.strip() for name in flags.effects.split(","))))
    if flags.effects and not effects:
        raise ValueError(f"`effects={flags.effects}` names no effect: give some, such as white,mp3, or leave it out.")
    model = found_model({"model": flags.model})["model"]
    wish = stress.StressWish(effects, flags.seed, str(model) or None, flags.noise_folder, flags.rooms_folder)
    found = stress.stress_run(flags.name(), wish, root=ROOT)
    print(f"{found}\nWritten to {found.folder}. Next: fab ReportRuns")


@command(
    "AugmentationGallery",
    dataset="corpus whose first bona fide clip is heard, and whose people are the babble (or give --file)",
    file="recording that is heard instead",
    output="folder of the page (default gallery)",
    **FOLDERS_HELP,
)
def augmentation_gallery(
    c: Connection,
    dataset: Path | None = None,
    file: Path | None = None,
    output: Path = Path("gallery"),
    noise_folder: Path | None = None,
    rooms_folder: Path | None = None,
    seed: int = 7,
) -> None:
    """Write a page to hear and see every effect at several strengths."""
    from dataclasses import replace

    from src.audio.augment.sources import NO_SOURCES
    from src.experiments.corpus import gallery

    if dataset is None and file is None:
        raise ValueError("Give a corpus (`dataset`) or a recording (`file`).")
    clip, sources = gallery.clip_and_people(dataset) if dataset else (Path(), NO_SOURCES)
    sources = replace(sources, noises=noise_folder, rooms=rooms_folder)
    made = gallery.augmentation_gallery(file or clip, output, sources, seed=seed)
    print(f"Written {made}: open it in a browser and listen.")
