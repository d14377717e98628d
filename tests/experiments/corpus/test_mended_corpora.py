"""What cannot be used is left out by name, the rest is made, and once it is repaired the same command makes it too.

Fault 16, docs/faults.md: one broken link stopped the step, and the half-made folder was refused afterwards.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import numpy as np
import pytest
import soundfile

from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.spoofing import create_spoofs
from src.experiments.corpus.transforms import Derived, add_noise_to_dataset, normalize_dataset
from src.utils.dataset import FILES_TABLE, read_files, read_rejected
from src.utils.files import read_json

MakeCorpus = Callable[..., Path]
Step = Callable[..., Derived]
RATE = 16_000
STEPS: dict[str, Step] = {"normalized": normalize_dataset, "noisy": add_noise_to_dataset, "spoofed": create_spoofs}
every_step = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
PLACE = "real_voices/Person01_M001"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep all work in the test's own process, with noise in the place of Griffin-Lim."""
    monkeypatch.setattr(
        "src.audio.vocoders.griffinlim.griffinlim",
        lambda sound, _, seed: np.random.default_rng(seed).normal(size=len(sound)),
    )
    with joblib.parallel_config(backend="sequential"):
        yield


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sound(path: Path, seed: int = 5) -> None:
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.5, 0.5, 8_000), RATE)


def link_to_nowhere(path: Path) -> None:
    path.symlink_to("/nowhere/1.wav")


def silence(path: Path) -> None:
    soundfile.write(path, np.zeros(800), RATE)


def garbage(path: Path) -> None:
    path.write_bytes(b"no sound " * 100)


DAMAGES = {"a broken link": link_to_nowhere, "silence": silence, "no sound": garbage}
every_damage = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


@pytest.fixture
def corpus(make_corpus: MakeCorpus) -> Path:
    """Return a corpus of ten clips whose table lists one more, `00.wav`, the first of its person's, not there yet."""
    dataset = make_corpus("old", people=3, clips=2)
    sound(dataset / PLACE / "00.wav")
    generate_tables(dataset)
    (dataset / PLACE / "00.wav").unlink()
    return dataset


@every_step
@every_damage
def test_what_cannot_be_used_is_left_out_by_name_and_the_rest_is_made(
    step: Step, damage: Callable[[Path], None], corpus: Path
) -> None:
    damage(corpus / PLACE / "00.wav")
    made = step(corpus)
    rejected = read_rejected(made.folder)
    lost = [f"{PLACE}/00.flac"] + ["fake_voices/Person01_M001_Fake/0_fake.flac"] * (step is create_spoofs)
    assert sorted(rejected) == sorted(lost)
    assert made.n_rejected == len(lost)
    assert made.n_clips == len(read_files(made.folder)) == (12 if step is create_spoofs else 10)
    assert read_json(made.folder / "recipe.json")["left_out"] == [f"{PLACE}/00.wav"]


@every_step
@every_damage
def test_once_repaired_the_same_command_makes_what_an_uninterrupted_one_makes(
    step: Step, damage: Callable[[Path], None], corpus: Path
) -> None:
    bad = corpus / PLACE / "00.wav"
    sound(bad)
    expected = contents(step(corpus, corpus.with_name("undisturbed")).folder)
    bad.unlink()
    damage(bad)
    folder = step(corpus).folder
    made = {path: path.stat().st_mtime_ns for path in folder.rglob("*.flac")}
    bad.unlink()
    sound(bad)
    step(corpus)
    assert contents(folder) == expected
    assert {path: path.stat().st_mtime_ns for path in made} == made, "what was made is kept"


@every_damage
def test_once_removed_the_same_command_keeps_what_was_made(damage: Callable[[Path], None], corpus: Path) -> None:
    damage(corpus / PLACE / "00.wav")
    folder = create_spoofs(corpus).folder
    before = contents(folder)
    (corpus / PLACE / "00.wav").unlink()
    for _ in range(2):
        again = create_spoofs(corpus)
        assert (again.n_clips, again.n_rejected) == (12, 0)
        clips = {name: content for name, content in before.items() if name.endswith((".flac", FILES_TABLE))}
        assert clips.items() <= contents(folder).items(), "spoofs keep their numbers"


@every_step
def test_another_recording_in_the_place_of_a_used_one_is_refused(step: Step, corpus: Path) -> None:
    link_to_nowhere(corpus / PLACE / "00.wav")
    step(corpus)
    sound(corpus / PLACE / "M001-0000.flac", seed=9)
    with pytest.raises(ValueError, match="was made from other clips"):
        step(corpus)


@every_step
def test_a_repaired_recording_that_changes_again_is_made_again(step: Step, corpus: Path) -> None:
    """A step that was killed after it made the repaired clip has not recorded it yet."""
    bad = corpus / PLACE / "00.wav"
    link_to_nowhere(bad)
    folder = step(corpus).folder
    note = (folder / "recipe.json").read_bytes()
    bad.unlink()
    sound(bad)
    step(corpus)
    (folder / "recipe.json").write_bytes(note)
    sound(bad, seed=6)
    expected = contents(step(corpus, corpus.with_name("undisturbed")).folder)
    step(corpus)
    assert contents(folder) == expected


@every_step
def test_a_corpus_of_which_nothing_can_be_used_is_an_error(step: Step, corpus: Path) -> None:
    for path in corpus.rglob("*.flac"):
        silence(path)
    with pytest.raises(ValueError, match=r"^None of the \d+ clips of .* can be used \(.*\.flac: ") as error:
        step(corpus)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("step", [normalize_dataset, add_noise_to_dataset])
def test_rows_that_lead_out_of_the_corpus_write_nowhere(step: Step, corpus: Path) -> None:
    """Fault 04, docs/faults.md."""
    table = (corpus / FILES_TABLE).read_text()
    for prefix in (f"{corpus}/", f"../{corpus.name}/"):
        (corpus / FILES_TABLE).write_text(table.replace("\nreal_voices/", f"\n{prefix}real_voices/"))
        before = contents(corpus)
        with pytest.raises(ValueError, match="`file` is a path within the corpus folder"):
            step(corpus)
        assert [path.name for path in corpus.parent.iterdir()] == ["old"]
        assert contents(corpus) == before
