"""A host over a real connection: who it is, who is let in, what is kept when it breaks or its disk is full."""

import re
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import paramiko
import pytest
from fabric import Connection

from src.remote import copying
from src.remote.copying import Copied, bring, code_files, send, ssh_command
from src.remote.hosts import Host
from tests.remote.conftest import Server

FOLDER = "~/audios"


def connection_to(server: Server, **options: Any) -> Connection:
    return Connection(server.address, connect_kwargs={"key_filename": str(server.key), **options})


@pytest.fixture
def server(servers: list[Server], known: Path) -> Server:
    shutil.rmtree(servers[0].home / "audios", ignore_errors=True)
    return servers[0]


@pytest.fixture
def host(server: Server) -> Host:
    return Host(connection_to(server), FOLDER)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with 40 files, of 2.5 kB each."""
    folder = tmp_path / "code"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number:02d} it's.py").write_text(f"# {number:02d}\n" * 500)
    return folder


def test_commands_run_in_the_folder_which_is_made_in_the_home_of_the_host(host: Host, server: Server) -> None:
    host.connect()
    assert host.run("pwd") == [host.path] == [str(server.home / "audios")]
    with pytest.raises(ValueError, match="No such file"):
        host.run("cat nothing")
    host.connection.close()


def test_what_the_shell_says_first_is_passed_over(host: Host, server: Server) -> None:
    (server.home / ".bashrc").write_text("echo welcome\n")
    try:
        host.connect()
        assert host.run("echo one; echo two") == ["one", "two"]
    finally:
        host.connection.close()
        (server.home / ".bashrc").unlink()


def test_an_unknown_key_is_refused_with_its_fingerprint(host: Host, known: Path, keys: Path) -> None:
    known.write_text("")
    fingerprint = paramiko.Ed25519Key(filename=str(keys / "host")).fingerprint
    with pytest.raises(ValueError, match="not in known_hosts") as told:
        host.connect()
    assert fingerprint in str(told.value)


def test_another_key_than_the_known_one_is_refused(host: Host, known: Path, keys: Path) -> None:
    other = " ".join((keys / "user.pub").read_text().split()[:2])
    known.write_text(f"[127.0.0.1]:{host.connection.port} {other}\n")
    with pytest.raises(ValueError, match="shows another key"):
        host.connect()


def test_a_wrong_key_of_the_user_is_refused(server: Server, keys: Path) -> None:
    host = Host(connection_to(server, key_filename=str(keys / "host")), FOLDER)
    with pytest.raises(ValueError, match="does not let you in"):
        host.connect()


def test_a_host_that_is_not_there_is_told(server: Server, known: Path) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:1 cannot be reached"):
        Host(Connection("127.0.0.1:1"), FOLDER).connect()


def test_a_host_without_rsync_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.remote.hosts.NEEDED", ("rsync-of-nobody",))
    with pytest.raises(ValueError, match="has no rsync-of-nobody"):
        host.connect()
    host.connection.close()


def test_a_folder_that_cannot_be_made_is_told(server: Server, known: Path) -> None:
    host = Host(connection_to(server), "/proc/nowhere")
    with pytest.raises(ValueError, match="/proc/nowhere"):
        host.connect()
    host.connection.close()


def test_a_password_that_let_fabric_in_does_not_let_rsync_in(host: Host, folder: Path, keys: Path) -> None:
    host.connect()
    host.connection.connect_kwargs["key_filename"] = str(keys / "host")
    with pytest.raises(ValueError, match="does not let rsync in"):
        send(host, folder, "code")
    host.connection.close()


def test_ssh_is_given_what_fabric_was_given() -> None:
    through = Connection("me@gate:2022")
    words = ssh_command(Connection("me@host:22", gateway=through, connect_kwargs={"key_filename": ["a key"]}))
    assert "-Jme@gate:2022" in words and "'-ia key'" in words and "-oPort=22" in words


def test_what_differs_is_copied_both_ways_and_nothing_twice(host: Host, server: Server, folder: Path) -> None:
    host.connect()
    assert send(host, folder, "it's here/code") == Copied(40, 100_000)
    assert send(host, folder, "it's here/code") == Copied()
    there = server.home / "audios" / "it's here" / "code"
    first = min(there.iterdir())
    first.write_text("x" * first.stat().st_size)  # as long, and by its date newer
    assert send(host, folder, "it's here/code") == Copied(1, 2500)
    assert send(host, folder / first.name, "other/alone.py") == Copied(1, 2500)
    assert bring(host, "it's here/code", folder.with_name("back")) == Copied(40, 100_000)
    for path in folder.iterdir():
        assert path.read_bytes() == (folder.with_name("back") / path.name).read_bytes()
    assert (server.home / "audios" / "other" / "alone.py").read_bytes() == (folder / first.name).read_bytes()
    host.connection.close()


def test_a_line_that_breaks_while_files_are_sent_keeps_those_that_came(
    host: Host, server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "large.bin").write_bytes(bytes(20_000_000))
    monkeypatch.setattr(copying, "RSYNC", (*copying.RSYNC, "--bwlimit=2000"))

    def cut() -> None:
        while len(list((server.home / "audios").rglob("*.py"))) < 40:
            time.sleep(0.01)
        server.cut()

    host.connect()
    cutting = threading.Thread(target=cut)
    cutting.start()
    with pytest.raises(ConnectionAbortedError, match="the same command copies the rest"):
        send(host, folder, "code")
    cutting.join()
    monkeypatch.undo()
    host = Host(connection_to(server), FOLDER)
    monkeypatch.setenv("HOME", str(folder.parent / "own"))
    host.connect()
    assert send(host, folder, "code").files == 1
    there = server.home / "audios" / "code"
    assert all((there / path.name).read_bytes() == path.read_bytes() for path in folder.iterdir())
    host.connection.close()


def test_a_disk_that_gets_full_is_told_and_what_came_is_kept(host: Host, server: Server, folder: Path) -> None:
    """No file may be longer than 4 kB there, as no file may be on a disk that is full."""
    (folder / "large.bin").write_bytes(bytes(50_000))
    host.connect()
    with pytest.raises(ValueError, match=r"File too large.*free some space there"):
        send(host, folder, "code", "--rsync-path=ulimit -f 4; rsync")
    assert send(host, folder, "code").files <= 2
    host.connection.close()


def test_the_code_is_what_git_does_not_ignore_or_all_but_results(tmp_path: Path) -> None:
    code = ["fabfile.py", "src/one.py", "src/experiments/runs/names.py"]
    for name in (*code, "runs/run0/metrics.json", ".venv/bin/python", "src/__pycache__/one.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert sorted(code_files(tmp_path)) == sorted(code)
    ours = code_files(Path(__file__).parents[2])
    assert "src/remote/job.sh" in ours and not [name for name in ours if re.match(r"(\.venv|embeddings)/", name)]
