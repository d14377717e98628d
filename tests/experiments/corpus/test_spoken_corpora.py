"""A text becomes a corpus: by an engine made for the test, and by those that are installed."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import joblib
import pandas as pd
import pytest

from src.audio.io import load_waveform
from src.corpora.sources import SOURCES_TABLE
from src.experiments.corpus.speaking import parse_voices, speak_text
from src.utils.dataset import read_files
from src.utils.files import read_json
from src.utils.speech_engines import ENGINES

BEEP = """#!{python}
import sys, wave
from pathlib import Path
if "--version" in sys.argv:
    print("beeper version 1.0")
    raise SystemExit
text = sys.stdin.read()
if "fail" in text:
    sys.exit("no such sound")
with wave.open(sys.argv[2], "wb") as file:
    file.setnchannels(1), file.setsampwidth(2), file.setframerate(22050)
    file.writeframes(bytes([0, 32, 0, 224] * 4000 * (1 + len(text.split()))))
with Path(sys.argv[0] + ".log").open("a") as log:
    log.write(text + chr(10))
"""


@pytest.fixture(autouse=True)
def in_this_process() -> Iterator[None]:
    with joblib.parallel_config(backend="sequential"):
        yield


@pytest.fixture
def beeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an engine that beeps in the place of espeak, and return the file that lists what it spoke."""
    command = tmp_path / "bin" / "beeper"
    command.parent.mkdir()
    command.write_text(BEEP.format(python=os.sys.executable))  # type: ignore[attr-defined]
    command.chmod(0o755)
    engine = replace(
        ENGINES["espeak"], commands=(str(command),), arguments=lambda voice, path, text: [voice, str(path)]
    )
    monkeypatch.setitem(ENGINES, "espeak", engine)
    return Path(f"{command}.log")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("\ufeffGood morning.\r\n\r\n  Have a, nice   day!\r\n", encoding="utf-8")
    return path


def test_each_voice_speaks_each_sentence(beeper: Path, text: Path) -> None:
    made = speak_text(text, tts="espeak", voice="en-us,en-us+f3")
    table = read_files(made.folder)
    assert made.folder == text.with_name("words_espeak")
    assert table["label"].tolist() == ["spoof"] * 4
    assert set(table["speaker"]) == {"espeak-en-us_M001", "espeak-en-us+f3_F002"}
    assert sorted(table["gender"].unique()) == ["F", "M"]
    assert set(table["system"]) == {"espeak"}
    sources = pd.read_csv(made.folder / SOURCES_TABLE)
    assert sources["text"].tolist() == ["Good morning.", "Have a, nice day!"] * 2
    lengths = [len(load_waveform(made.folder / file)) for file in sources["file"]]
    assert lengths[0] == lengths[2] < lengths[1] == lengths[3]
    assert read_json(made.folder / "recipe.json")["version"] == "beeper version 1.0"


def test_a_stopped_step_speaks_the_missing_sentences_only(beeper: Path, text: Path) -> None:
    folder = speak_text(text, tts="espeak").folder
    next(folder.rglob("1_fake.flac")).unlink()
    (folder / SOURCES_TABLE).unlink()
    speak_text(text, tts="espeak")
    assert beeper.read_text().splitlines() == ["Good morning.", "Have a, nice day!", "Have a, nice day!"]
    assert len(pd.read_csv(folder / SOURCES_TABLE)) == 2


def test_another_text_is_refused_for_the_same_folder(beeper: Path, text: Path) -> None:
    speak_text(text, tts="espeak")
    text.write_text("Something else.")
    with pytest.raises(ValueError, match="was made from another text"):
        speak_text(text, tts="espeak")


def test_a_sentence_that_cannot_be_spoken_is_rejected_by_name(beeper: Path, text: Path) -> None:
    text.write_text("One.\nfail\n")
    made = speak_text(text, tts="espeak")
    assert (made.n_clips, made.n_rejected) == (1, 1)
    text.write_text("fail\n")
    with pytest.raises(ValueError, match=r"spoke none of the 1 sentences .*failed: no such sound"):
        speak_text(text, text.with_name("other"), tts="espeak")


@pytest.mark.parametrize("tts", ["espeak", "flite", "piper"])
def test_an_engine_that_is_not_there_says_how_to_get_it(tts: str, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(text.parent))
    with pytest.raises(ValueError, match=rf"There is no command {tts}.* on this machine: .*install"):
        speak_text(text, tts=tts)
    assert [path.name for path in text.parent.iterdir()] == ["words.txt"]


def test_bad_texts_and_voices_are_refused(beeper: Path, text: Path) -> None:
    with pytest.raises(ValueError, match="Unknown tts 'parrot'; allowed: espeak, flite, piper"):
        speak_text(text, tts="parrot")
    with pytest.raises(FileNotFoundError, match="There is no text"):
        speak_text(text.with_name("none.txt"), tts="espeak")
    with pytest.raises(ValueError, match="names a voice twice"):
        parse_voices("a,a", "espeak")
    with pytest.raises(ValueError, match="Which voice of piper"):
        parse_voices("", "piper")
    with pytest.raises(ValueError, match=r"`voice=x\.onnx:F` or :M"):
        parse_voices("x.onnx", "piper")
    text.write_text(" \n")
    with pytest.raises(ValueError, match="holds no sentence"):
        speak_text(text, tts="espeak")
    text.write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match="is no text in UTF-8"):
        speak_text(text, tts="espeak")


@pytest.mark.parametrize(("tts", "command"), [("espeak", "espeak-ng"), ("flite", "flite")])
def test_an_installed_engine_speaks_the_same_twice(tts: str, command: str, text: Path) -> None:
    if not shutil.which(command):
        with pytest.raises(ValueError, match="There is no command"):
            speak_text(text, tts=tts)
        return
    one, two = (speak_text(text, text.with_name(name), tts=tts).folder for name in ("one", "two"))
    for clip in one.rglob("*.flac"):
        assert clip.read_bytes() == (two / clip.relative_to(one)).read_bytes()
    assert any(sign.isdigit() for sign in read_json(one / "recipe.json")["version"])
