"""Small recordings of every kind, made for the tests of audio, and what holds for all of them."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from src.audio.decoders import read_format, read_frames
from src.audio.io import count_samples, load_stretch, load_waveform, read_header

RATE = 16_000


def buzz(seconds: float, *, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Return a tone that comes and goes three times a second, with a little noise: float64 of shape (n,)."""
    time = np.arange(round(seconds * rate)) / rate
    loudness = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * time + seed)
    return 0.3 * loudness * np.sin(2 * np.pi * (220 + 40 * seed) * time) + np.random.default_rng(seed).normal(
        0, 0.01, time.size
    )


def encode(path: Path, sound: np.ndarray, codec: str, *, container: str, rate: int = RATE, **settings: Any) -> Path:
    """Write a recording by FFmpeg.

    Parameters
    ----------
    path : Path
    sound : np.ndarray, shape (n,) or (n, 2)
    codec, container : str
        FFmpeg's names.
    rate : int
        In hertz.
    settings
        `video`: codec of a picture track beside the sound; `options`: of the container; `quality`: of a variable bit
        rate, in FFmpeg's units; `bit_rate`: in bits per second.
    """
    import av

    channels = np.atleast_2d(sound.T).astype(np.float32)
    layout = "mono" if len(channels) == 1 else "stereo"
    with av.open(str(path), "w", format=container, options=settings.get("options", {})) as out:
        picture: Any = out.add_stream(settings["video"], rate=25) if "video" in settings else None
        if picture:
            picture.width = picture.height = 64
            picture.pix_fmt = "yuv420p"
        stream: Any = out.add_stream(codec, rate=rate)
        stream.layout = layout
        if "quality" in settings:
            stream.codec_context.flags |= 2
            stream.codec_context.global_quality = settings["quality"]
        if "bit_rate" in settings:
            stream.bit_rate = settings["bit_rate"]
        for number in range(int(len(sound) / rate * 25) if picture else 0):
            grey = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8), format="rgb24")
            out.mux(picture.encode(grey))
        if picture:
            out.mux(picture.encode(None))
        whole = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), format="fltp", layout=layout)
        whole.sample_rate, whole.pts = rate, 0
        fifo = av.AudioFifo()
        wanted = av.AudioResampler(format=stream.codec_context.format.name, layout=layout, rate=rate)
        for frame in wanted.resample(whole):
            fifo.write(frame)
        while frame := fifo.read(stream.codec_context.frame_size or 1024) or fifo.read(0, partial=True):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def mp3(
    path: Path, sound: np.ndarray, *, xing: bool, variable: bool = True, rate: int = RATE, tag: bool = False
) -> Path:
    """Write an MP3 of variable or constant bit rate, with or without Xing frame and ID3 tag."""
    options = {"write_xing": str(int(xing)), "id3v2_version": "4" if tag else "0"}
    how = {"quality": 4 * 118} if variable else {"bit_rate": 64_000 if rate > 24_000 else 32_000}
    return encode(path, sound, "libmp3lame", container="mp3", rate=rate, options=options, **how)


def pcm(path: Path, sound: np.ndarray, container: str, *, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    """Write a recording by libsndfile."""
    soundfile.write(path, sound, rate, format=container, subtype=subtype)
    return path


def joined(path: Path, parts: list[Path]) -> Path:
    """Concatenate files, as streaming speech servers do."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def with_bytes(path: Path, corrections: dict[int, bytes]) -> Path:
    """Write other bytes at some places of a file; places below 0 are counted from its end."""
    content = bytearray(path.read_bytes())
    for place, new in corrections.items():
        place %= len(content)
        content[place : place + len(new)] = new
    path.write_bytes(content)
    return path


def assert_lengths_agree(path: Path) -> np.ndarray:
    """Check that all functions agree on the length of a recording; return its frames, shape (n, channels)."""
    frames, rate = read_frames(path)
    assert read_format(path).n_frames == len(frames)
    assert read_header(path).duration == len(frames) / rate
    assert count_samples(path, rate) == len(frames) == len(load_waveform(path, rate))
    assert len(load_waveform(path)) == count_samples(path)
    for start in (0, 1, 1_000, len(frames) // 2, len(frames) - 1_000, len(frames) - 1):
        np.testing.assert_allclose(read_frames(path, start, start + 900)[0], frames[start : start + 900], atol=1e-5)
    np.testing.assert_allclose(load_stretch(path, 500, 2_500, rate), load_waveform(path, rate)[500:2_500], atol=1e-5)
    return frames
