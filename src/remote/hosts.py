"""A host, as Fabric connects to it, and shell commands in the folder of the project there.

Fabric itself accepts whatever key a host shows. Here the key must be in `known_hosts`, as ssh wants it, and another one
is refused. Nothing of the environment here is sent, and no password is kept anywhere.
"""

import logging
import socket
from shlex import quote
from typing import IO

import paramiko
from fabric import Connection
from fabric.runners import Remote

CONNECT_SECONDS = 30
"""How long a connection may take."""
KEEP_ALIVE_SECONDS, SILENT_SECONDS = 15, 60
"""How often a sign of life is sent, and after how long without an answer the connection counts as lost."""
MARK = "-- audios --"
"""What the output of a command begins with: the host's shell may have said something before."""
MISSING = 127
"""Exit code of a shell that does not find a command."""
NEEDED = ("rsync", "flock", "setsid", "tail", "sha256sum")
"""What a host must have, beside a shell and Python; every Linux has all but the first, as a rule."""

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # it would print tracebacks of lost connections


class _KnownKeys(paramiko.MissingHostKeyPolicy):
    """Refuses a host whose key is not known, and says how it gets known."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise ValueError(
            f"The key of {hostname} is not in known_hosts: connect to it once by ssh, compare the key that it shows "
            f"({key.fingerprint}) with that of the machine, and run the same command again."
        )


class _Command(Remote):
    """A command there that Ctrl-C leaves at once; Fabric alone would wait for its end first."""

    def send_interrupt(self, interrupt: KeyboardInterrupt) -> None:
        self.channel.close()
        raise interrupt


class Host:
    """A folder on a host, and the connection to it.

    Parameters
    ----------
    connection : Connection
        As Fabric makes it of `-H`.
    folder : str
        Folder of the project on the host; `~` is the home there.
    """

    def __init__(self, connection: Connection, folder: str) -> None:
        self.connection, self.folder = connection, folder
        connection.config.runners.remote = _Command
        self.path = ""
        """The folder, absolute, once there is a connection."""
        port = "" if connection.port == 22 else f":{connection.port}"
        self.name = f"{connection.user}@{connection.host}{port}"

    def connect(self) -> None:
        """Open the connection, and make the folder.

        Raises
        ------
        ValueError
            When the host cannot be reached, is not the one that is known, does not let the user in, or lacks a command.
        """
        _check_keys(self.connection)
        if self.connection.connect_timeout is None:
            self.connection.connect_timeout = CONNECT_SECONDS
        try:
            self.connection.open()
        except (OSError, EOFError, paramiko.SSHException) as error:
            if isinstance(error, OSError) and error.filename:  # a file of a key that is not here
                raise
            raise ValueError(_why_not_in(error, self.name)) from None
        finally:
            if not self.connection.is_connected:
                self.connection.client.close()  # it may be half open: the key of the host was refused
        self._notice_silence()
        lacking = "; ".join(f"command -v {name} >/dev/null || echo {name}" for name in NEEDED)
        where, *missing = self._run(
            f"mkdir -p {_in_shell(self.folder)} && cd {_in_shell(self.folder)} && pwd && {{ {lacking}; }}"
        )
        if missing:
            raise ValueError(f"{self.name} has no {missing[0]}, which is needed there: install it.")
        self.path = where

    def run(self, script: str, echo: IO[str] | None = None) -> list[str]:
        """Run a shell script in the folder there.

        Parameters
        ----------
        script : str
        echo : text file, optional
            Where what it says goes while it runs.

        Returns
        -------
        list of str
            The lines that it said.

        Raises
        ------
        ValueError
            When it fails; with the last line of its errors.
        ConnectionAbortedError
            When the connection is lost.
        """
        return self._run(f"cd {quote(self.path)} && {{ {script}; }}", echo)

    def _run(self, script: str, echo: IO[str] | None = None) -> list[str]:
        mark = "" if echo else f"echo '{MARK}'; "
        options = {"out_stream": echo, "hide": "err"} if echo else {"hide": True}
        try:
            said = self.connection.run(f"sh -c {quote(mark + script)}", warn=True, in_stream=False, **options)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self.lost() from error
        if said.exited < 0:
            raise self.lost()
        if said.exited:
            last = said.stderr.strip().rpartition("\n")[2]
            raise ValueError(f"{self.name}: {last or f'a command ended with exit code {said.exited}'}.")
        return str(said.stdout).partition(f"{MARK}\n")[2].splitlines()

    def lost(self, what: str = "") -> ConnectionAbortedError:
        """Return the error that the connection was lost, and what follows from it."""
        return ConnectionAbortedError(f"The connection to {self.name} was lost{what}")

    def _notice_silence(self) -> None:
        """Let the system give the connection up when nothing that is sent is acknowledged for a while."""
        transport = self.connection.client.get_transport()
        if transport is not None:
            transport.set_keepalive(KEEP_ALIVE_SECONDS)
            if hasattr(socket, "TCP_USER_TIMEOUT") and isinstance(transport.sock, socket.socket):
                transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * SILENT_SECONDS)


def _check_keys(connection: Connection) -> None:
    """Let a connection, and those that lead to it, accept keys alone that are known."""
    connection.client.load_system_host_keys()
    connection.client.set_missing_host_key_policy(_KnownKeys())
    if isinstance(connection.gateway, Connection):
        _check_keys(connection.gateway)


def _in_shell(path: str) -> str:
    """Quote a path for a shell that shall still know ~."""
    home, slash, below = path.partition("/")
    return f"~{slash}{quote(below) if below else ''}" if home == "~" else quote(path)


def _said(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, socket.gaierror):
        said = "its name is not known"
    return " ".join(said.split()).rstrip(".") or type(error).__name__


def _why_not_in(error: Exception, host: str) -> str:
    """Say why a connection could not be opened, and what to do."""
    if isinstance(error, paramiko.PasswordRequiredException):
        return f"{host}: the key for it has a passphrase; ssh-add the key, or give fab --prompt-for-passphrase."
    if isinstance(error, paramiko.AuthenticationException):
        return (
            f"{host} does not let you in ({_said(error)}): check the user and the key (fab -i KEYFILE), or give fab "
            "--prompt-for-login-password."
        )
    if isinstance(error, paramiko.BadHostKeyException):
        return (
            f"{host} shows another key than the one in known_hosts, {error.key.fingerprint}: find out why before you "
            "change known_hosts."
        )
    if "authentication methods" in str(error):
        return f"{host} does not let you in: there is no key for it (fab -i KEYFILE)."
    return f"{host} cannot be reached ({_said(error)}): is it on, and are its name and port right?"
