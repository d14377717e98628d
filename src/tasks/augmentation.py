"""Tasks of effects: clips as they sound through the real world's channels."""

from pathlib import Path

from fabric import Connection

from src.tasks.command_line import command


@command(
    "AugmentationGallery",
    dataset="corpus whose first bona fide clip is heard, and whose people are the babble (or give --file)",
    file="recording that is heard instead",
    output="folder of the page (default gallery)",
    noises="folder of recordings of noise, such as MUSAN (default: none)",
    rooms="folder of recorded responses of rooms (default: none)",
)
def augmentation_gallery(
    c: Connection,
    dataset: Path | None = None,
    file: Path | None = None,
    output: Path = Path("gallery"),
    noises: Path | None = None,
    rooms: Path | None = None,
    seed: int = 7,
) -> None:
    """Write a page to hear and see every effect at several strengths."""
    from dataclasses import replace

    from src.audio.augment.sources import NO_SOURCES
    from src.experiments.corpus import gallery

    if dataset is None and file is None:
        raise ValueError("Give a corpus (`dataset`) or a recording (`file`).")
    clip, sources = gallery.clip_and_people(dataset) if dataset else (Path(), NO_SOURCES)
    made = gallery.augmentation_gallery(file or clip, output, replace(sources, noises=noises, rooms=rooms), seed=seed)
    print(f"Written {made}: open it in a browser and listen.")
