"""The gallery plays every effect that can be had, names the others, and needs nothing from elsewhere."""

from pathlib import Path

import numpy as np
import pytest

from src.audio.augment import EFFECTS
from src.audio.augment.sources import NO_SOURCES
from src.audio.io import load_waveform, save_waveform
from src.experiments.corpus import gallery


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave three effects, one of which cannot be had."""
    monkeypatch.setattr(gallery, "EFFECTS", {name: EFFECTS[name] for name in ("level", "packet_loss", "babble")})


def test_the_page_has_a_player_and_a_picture_of_every_strength(few: None, tmp_path: Path) -> None:
    clip = tmp_path / "a clip.flac"
    save_waveform(clip, 0.1 * np.sin(np.arange(8000)))
    page = gallery.augmentation_gallery(clip, tmp_path / "out", NO_SOURCES)
    text = page.read_text(encoding="utf-8")
    assert page == tmp_path / "out" / "index.html"
    assert text.count("<audio") == text.count("<img") == 7
    assert "level (dbfs -40 dBFS)" in text
    assert "babble: An effect that mixes in recordings (people) needs" in text
    for number, dbfs in enumerate((-26, -40, -60)):
        heard = load_waveform(tmp_path / "out" / "audio" / f"level-{number}.flac")
        assert 20 * np.log10(heard.std()) == pytest.approx(dbfs, abs=0.1)


def test_of_a_corpus_the_first_bona_fide_clip_is_heard_among_other_people(tmp_path: Path) -> None:
    rows = ["fake_voices/A/1.flac,A,1,F,spoof", "real_voices/B/1.flac,B,2,F,bona-fide"]
    rows += ["real_voices/B/2.flac,B,2,F,bona-fide", "real_voices/C/1.flac,C,3,M,bona-fide"]
    table = "\n".join(["file,speaker,id,gender,label", *rows])
    (tmp_path / "files-metadata.csv").write_text(table + "\n", encoding="utf-8")
    clip, sources = gallery.clip_and_people(tmp_path)
    assert clip == tmp_path / "real_voices/B/1.flac"
    assert sources.people == ("real_voices/C/1.flac",)


def test_what_is_no_sound_is_named_before_anything_is_written(tmp_path: Path) -> None:
    clip = tmp_path / "notes.wav"
    clip.write_text("no sound", encoding="utf-8")
    with pytest.raises(ValueError, match=r"notes\.wav cannot be heard: unreadable \(Format not recognised\)\."):
        gallery.augmentation_gallery(clip, tmp_path / "out", NO_SOURCES)
    assert not (tmp_path / "out").exists()
