"""Files to a host and back by rsync: by digest, only what is missing, each whole or not at all.

rsync goes through ssh, to which the host, port, user and key of Fabric's connection are given; as this cannot ask for
a password, a key must let the user in. A file that is cut short is continued by the next call.
"""

import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join, quote

from fabric import Connection

from src.remote.hosts import CONNECT_SECONDS, KEEP_ALIVE_SECONDS, MISSING, Host

RSYNC = ("rsync", "-rts", "--checksum", "--partial-dir=.rsync-partial", "--out-format=%i %l")
"""Folders whole, dates kept, names as they are; what differs by digest is copied, and told with its size."""
NOT_HIDDEN = "--exclude=.*"
"""Locks and temporary files stay where they are."""
AS_LINKS = "--links"
"""Links stay links: those of a corpus in storage over a network, whose recordings the host fetches for itself."""
WHOLE = "--delay-updates"
"""The files of a folder get their names once all of them are there: no half of a run or store looks like one."""
CONNECTION_ENDED = (10, 12, 20, 30, 35, 255)
"""Exit codes of rsync when the connection was lost, and of ssh."""
RESULTS = ("datasets", "embeddings", "runs")
"""Folders of a project that hold no code; a folder of the code may have such a name as well."""


@dataclass(frozen=True)
class Copied:
    """How much was copied."""

    files: int = 0
    size: int = 0
    """In bytes."""

    def __add__(self, other: "Copied") -> "Copied":
        return Copied(self.files + other.files, self.size + other.size)

    def __str__(self) -> str:
        size = f"{self.size / 1e6:.1f} MB" if self.size >= 50_000 else f"{self.size} bytes"
        return f"{self.files} files, {size}"


def send(host: Host, here: Path, there: str, *options: str, names: Iterable[str] | None = None) -> Copied:
    """Copy a file, or what is in a folder, to a place below the host's folder; links are followed but for `AS_LINKS`.

    Parameters
    ----------
    host : Host
    here : Path
    there : str
        The same file or folder there; "" = the host's folder itself.
    *options : str
        More options of rsync.
    names : iterable of str, optional
        Files of the folder; None = all but hidden ones.

    Raises
    ------
    ValueError
        When rsync is missing here, or fails: in its words.
    ConnectionAbortedError
        When the connection is lost; what was copied whole is kept.
    """
    end = "/" if here.is_dir() else ""
    host.run(f"mkdir -p {quote((there or '.') if end else str(Path(there).parent))}")
    links = () if AS_LINKS in options else ("-L",)
    return _rsync(host, [*links, *options, f"{here}{end}", f"{_remote(host, there)}{end}"], names, "there")


def bring(host: Host, there: str, here: Path, *options: str, names: Iterable[str] | None = None) -> Copied:
    """Copy what is in a folder below the host's folder to a folder here; see `send`."""
    here.mkdir(parents=True, exist_ok=True)
    return _rsync(host, [*options, f"{_remote(host, there)}/", f"{here}/"], names, "here")


def code_files(code: Path) -> list[str]:
    """Return the files of the project's code: by git, or where that is not at hand all but hidden ones and results."""
    command = ["git", "-c", "safe.directory=*", "-C", os.fspath(code), "ls-files", "-z", "--cached", "--others"]
    try:
        listed = subprocess.run([*command, "--exclude-standard"], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        listed = b""
    names = sorted({os.fsdecode(name) for name in listed.split(b"\0") if name})
    if "fabfile.py" not in names:
        inside = [path.relative_to(code) for path in code.rglob("[!.]*")]
        names = [str(path) for path in inside if path.parts[0] not in RESULTS and not _is_passed_over(path)]
    return [name for name in names if (code / name).is_file()]


def _is_passed_over(path: Path) -> bool:
    return any(step == "__pycache__" or step.startswith(".") for step in path.parts)


def ssh_command(connection: Connection) -> str:
    """Return the ssh that reaches a host as a connection of Fabric does."""
    keys = connection.connect_kwargs.get("key_filename") or []
    options = {
        "Port": connection.port,
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": Path("~/.ssh/known_hosts").expanduser(),
        "ConnectTimeout": CONNECT_SECONDS,
        "ServerAliveInterval": KEEP_ALIVE_SECONDS,
    }
    words = ["ssh", *(f"-o{name}={value}" for name, value in options.items())]
    words += [f"-i{key}" for key in ([keys] if isinstance(keys, str) else keys)]
    gateway = connection.gateway
    if isinstance(gateway, Connection):
        words.append(f"-J{gateway.user}@{gateway.host}:{gateway.port}")
    elif gateway:
        words.append(f"-oProxyCommand={gateway}")
    return join(words)


def _remote(host: Host, there: str) -> str:
    name = f"[{host.connection.host}]" if ":" in host.connection.host else host.connection.host
    return f"{host.connection.user}@{name}:{host.path}/{there}".rstrip("/")


def _rsync(host: Host, words: Sequence[str], names: Iterable[str] | None, to: str) -> Copied:
    """Run rsync, `to` here or there; return how many files it copied."""
    listed = ["--files-from=-", "--from0"] if names is not None else [NOT_HIDDEN]
    command = [*RSYNC, f"--rsh={ssh_command(host.connection)}", *listed, *words]
    try:
        ended = subprocess.run(command, input="\0".join(names or ()), capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ValueError("There is no rsync on this machine, by which files are copied: install it.") from None
    if ended.returncode:
        raise _why(host, ended.returncode, ended.stderr, to)
    sizes = [int(line.split()[1]) for line in ended.stdout.splitlines() if line[:2] in ("<f", ">f")]
    return Copied(len(sizes), sum(sizes))


def _why(host: Host, code: int, said: str, to: str) -> Exception:
    """Return why rsync failed, in one line."""
    lines = [line.strip().rstrip(".") for line in said.splitlines() if line.strip()] or [f"rsync ended with {code}"]
    for line in lines:
        if "No space left" in line or "File too large" in line or "quota" in line:
            return ValueError(
                f"{host.name}: {line.rpartition(']')[2].strip()}: free some space {to} and run the same command "
                "again; what is finished is kept."
            )
        if "Permission denied (" in line:
            return ValueError(
                f"{host.name} does not let rsync in, which cannot ask for a password: give a key (fab -i KEYFILE) or "
                "start ssh-agent."
            )
    if code in CONNECTION_ENDED:
        return host.lost(" while files were copied; the same command copies the rest.")
    if code == MISSING:
        return ValueError(f"{host.name} has no rsync, by which files are copied: install it there.")
    return ValueError(f"{host.name}: {lines[0]}.")
