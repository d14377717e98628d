"""What a run achieves on streams: speed, delay, errors by seconds of sound, alarms, memory.

    python -m benchmarks.stream --run=run0 --dataset=datasets/speech --minutes=60

One core; the clips are those of a split of a corpus that the run was not trained on. In turn:

- chunks: scores of a stream in chunks against scores of the same windows cut from the whole: the largest difference.
- speed: the real-time factor, computing time over sound; and the latency, from the last sample of a window to its
  score, as if chunks of 0.1 s came in by the clock: a window waits for its chunk and for the windows before it. Sound
  is fed as fast as it is taken, and the clock is worked out, so an hour need not last an hour.
- eer: the EER of the first 0.5, 1, 2 and 4 s after the leading silence of each clip; of shorter clips all of it.
- alarms: time to detection and false alarms an hour, on long recordings that `spliced.py` makes of the clips.
- memory: of this process after a minute of stream and at its end, for a stream of `--memory-minutes`.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import psutil
from tqdm import tqdm

from benchmarks.made_up import hardware
from benchmarks.spliced import Clip, Spliced, judge_alarms, splice_clips
from src.audio.arriving import Source
from src.audio.framing import speech_span
from src.audio.io import SPEECH_RATE, UnusableAudio, load_waveform
from src.deploy.judge import Judge, open_judge
from src.deploy.stream import Event, Listener
from src.deploy.stream_settings import Settings
from src.experiments.corpus.splits import read_split
from src.experiments.inputs.contract import TEST
from src.experiments.runs.names import RunName
from src.experiments.training.trained import read_trained
from src.metrics.bootstrap import Trials, interval
from src.metrics.eer import eer_of
from src.metrics.resampled import resample_eer
from src.metrics.table import written, written_bounds
from src.utils.dataset import person_of
from src.utils.labels import LABEL_NAMES, SPOOF
from src.utils.paths import ROOT, absolute
from src.utils.threads import limited_threads

SECTIONS = ("chunks", "speed", "eer", "alarms", "memory")
DURATIONS = (0.5, 1.0, 2.0, 4.0)
CHUNK = SPEECH_RATE // 10
CHUNKS = (1_600, 7, SPEECH_RATE)
"""Sizes of chunks that are compared with the whole."""


@dataclass
class Clock:
    """Feeds sound by a clock that is worked out, and notes when each window was done."""

    latencies: list[float] = field(default_factory=list)
    computing: float = 0.0
    _free: float = 0.0

    def chunks(self, waveform: np.ndarray) -> Iterator[np.ndarray]:
        """Yield chunks of 0.1 s; what is computed until the next one is asked for counts for this one."""
        for at in range(0, len(waveform), CHUNK):
            self._start = max(self._free, (at + CHUNK) / SPEECH_RATE)
            self._began = time.perf_counter()
            yield waveform[at : at + CHUNK, None]
            self._free = self._now()
            self.computing += time.perf_counter() - self._began

    def note(self, event: Event) -> None:
        """Note the latency of a window."""
        if event["event"] in ("window", "unscored"):
            self.latencies.append(self._now() - event["end"])

    def _now(self) -> float:
        return self._start + time.perf_counter() - self._began


@dataclass(frozen=True)
class Given:
    """What is measured."""

    judge: Judge
    settings: Settings
    clips: list[Clip]
    rng: np.random.Generator
    options: argparse.Namespace

    def listener(self, emit: Callable[[Event], None]) -> Listener:
        """Return a new listener."""
        return Listener(self.judge.score, self.settings, self.settings.limits(self.judge.threshold), emit)

    def listen(self, waveform: np.ndarray, chunk: int = CHUNK) -> list[Event]:
        """Return the events of a stream."""
        events: list[Event] = []
        chunks = (waveform[at : at + chunk, None] for at in tqdm(range(0, len(waveform), chunk), disable=None))
        self.listener(events.append).listen(source_of(chunks))
        return events


def main() -> None:
    """Measure everything that was asked for, and print it."""
    options = read_options()
    with limited_threads(1):
        trained = read_trained(absolute(options.root), RunName.parse(options.run))
        judge = open_judge(trained, root=absolute(options.root), model=options.model, device=options.device)
        settings = Settings(options.window, options.hop, options.least, options.enter, options.leave)
        print(f"{options.run}, window {settings.window:g} s, hop {settings.hop:g} s; one of {hardware(options.device)}")
        given = Given(judge, settings, list(read_clips(options)), np.random.default_rng(options.seed), options)
        for section in options.sections.split(","):
            for line in MEASURES[section](given):
                print(f"{section}: {line}", flush=True)


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="What a run achieves on streams.")
    parser.add_argument("--run", default="run0")
    parser.add_argument("--dataset", default="datasets/release")
    parser.add_argument("--split", default=TEST)
    parser.add_argument("--root", default=str(ROOT), help="holds runs/")
    parser.add_argument("--model", default=None, help="folder of the backbone's model, where the run's was a local one")
    parser.add_argument("--device", default="cpu")
    for name, value in (("window", 4.0), ("hop", 0.5), ("least", 1.0), ("enter", None), ("leave", None)):
        parser.add_argument(f"--{name}", type=float, default=value)
    parser.add_argument("--minutes", type=float, default=60.0, help="of the spliced recording of alarms")
    parser.add_argument("--speed-minutes", type=float, default=5.0)
    parser.add_argument("--memory-minutes", type=float, default=60.0)
    parser.add_argument("--sections", default=",".join(SECTIONS), help="some of them, separated by commas")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    if unknown := set(options.sections.split(",")) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    return options


def read_clips(options: argparse.Namespace) -> Iterator[Clip]:
    """Yield the clips of the split that can be used."""
    dataset = absolute(options.dataset)
    rows = read_split(dataset, options.split)
    people, is_spoof = person_of(rows), rows["label"] == LABEL_NAMES[SPOOF]
    for file, spoof, person, system in zip(rows["file"], is_spoof, people, rows["system"], strict=True):
        try:
            yield Clip(load_waveform(dataset / file), bool(spoof), str(person), str(system))
        except UnusableAudio as error:
            print(f"{file} is left out: {error}")


def source_of(chunks: Iterator[np.ndarray]) -> Source:
    """Return a source of mono sound at 16 kHz."""
    return Source("sound", SPEECH_RATE, 1, chunks)


def compare_chunks(given: Given) -> Iterator[str]:
    """Compare the scores of a short stream with those of the same windows cut from the whole."""
    waveform = splice_clips(given.clips, 1, given.rng).waveform[: 20 * SPEECH_RATE]
    for size in CHUNKS:
        windows = [event for event in given.listen(waveform, size) if event["event"] == "window"]
        largest = 0.0
        for event in windows:
            start, end = (round(event[side] * SPEECH_RATE) for side in ("start", "end"))
            largest = max(largest, abs(event["score"] - float(given.judge.score([waveform[start:end]])[0])))
        yield f"of {size} samples: largest difference of {len(windows)} scores {largest:g}"


def measure_speed(given: Given) -> Iterator[str]:
    """Measure the real-time factor and the latency."""
    minutes = given.options.speed_minutes
    waveform = splice_clips(given.clips, 60 * minutes, given.rng).waveform[: round(60 * minutes * SPEECH_RATE)]
    given.judge.score([waveform[: round(given.settings.window * SPEECH_RATE)]])  # of networks the first takes longer
    clock = Clock()
    given.listener(clock.note).listen(source_of(clock.chunks(waveform)))
    yield f"real-time factor {clock.computing / (len(waveform) / SPEECH_RATE):.4f} ({minutes:g} minutes)"
    median, late = np.quantile(clock.latencies, [0.5, 0.99])
    yield f"latency {1000 * median:.0f} ms (median), {1000 * late:.0f} ms (99 % of {len(clock.latencies)} windows)"


def measure_eer(given: Given) -> Iterator[str]:
    """Measure the EER by seconds of sound, with its interval over people and systems."""
    for seconds in DURATIONS:
        n_samples, scored = round(seconds * SPEECH_RATE), list[tuple[Clip, float]]()
        for clip in tqdm(given.clips, desc=f"{seconds:g} s", disable=None):
            start = min(speech_span(clip.waveform, SPEECH_RATE)[0], max(0, len(clip.waveform) - n_samples))
            try:
                scored.append((clip, float(given.judge.score([clip.waveform[start : start + n_samples]])[0])))
            except UnusableAudio:
                continue
        kept = [clip for clip, _ in scored]
        trials = Trials(
            np.array([int(not clip.is_spoof) for clip in kept]),
            np.array([clip.person for clip in kept]),
            np.array([clip.system for clip in kept]),
        )
        scores = np.array([score for _, score in scored])
        bounds = interval(resample_eer(scores, trials.draw()), trials.n_people)
        n_short = sum(len(clip.waveform) < n_samples for clip in kept)
        yield (
            f"{seconds:g} s: {written(eer_of(trials.labels, scores), 'rate')} "
            f"(95 %: {written_bounds(bounds.low, bounds.high, 'rate')}), {len(kept)} clips, {n_short} of them shorter"
        )


def measure_alarms(given: Given) -> Iterator[str]:
    """Measure time to detection and false alarms."""
    spliced: Spliced = splice_clips(given.clips, 60 * given.options.minutes, given.rng)
    limits = given.settings.limits(given.judge.threshold)
    n_spoofs = sum(clip.is_spoof for clip in given.clips)
    n_bonafide = len(given.clips) - n_spoofs
    yield f"{spliced.seconds / 60:.0f} minutes of {n_bonafide} bona fide and {n_spoofs} spoofed clips"
    yield f"enter {limits.enter:.2f}, leave {limits.leave:.2f}, least {given.settings.least:g} s"
    yield str(judge_alarms(given.listen(spliced.waveform), spliced, given.settings.window))


def measure_memory(given: Given) -> Iterator[str]:
    """Measure memory after one minute of a stream and at its end."""
    waveform = splice_clips(given.clips, 60, given.rng).waveform
    minutes, chunks_a_minute, found = given.options.memory_minutes, 60 * SPEECH_RATE // CHUNK, list[int]()
    n_chunks = round(minutes * chunks_a_minute)

    def chunks() -> Iterator[np.ndarray]:
        for number in tqdm(range(n_chunks), desc="memory", disable=None):
            if number == min(chunks_a_minute, n_chunks // 2):
                found.append(psutil.Process().memory_info().rss)
            yield np.take(waveform, np.arange(number * CHUNK, (number + 1) * CHUNK), mode="wrap")[:, None]
        found.append(psutil.Process().memory_info().rss)

    given.listener(lambda _: None).listen(source_of(chunks()))
    first, last = found
    grown = 100 * (last / first - 1)
    yield f"{first / 1e6:.1f} MB after 1 minute, {last / 1e6:.1f} MB after {minutes:g} ({grown:+.2f} %)"


MEASURES = dict(
    zip(SECTIONS, (compare_chunks, measure_speed, measure_eer, measure_alarms, measure_memory), strict=True)
)

if __name__ == "__main__":
    main()
