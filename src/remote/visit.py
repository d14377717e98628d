"""A task on one host: what it needs sent, the task started or found at work, followed, and what it made brought back.

What a task makes is what is newer there than its start: files of runs and of augmented copies, each put in its place,
and embedding stores, which are gathered beside those here and merged into them. New runs get numbers that are free
here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join, quote
from typing import IO

from src.audio.storage.links import SOURCE
from src.remote.copying import AS_LINKS, WHOLE, Copied, bring, code_files, send
from src.remote.hosts import Host
from src.remote.order import Order
from src.utils.embeddings import INDEX
from src.utils.paths import COPIES, ENGINES, corpus_folder, runs_folder

NOTES = ".remote"
"""Below the project's folder on a host, and below the embeddings of a corpus here while stores are brought."""
IS_FREE = f"flock -n -s {NOTES}/running true"
"""Command that fails while a task runs there."""
A_TICK = 0.1
"""Seconds by which a file that a task makes at once is younger than its start: file systems date by ticks."""
TAKEN = "another call has started a task there meanwhile; run the same command again"
OTHERS = "the folder is there already and holds something else than this project; name another `folder`"


@dataclass(frozen=True)
class Part:
    """A store that came from a host and waits to be merged into the one here."""

    dataset: Path
    """Its corpus here."""
    folder: Path
    """Where it belongs."""
    gathered: Path
    """Where it lies."""


@dataclass
class Visit:
    """One host, and its part of a task."""

    host: Host
    order: Order
    """The host's part of it."""
    root: Path
    """Folder of datasets/, embeddings/ and runs/ here."""
    code: Path
    """Folder of the code here."""
    say: Callable[[str], None]
    version: str
    """Of the code here, as runs note it."""
    python: str = ""
    """Interpreter on the host that has the packages; "" = the environment that is made there."""
    running: str = ""
    """Name and words of the task that runs there."""
    exit_code: int | None = None
    """Of this task, which ended there and whose results were not brought yet."""
    resumed: bool = False
    """Whether this task was started before, and its results were not brought yet."""

    @property
    def notes(self) -> str:
        """The folder on the host of what is known of the task."""
        return f"{NOTES}/{self.order.name}"

    def reach(self) -> None:
        """Connect to the host, and ask it for its state.

        Raises
        ------
        ValueError
            When it cannot be reached, or another task runs there.
        """
        self.host.connect()
        self.host.run(
            f'test -e {NOTES} || test -e fabfile.py || test -z "$(ls -A)" || {{ echo {quote(OTHERS)} >&2; exit 1; }}; '
            f"umask 077; mkdir -p {NOTES} && touch {NOTES}/running"
        )
        running, known, code = self.host.run(
            f"{IS_FREE} && echo || {{ tr '\\n' ' ' <{NOTES}/running; echo; }}; "
            f"test -e {self.notes}/started && echo known || echo; cat {self.notes}/exit 2>/dev/null || echo"
        )
        self.running, self.resumed, self.exit_code = running.strip(), bool(known), int(code) if code else None
        name, _, words = self.running.partition(" ")
        if name not in ("", self.order.name):
            raise ValueError(
                f"{self.host.name} is at work in {self.host.folder}, on {words}: wait for its end, or name another "
                "`folder`."
            )

    @property
    def is_there(self) -> bool:
        """Whether the task runs there, or ended."""
        return bool(self.running) or self.exit_code is not None

    def begin(self) -> None:
        """Send what is needed and start the task, where it is not there."""
        if self.is_there:
            self.say(f"{self.host.name} {'is at work on it' if self.running else 'ended it while nobody looked'}.")
            return
        self.say(f"{self.host.name}: sent {self._send()}.")
        taken = [f"runs/{path.name}" for path in runs_folder(self.root).glob("[!.]*") if path.is_dir()]
        job = join(["sh", "src/remote/job.sh", self.order.name, self.version, self.python, *self.order.words])
        self.host.run(
            f"exec 9>>{NOTES}/running; flock -w 5 9 || {{ echo {quote(TAKEN)} >&2; exit 1; }}; "
            f"mkdir -p {join([self.notes, 'runs', *taken])} && rm -f {self.notes}/group && "
            f"{{ test -e {self.notes}/started || {{ touch {self.notes}/started && sleep {A_TICK}; }}; }} && "
            f"setsid -f {job} >{self.notes}/log 2>&1 </dev/null && exec 9>&- && "
            f"until test -s {self.notes}/group; do "  # a task may have begun and ended since this was asked
            f"! {IS_FREE} || test -s {self.notes}/group || {{ cat {self.notes}/log >&2; exit 1; }}; sleep 0.1; done"
        )

    def follow(self, echo: IO[str]) -> int:
        """Pass on what the task says, and return its exit code.

        Raises
        ------
        ConnectionAbortedError
            When the connection is lost, or the task left no exit code.
        KeyboardInterrupt
            When nobody wants to follow any longer.
        """
        goes_on = "; the task goes on there: the same command follows it again"
        lines = "-n 20" if self.is_there else "-n +1"
        until_end = f"-s 0.3 -f --pid=$(cat {self.notes}/group) " if self.exit_code is None else ""
        try:
            self.host.run(f"tail {lines} {until_end}{self.notes}/log", echo)
            (code,) = self.host.run(f"cat {self.notes}/exit 2>/dev/null || echo")
        except ConnectionAbortedError as error:
            raise ConnectionAbortedError(f"{error}{goes_on}.") from None
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"no longer followed{goes_on}, and with --stop it ends.") from None
        if not code:
            raise ConnectionAbortedError(
                f"The task on {self.host.name} was stopped or killed, or the machine restarted: the same command "
                "starts it again."
            )
        if code != "0":
            self.host.run(f"rm {self.notes}/exit")  # it was told: the next call starts it again
        return int(code)

    def bring(self) -> list[Part]:
        """Bring what the task made; return the stores that wait to be merged.

        Raises
        ------
        ValueError
            When a run here is in the way of one that was made there.
        ConnectionAbortedError
            When the connection is lost; what was brought whole is kept.
        """
        corpora = {Path(there).name: here for there, here in self.order.corpora.items()}
        tops = join(["runs", *(f"embeddings/{name}" for name in corpora)])
        made = self.host.run(f"find {tops} -type f -newer {self.notes}/started -not -path '*/.*' 2>/dev/null || true")
        copied, parts = self._bring_runs([name for name in made if name.startswith("runs/")]), list[Part]()
        for name, dataset in corpora.items():
            home = corpus_folder(self.root, dataset)
            files = [
                path.removeprefix(f"embeddings/{name}/") for path in made if path.startswith(f"embeddings/{name}/")
            ]
            copies = [path for path in files if path.startswith(f"{COPIES}/")]
            if copies:
                copied += bring(self.host, f"embeddings/{name}", home, names=copies)
            for store in sorted({"/".join(path.split("/")[:2]) for path in files if path.count("/") > 1}):
                if store.split("/")[0] not in (COPIES, ENGINES):
                    gathered = home / NOTES / self.host.name / store
                    copied += bring(self.host, f"embeddings/{name}/{store}", gathered, f"--link-dest={home / store}")
                    parts.append(Part(dataset, home / store, gathered))
        self.say(f"{self.host.name}: brought {copied}.")
        return parts

    def forget(self) -> None:
        """Let the host forget the task, whose results are here."""
        self.host.run(f"rm -r {self.notes}")

    def stop(self) -> None:
        """Interrupt the task as Ctrl-C does, wait for its end and pass on its last words; the next call starts it."""
        last = ["it does not run."]
        if self.running:
            last = self.host.run(
                f"group=$(cat {self.notes}/group) && kill -s INT -- -$group && "
                f"tail -n 0 -s 0.3 -f --pid=$group {self.notes}/log && tail -n 1 {self.notes}/log; "
                f"rm -f {self.notes}/exit"
            )
        self.say(f"{self.host.name}: {''.join(last[-1:]) or 'stopped.'}")

    def _send(self) -> Copied:
        """Send what the task needs and the host lacks, over nothing that a task that was started before has changed."""
        sent = send(self.host, self.code, "", names=code_files(self.code))
        for there, here in {**self.order.corpora, **self.order.inputs}.items():
            sent += send(self.host, here, there, *((AS_LINKS,) if (here / SOURCE).is_file() else ()))
        have = self.host.run("find runs embeddings -type f -not -path '*/.*' 2>/dev/null || true")
        runs, stores = ({"/".join(name.split("/")[:steps]) for name in have} for steps in (2, 4))
        for there, here in self.order.runs.items():
            if there in runs and self.resumed:  # the task may have changed it
                continue
            if there in runs and send(self.host, here, there, "--dry-run", "--existing").files:
                raise ValueError(
                    f"{self.host.name} has another {there} than is here, or it was changed there: rename one of them."
                )
            sent += send(self.host, here, there, WHOLE)
        needs_all = not (self.resumed or self.order.can_be_shared)  # what is shared computes stores itself
        for there, here in self.order.stores(self.root).items():
            for store in here.glob("[!.]*"):
                name = f"{there}/{store.name}"
                completes = needs_all and (store / INDEX).is_file() and f"{name}/{INDEX}" not in have
                if store.is_dir() and (name not in stores or completes):
                    sent += send(self.host, store, name, WHOLE)
        return sent

    def _bring_runs(self, files: Sequence[str]) -> Copied:
        """Bring runs that are new, whole, and new files of others; one that was made here is never overwritten."""
        new = sorted({"/".join(name.split("/")[:2]) for name in files if name.count("/") > 1} - self.order.runs.keys())
        for run in new:
            here = self.root / run
            if here.is_dir() and bring(self.host, run, here, "--dry-run", "--existing").files:
                raise ValueError(
                    f"{self.host.name} made {run}, and there is another {run} here: rename the one here, and run the "
                    "same command again to bring the other."
                )
        names = [name for name in files if "/".join(name.split("/")[:2]) not in new]
        copied = bring(self.host, "", self.root, WHOLE, names=names) if names else Copied()
        return sum((bring(self.host, run, self.root / run, WHOLE) for run in new), copied)
