"""A PostgreSQL server for studies, started by the tests, without network, in a folder of its own."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.experiments.studies.studies import wait_for


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a PostgreSQL server on a socket of its own, and yield the URL of its database."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path(shutil.which("initdb") or "").parent]
    tools = found[-1]
    if not (tools / "initdb").is_file():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    pytest.importorskip("psycopg", reason='pip install -e ".[postgres]"')
    owner: dict[str, Any] = {}
    folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    if os.geteuid() == 0:  # the server refuses to run as root
        users = {entry.pw_name for entry in pwd.getpwall()}
        owner = {"user": "postgres" if "postgres" in users else "nobody"}
        shutil.chown(folder, **owner)
    data, quiet = folder / "data", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([tools / "initdb", "-D", data, "-A", "trust", "-U", "audios"], check=True, **owner, **quiet)
    command = [tools / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    server = subprocess.Popen(command, cwd=folder, **owner, **quiet)
    try:
        wait_for(lambda: (folder / ".s.PGSQL.5432").exists() and (data / "postmaster.pid").read_text().count("ready"))
        yield f"postgresql://audios@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
