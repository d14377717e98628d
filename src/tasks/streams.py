"""The task that listens."""

import json
import os
import sys
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import IO, TYPE_CHECKING, Any

from fabric import Connection

from src.tasks.command_line import command
from src.tasks.run_flags import RUN_HELP, RunFlags
from src.utils.paths import ROOT, on

if TYPE_CHECKING:
    from src.deploy.stream import Listener
    from src.deploy.stream_settings import Settings


@dataclass(frozen=True)
class StreamFlags(RunFlags):
    """The flags of Stream."""

    input: str = ""
    window: float = 4.0
    hop: float = 0.5
    enter: float | None = None
    leave: float | None = None
    least: float = 1.0
    rate: int | None = None
    channels: int | None = None
    log_suspicious: Path | None = None
    log_megabytes: float = 500.0
    model: str = ""
    device: str = "auto"

    def settings(self) -> "Settings":
        """Return how the stream is to be judged."""
        from src.deploy.stream_settings import Settings

        return Settings(self.window, self.hop, self.least, self.enter, self.leave)


@command(
    "Stream",
    input="a recording or a video, - for sound from a pipe, or microphone",
    window="seconds that a score is of (default 4)",
    hop="seconds from one window to the next (default 0.5); each of them takes a computation",
    enter="score below which a window is suspicious, a log-likelihood ratio (default: the run's validation threshold)",
    leave="score from which on a window speaks against an alarm (default: 0.62 above --enter)",
    least="seconds for which windows must agree to raise or end an alarm (default 1)",
    rate="Hz, of raw samples in a pipe: 16 bits, little-endian (default: the pipe carries a WAV)",
    channels="of raw samples in a pipe (default 1)",
    log_suspicious="folder in which the sound of alarms is kept, for somebody to label (default: none)",
    log_megabytes="most sound to keep there, in MB; when it is full no more is kept (default 500)",
    model="folder of the backbone's model, where the run's was a local one (default: the run's model)",
    classifier="classifier of the study, beside --study-number=",
    **RUN_HELP,
)
def stream(c: Connection, flags: StreamFlags) -> None:
    """Judge sound while it comes in; events go to the output as lines of JSON, words to the error stream."""
    events = Lines(sys.stdout)
    with redirect_stdout(sys.stderr):  # a note between the events would be no JSON
        listener = _listen(flags, events)
        totals, share = listener.totals, listener.scoring / max(listener.totals.seconds, 1e-9)
        print(f"Heard {totals}. The scores took {share:.2f} s for each second of sound.")
        if share > 1:
            print("That is slower than the sound: of a microphone some is lost. A larger --hop takes fewer scores.")
        if totals.kept and flags.log_suspicious:
            print(
                f"{totals.kept} clips are in {flags.log_suspicious}. Next: listen to them, fill in the column label of "
                f"suspicious.csv, and fab GenerateDatasetCSV{on(flags.log_suspicious)} --layout=generic "
                f"--table={quote(str(flags.log_suspicious / 'suspicious.csv'))}"
            )


class Lines:
    """Writes events as lines of JSON, each at once; after nobody reads them any more, writes nothing."""

    def __init__(self, output: IO[str]) -> None:
        self._output, self._is_open = output, True

    def __call__(self, event: dict[str, Any]) -> None:
        """Write an event; BrokenPipeError where the reader has just gone."""
        if not self._is_open:
            return
        try:
            self._output.write(json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n")
            self._output.flush()
        except BrokenPipeError:
            self._is_open = False
            with suppress(OSError, ValueError):  # else Python fails once more when it ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._output.fileno())
            raise


def _listen(flags: StreamFlags, emit: Lines) -> "Listener":
    """Open everything, the quickest first, and listen to the end."""
    from src.deploy.judge import open_judge
    from src.deploy.opening import open_source, person_of_source
    from src.deploy.stream import Listener, require_long_enough
    from src.deploy.suspicious import Origin, SuspiciousFolder
    from src.experiments.training.trained import read_trained
    from src.tasks.detectors import found_model

    settings, trained = flags.settings(), read_trained(ROOT, flags.name())
    limits = settings.limits(trained.threshold, is_calibrated=trained.is_calibrated)
    source = open_source(flags.input, flags.rate, flags.channels)
    folder = None
    if flags.log_suspicious is not None:
        origin = Origin(person_of_source(flags.input), source.name, str(trained.name))
        folder = SuspiciousFolder(flags.log_suspicious, origin, flags.log_megabytes)
    model = str(found_model({"model": flags.model})["model"]) or None
    judge = open_judge(trained, root=ROOT, model=model, device=flags.device)
    require_long_enough(judge.score, settings, str(trained.name))
    listener = Listener(judge.score, settings, limits, emit, folder)
    print(
        f"{trained.name} listens to {source.name}: an alarm below {limits.enter:.2f} for {settings.least:g} s, its end "
        f"at {limits.leave:.2f} or more. Ctrl-C ends it."
    )
    emit(listener.begin(source, str(trained.name)))
    listener.listen(source)
    return listener
