"""The connections between processes belong to these alone: children do not keep them open, however many there are."""

import os
import socket
import sys
from pathlib import Path

from src.utils.peers import Link, Peers
from tests.forked import finished, forked


def fork_twice(there: socket.socket, here: socket.socket, waiting: int, ending: int) -> None:
    """Say a line and end, while a child and the child of this live on until they may end."""
    sys.unraisablehook = sys.__unraisablehook__  # pytest's keeps to itself what fails in a child
    there.close()
    os.close(ending)
    peers = Peers.__new__(Peers)  # no others, no thread
    peers.links = [Link(here)]
    os.register_at_fork(after_in_child=peers._close)
    if not os.fork():
        os.fork()
        os.read(waiting, 1)
    else:
        peers.links[0].connection.sendall(b"whole\n")
    os._exit(0)


def test_a_child_of_a_child_lets_go_of_the_connections_and_says_nothing(tmp_path: Path) -> None:
    there, here = socket.socketpair()
    waiting, ending = os.pipe()
    process = forked(fork_twice, there, here, waiting, ending, output=tmp_path / "said")
    here.close()
    there.settimeout(30)
    with there, there.makefile("rb") as said:
        assert (said.readline(), said.readline()) == (b"whole\n", b"")
    os.close(ending)
    os.close(waiting)
    assert finished(process) == 0
    assert (tmp_path / "said").read_text() == ""
