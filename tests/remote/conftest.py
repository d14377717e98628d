"""A real sshd on the loopback address, for one user, with keys, port and home folders of its own."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path

import psutil
import pytest

SYSTEM = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
SSHD = shutil.which("sshd", path=SYSTEM)


@dataclass
class Server:
    """A running sshd and what its host looks like from inside."""

    folder: Path
    port: int
    key: Path
    """Private key that lets the user in."""
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def address(self) -> str:
        return f"{getuser()}@127.0.0.1:{self.port}"

    def cut(self) -> int:
        """Kill the processes that serve connections; return how many there were."""
        killed = 0
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended since it was listed
                if process.name().startswith("sshd"):
                    process.kill()
                    killed += 1
        return killed


def start_server(folder: Path, keys: Path) -> Server:
    """Start an sshd whose sessions have the home `folder/home`."""
    (folder / "home").mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": keys / "host",
        "AuthorizedKeysFile": keys / "user.pub",
        "PidFile": "none",
        "StrictModes": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "SetEnv": f"HOME={folder / 'home'}",
    }
    (folder / "sshd.conf").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    assert SSHD
    process = subprocess.Popen([SSHD, "-D", "-f", folder / "sshd.conf", "-E", folder / "log"])
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return Server(folder, port, keys / "user", process)
        time.sleep(0.05)
    raise AssertionError((folder / "log").read_text())


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the key of the hosts and the key of the user."""
    for program, package in (("sshd", "openssh-server"), ("ssh-keygen", "openssh-client"), ("rsync", "rsync")):
        if shutil.which(program, path=SYSTEM) is None:
            pytest.skip(f"{program} is not installed: apt-get install {package}")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd locks itself in before it trusts anybody
    folder = tmp_path_factory.mktemp("keys")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    return folder


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Iterator[list[Server]]:
    """Start two hosts, each with a home of its own."""
    started = [start_server(tmp_path_factory.mktemp("host"), keys) for _ in range(2)]
    yield started
    for server in started:
        for note in server.home.glob("*/.remote/*/group"):  # of a task that a failed test left behind
            with contextlib.suppress(OSError):
                os.killpg(int(note.read_text()), signal.SIGKILL)
        server.cut()
        server.process.terminate()
        server.process.wait(10)


@pytest.fixture
def known(servers: list[Server], keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let this user's home know the keys of the hosts; return its file known_hosts."""
    kind, key = (keys / "host.pub").read_text().split()[:2]
    path = tmp_path / "own" / ".ssh" / "known_hosts"
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"[127.0.0.1]:{server.port} {kind} {key}\n" for server in servers))
    monkeypatch.setenv("HOME", str(tmp_path / "own"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return path
