"""An ear check: one clip through every effect at several strengths, as a page with players and spectrograms.

The sounds lie beside the page, in `audio/`, as FLAC; nothing is scaled but by the effects themselves, so that their
levels can be compared. An effect that cannot be had (no encoder, no package, no recordings to mix in) is named with
the reason.
"""

import io
from pathlib import Path

import numpy as np
from tqdm import tqdm

from src.audio.augment import EFFECTS
from src.audio.augment.contract import check_machine, find_effect
from src.audio.augment.sources import Sources
from src.audio.augment.steps import Step, apply_steps, make_step
from src.audio.io import SPEECH_RATE, UnusableAudio, load_waveform, save_waveform
from src.utils.dataset import read_files
from src.utils.files import atomic_path, check_output, write_text
from src.utils.labels import parse_label
from src.visualize.pages.pictures import parse_picture
from src.visualize.pages.rendering import gallery_page
from src.visualize.pages.sounds import Gallery, Sound, SoundGroup
from src.visualize.waveforms import waveforms_figure

DPI = 90


def augmentation_gallery(clip: Path, output: Path, sources: Sources, *, seed: int = 7) -> Path:
    """Write the page of a clip and return its path, `<output>/index.html`.

    Parameters
    ----------
    clip : Path
        A recording; resampled to 16 kHz.
    output : Path
        Folder of the page; sounds of an earlier page there are replaced.
    sources : Sources
        What effects mix in; effects whose recordings it lacks are left out, and named.
    seed : int

    Raises
    ------
    ValueError
        When the recording cannot be used.
    """
    try:
        waveform = load_waveform(clip)
    except UnusableAudio as error:
        raise ValueError(f"{clip} cannot be heard: {error}.") from error
    (output / "audio").mkdir(parents=True, exist_ok=True)
    check_output(output / "index.html", [clip])
    original = _sound("original", "as it is", waveform, output)
    groups, left_out = [], []
    for name in tqdm(EFFECTS, desc="effects", unit="effect", disable=None):
        try:
            steps = _steps(name, sources, seed)
        except ValueError as error:
            left_out.append(f"{name}: {error}")
            continue
        made = [apply_steps([step], waveform, SPEECH_RATE, sources) for step in steps]
        sounds = [
            _sound(f"{name}-{number}", str(step), heard, output)
            for number, (step, heard) in enumerate(zip(steps, made, strict=True))
        ]
        groups.append(SoundGroup(name, name.replace("_", " "), _about(name), tuple(sounds)))
    page = output / "index.html"
    write_text(page, gallery_page(Gallery(clip.name, seed, original, tuple(groups), tuple(left_out))))
    return page


def clip_and_people(dataset: Path) -> tuple[Path, Sources]:
    """Return the first bona fide clip of a corpus, and the other bona fide people as sources of babble.

    Raises
    ------
    ValueError
        When the corpus has no bona fide clip.
    """
    files = read_files(dataset)
    bonafide = files[[parse_label(word) == 1 for word in files["label"]]]
    if bonafide.empty:
        raise ValueError(f"{dataset} lists no bona fide clip: give one with `file`.")
    first = bonafide.iloc[0]
    others = bonafide[bonafide["speaker"] != first["speaker"]]["file"]
    return dataset / first["file"], Sources(dataset, tuple(others))


def _steps(name: str, sources: Sources, seed: int) -> list[Step]:
    """Return the steps of an effect from mild to severe; ValueError where it cannot be had."""
    effect = find_effect(name)
    check_machine(name)
    steps = [make_step(name, seed, (), **strength) for strength in effect.strengths]
    if not effect.draws:
        return steps
    count = int(steps[0].parameters[effect.how_many]) if effect.how_many else 1
    files = sources.draw(effect.draws, count, np.random.default_rng(seed))
    return [Step(name, step.parameters, seed, files) for step in steps]


def _about(name: str) -> str:
    effect = find_effect(name)
    imitated = effect.imitates[0].upper() + effect.imitates[1:]
    return f"{imitated}. {'The length is kept.' if effect.keeps_length else 'The length changes.'}"


def _sound(name: str, title: str, waveform: np.ndarray, output: Path) -> Sound:
    path = output / "audio" / f"{name}.flac"
    with atomic_path(path) as temporary:
        save_waveform(temporary, waveform)
    content = io.BytesIO()
    figure = waveforms_figure({"": waveform}, SPEECH_RATE)
    figure.axes[0].set_ylim(-1, 1)  # the same for all, so that levels can be compared
    figure.savefig(content, format="png", dpi=DPI)
    return Sound(title, f"audio/{path.name}", parse_picture(f"{name}.png", content.getvalue()))
