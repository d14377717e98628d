"""Write a small corpus in the layout of Speech Commands: words by speech synthesisers, noise by formulas.

    apt-get install espeak-ng flite
    python -m benchmarks.made_up_words --output=words

The words are said by espeak-ng, which synthesises formants, and flite, with a voice, a speed and a pitch of its own for
each speaker, who says every word twice, at another place in the second, at another level, and with some noise behind.
The noise is ours: white, pink, brown, a hum of the mains, a fan, and rain, three recordings of 20 s each, at a level
that rises and falls, so that the level does not tell it from the words. No voice is in it. Splits deal recordings of
noise as they deal people, which is why there are eighteen: as many as speakers.

Speakers are named by eight hexadecimal digits, as in the published corpus; the last of them stand in its lists for
validation and testing. Equal seeds give equal noise and timing; the words are as the installed synthesisers say them.
"""

import argparse
import shutil
import subprocess
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import lfilter

from src.audio.framing import trim_silence
from src.audio.io import SPEECH_RATE, load_waveform

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
ESPEAK_VOICES = ("en-us+m1", "en-us+f2", "en-gb+m3", "en-gb-scotland+f3", "en-gb-x-rp+m7", "en-us+f5", "en-029+m4")
FLITE_VOICES = ("kal", "awb", "rms", "slt")
TAKES = 2
NOISE_SECONDS, NOISE_TAKES = 20, 3
HELD_OUT = 3
"""Speakers in each of the lists for validation and testing."""


@dataclass(frozen=True)
class Speaker:
    """How a person is synthesised."""

    command: tuple[str, ...]
    """Program and options; the word and the file to write are appended by `say`."""

    @property
    def hash(self) -> str:
        """The name in the corpus: eight hexadecimal digits."""
        return f"{zlib.crc32(' '.join(self.command).encode()):08x}"


def speakers() -> list[Speaker]:
    """Return the speakers: each voice of espeak-ng twice and each of flite once, with other speeds and pitches."""
    found = []
    for number, voice in enumerate([*ESPEAK_VOICES, *ESPEAK_VOICES]):
        pitch, speed = 30 + (number * 17) % 45, 120 + (number * 23) % 70
        found.append(Speaker(("espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed))))
    found += [Speaker(("flite", "-voice", voice)) for voice in FLITE_VOICES]
    return found


def say(speaker: Speaker, word: str, folder: Path) -> np.ndarray:
    """Return a word as a speaker says it, shape (n,) at 16 kHz, without the silence around it."""
    path = folder / "word.wav"
    text = ["-w", str(path), word] if speaker.command[0] == "espeak-ng" else ["-t", word, "-o", str(path)]
    subprocess.run([*speaker.command, *text], check=True, capture_output=True)
    return trim_silence(load_waveform(path), SPEECH_RATE)


def in_a_second(word: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return one second, shape (16000,), with a word somewhere in it, at some level, in some noise."""
    word = word[:SPEECH_RATE] / np.abs(word).max() * rng.uniform(0.2, 0.8)
    start = int(rng.integers(SPEECH_RATE - word.size + 1))
    clip = np.zeros(SPEECH_RATE)
    clip[start : start + word.size] = word
    behind = coloured_noise(float(rng.uniform(0, 2)), SPEECH_RATE, rng)
    clip += behind * word.std() / behind.std() * 10 ** (-rng.uniform(10, 35) / 20)
    return clip / max(1.0, np.abs(clip).max())


def coloured_noise(slope: float, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return noise whose power falls as frequency ** -slope, shape (n_samples,): 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    frequencies = np.maximum(np.fft.rfftfreq(n_samples, 1 / SPEECH_RATE), 20.0)
    return np.fft.irfft(spectrum * frequencies ** (-slope / 2), n_samples)


def noises(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return name -> NOISE_SECONDS of noise, whose level rises and falls by 20 dB in seven seconds."""
    n_samples = NOISE_SECONDS * SPEECH_RATE
    time = np.arange(n_samples) / SPEECH_RATE
    sounds = {
        f"{name}_noise": coloured_noise(slope, n_samples, rng) for slope, name in enumerate(("white", "pink", "brown"))
    }
    hum = sum(np.sin(2 * np.pi * 50 * harmonic * time + rng.uniform(0, 6)) / harmonic for harmonic in range(1, 12))
    sounds["mains_hum"] = hum + 0.05 * rng.standard_normal(n_samples)
    blades = 1 + 0.5 * np.sin(2 * np.pi * 11 * time + 0.8 * np.sin(2 * np.pi * 0.2 * time))
    sounds["fan"] = blades * coloured_noise(1.5, n_samples, rng)
    drops = (rng.uniform(size=n_samples) < 30 / SPEECH_RATE) * rng.exponential(1.0, n_samples)
    sounds["rain"] = lfilter([1.0], [1.0, -1.6, 0.9], drops) + 0.02 * rng.standard_normal(n_samples)
    swell = 10 ** (np.sin(2 * np.pi * time / 7) / 2)
    return {name: swell * sound / np.abs(swell * sound).max() * 0.8 for name, sound in sounds.items()}


def write_words(folder: Path, seed: int) -> int:
    """Write the corpus; return how many words it holds."""
    rng = np.random.default_rng(seed)
    (folder / "_background_noise_").mkdir(parents=True)
    for take in range(NOISE_TAKES):
        for name, sound in noises(rng).items():
            file = folder / "_background_noise_" / f"{name}_{take}.wav"
            soundfile.write(file, sound, SPEECH_RATE, subtype="PCM_16")
    clips: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as place:
        for word in WORDS:
            (folder / word).mkdir()
            for speaker in speakers():
                said = say(speaker, word, Path(place))
                for take in range(TAKES):
                    file = f"{word}/{speaker.hash}_nohash_{take}.wav"
                    soundfile.write(folder / file, in_a_second(said, rng), SPEECH_RATE, subtype="PCM_16")
                    clips.setdefault(speaker.hash, []).append(file)
    for name, held_out in (
        ("testing", list(clips)[-HELD_OUT:]),
        ("validation", list(clips)[-2 * HELD_OUT : -HELD_OUT]),
    ):
        listed = sorted(file for speaker in held_out for file in clips[speaker])
        (folder / f"{name}_list.txt").write_text("\n".join([*listed, ""]))
    return sum(map(len, clips.values()))


def main() -> None:
    """Read the command line and write the corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder to write, which must not exist")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    missing = [program for program in ("espeak-ng", "flite") if not shutil.which(program)]
    if missing:
        parser.error(f"{' and '.join(missing)} not found: apt-get install {' '.join(missing)}.")
    if options.output.exists():
        parser.error(f"{options.output} is there already: give another --output.")
    n_words = write_words(options.output, options.seed)
    print(f"{n_words} words and {6 * NOISE_TAKES} recordings of noise in {options.output}")


if __name__ == "__main__":
    main()
