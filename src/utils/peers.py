"""How the processes of a launcher learn that one has ended, and why: all then end, with one line on each machine.

PyTorch's processes wait for each other in every step. One that is killed leaves the others waiting, by NCCL for ten
minutes and longer, or ending in tracebacks of gloo; one that meets an error of its own looks to them as if it had been
killed. So every process holds a connection to the first, beside those of PyTorch. The system closes it when a process
ends, however it ends; a machine that is lost stops answering, which is noticed within half a minute. A process that
fails says so over it, with its line, before it ends.

What arrives is read by a thread, because the process itself may be waiting inside PyTorch, where no exception reaches
it: the thread says the line and ends the process. Whatever the first process learns, it passes on. One process of each
machine speaks.

A message is one line of JSON: `{"line": what to say, "code": the exit code}`; code 0 says that a process is done.
"""

import json
import os
import secrets
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import sleep
from typing import NoReturn

from src.utils.processes import from_first, is_first, join_others, n_processes, own_number

LOST = 2
"""Exit code where a process is lost: the environment's fault, as a full disk is."""
GRACE = 5.0
"""Seconds that a process waits for the others to hear of its end, and for news of theirs."""
ALIKE = 2.0
"""Seconds that a process which fails alike has, to end by itself and put its things in order."""
MEETING_SECONDS = 120.0
OPEN = "The machines must be open to each other at all ports, as they must be for NCCL and gloo."
KEEP_ALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}
"""Seconds until a silent machine is asked whether it is there, between questions, and how many stay unanswered."""

_remedies: list[Callable[[], str]] = [lambda: "Start the same command again."]


@contextmanager
def if_one_is_lost(remedy: Callable[[], str]) -> Iterator[None]:
    """Let the line on a lost process end with what `remedy` returns then, as long as the block lasts."""
    _remedies.append(remedy)
    try:
        yield
    finally:
        _remedies.remove(remedy)


def speaks() -> bool:
    """Tell whether this process is the one of its machine that says why all of them end."""
    return is_first() or os.environ.get("LOCAL_RANK", "0") == "0"


class Peers:
    """The other processes of a task: the first holds connections to all of them, and each of these to the first.

    Parameters
    ----------
    task : str
        Whose name the line on a lost process begins with.
    tell : callable
        Says a line, just before this process ends.
    """

    def __init__(self, task: str, tell: Callable[[str], None]) -> None:
        join_others()
        self.task, self.tell, self.over, self.claim = task, tell, threading.Event(), threading.Lock()
        self.links = _accepted() if is_first() else [_connected()]
        os.register_at_fork(after_in_child=self._close)  # a child that lives longer would keep connections open
        threading.Thread(target=self._watch, daemon=True).start()

    def ended(self, line: str, code: int, *, expected: bool) -> bool:
        """Tell the others that this process fails, and return whether it shall say so itself.

        An error that was not expected may be PyTorch's way of saying that another process is gone: if so, the thread
        learns of it as well, and ends this process.
        """
        if not expected:
            sleep(GRACE)
        if not self.claim.acquire(blocking=False):
            sleep(2 * GRACE)  # the thread is ending this process
        self._send(line, code)
        if not is_first():
            self.over.wait(GRACE)
        return speaks()

    def leave(self) -> None:
        """Tell the others that this process is done with what they do together."""
        if self.claim.acquire(blocking=False):
            self._send("", 0)

    def _watch(self) -> None:
        """Read what arrives until nobody is left."""
        with selectors.DefaultSelector() as selector, suppress(OSError, ValueError):  # closed in the end
            for link in self.links:
                selector.register(link.connection, selectors.EVENT_READ, link)
            while selector.get_map():
                for key, _ in selector.select():
                    selector.unregister(key.fileobj)  # what is said is said once
                    self._hear(key.data.name, key.data.read())

    def _hear(self, name: str, text: bytes) -> None:
        """End this process for what another one said; none has said nothing that is still there."""
        if not text.endswith(b"\n"):
            line = f"{self.task}: {name} has ended without a word: killed, or out of memory. {_remedies[-1]()}"
            self._end(line, LOST, speaks() or own_number() == 1)  # of the first's machine, the second speaks for it
        elif (message := json.loads(text))["code"]:
            sleep(ALIKE)
            self._end(message["line"], message["code"], speaks())

    def _end(self, line: str, code: int, speaking: bool) -> None:
        self.over.set()
        if not self.claim.acquire(blocking=False):
            return  # it is ending, or done
        try:
            if is_first():
                self._send(line, code)
            if speaking:
                self.tell(line)
        finally:
            os._exit(code)

    def _send(self, line: str, code: int) -> None:
        message = json.dumps({"line": line, "code": code}).encode() + b"\n"
        for link in self.links:
            with suppress(OSError):  # it is gone
                link.connection.sendall(message)

    def _close(self) -> None:
        while self.links:  # a child of the child finds none
            os.close(self.links.pop().connection.detach())


class Link:
    """A connection to another process, and how to call this."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.file, self.name = connection, connection.makefile("rb"), ""

    def read(self) -> bytes:
        """Return the line that arrives; none, or less than a line, where the other end is gone."""
        try:
            return self.file.readline()
        except OSError:
            return b""


def _accepted() -> list[Link]:
    """Return the links of the first process to all others."""
    with _listening() as server:
        server.settimeout(MEETING_SECONDS)
        token = from_first(lambda: (server.getsockname()[1], secrets.token_hex(8)))[1]
        links: list[Link] = []
        while len(links) < n_processes() - 1:
            try:
                link = Link(server.accept()[0])
            except TimeoutError:
                raise ConnectionError(f"Some of {n_processes()} processes have not reached the first. {OPEN}") from None
            link.connection.settimeout(GRACE)
            hello = link.read().decode(errors="replace").split()
            if len(hello) == 3 and hello[0] == token:
                _keep_alive(link.connection)
                link.name = f"Process {hello[1]} of {n_processes()}, on {hello[2]},"
                links.append(link)
    return links


def _connected() -> Link:
    """Return the link of another process to the first."""
    met: tuple[int, str] = from_first(_never)
    port, token = met
    host = "127.0.0.1" if _on_one_machine() else os.environ["MASTER_ADDR"]
    try:
        link = Link(socket.create_connection((host, port), timeout=MEETING_SECONDS))
    except OSError as error:
        why = error.strerror or error
        raise ConnectionError(f"The first process cannot be reached at {host}, port {port} ({why}). {OPEN}") from None
    link.connection.sendall(f"{token} {own_number()} {socket.gethostname()}\n".encode())
    _keep_alive(link.connection)
    link.name = f"Process 0 of {n_processes()}, on {host},"
    return link


def _listening() -> socket.socket:
    if _on_one_machine():
        return socket.create_server(("127.0.0.1", 0))
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", 0))


def _on_one_machine() -> bool:
    return os.environ.get("LOCAL_WORLD_SIZE", str(n_processes())) == str(n_processes())


def _keep_alive(connection: socket.socket) -> None:
    """Wait on a connection as long as it takes, and let the system notice a machine that no longer answers."""
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        if hasattr(socket, name):  # not everywhere
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _never() -> NoReturn:
    raise AssertionError("only the first process makes it")
