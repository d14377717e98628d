"""The address that is taken, the folder that vanishes, the signals that end the page."""

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from src.deploy.serving.server import (
    address_of,
    folder_of_uploads,
    is_loopback,
    names_of,
    require_gradio,
    serve_until_stopped,
    take_port,
)


def test_a_port_in_use_is_told_and_another_one_is_found() -> None:
    with take_port("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert address_of(listener) == f"http://127.0.0.1:{port}/"
        assert is_loopback(listener)
        with pytest.raises(ValueError, match=rf"Port {port} of 127.0.0.1 is in use; give another `port`"):
            take_port("127.0.0.1", port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_ports_have_a_range(port: int) -> None:
    with pytest.raises(ValueError, match=rf"`port` must lie in 0 to 65535, not {port}"):
        take_port("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "1:2:3", "a" * 70])
def test_hosts_are_of_this_machine(host: str) -> None:
    with pytest.raises(ValueError, match=r"`host` must be an address of this machine"):
        take_port(host, 0)


def test_a_page_for_other_machines_is_no_loopback_page() -> None:
    with take_port("0.0.0.0", 0) as listener:
        assert not is_loopback(listener)
        assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_a_page_is_answered_under_the_address_that_it_announces() -> None:
    with take_port("127.0.0.2", 0) as listener:  # all of 127.0.0.0/8 is this machine alone
        assert is_loopback(listener)
        assert urlsplit(address_of(listener)).hostname in names_of(listener)
    with take_port("0.0.0.0", 0) as listener:
        assert names_of(listener) == ()


def test_addresses_of_the_sixth_version_stand_in_brackets() -> None:
    class Listener:
        def getsockname(self) -> tuple[str, int, int, int]:
            return "::1", 7860, 0, 0

    listener: Any = Listener()
    assert address_of(listener) == "http://[::1]:7860/"
    assert is_loopback(listener)


def test_the_folder_of_uploads_vanishes_and_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "before")
    monkeypatch.delenv("GRADIO_ANALYTICS_ENABLED", raising=False)
    with pytest.raises(KeyError), folder_of_uploads() as uploads:
        assert os.environ["GRADIO_TEMP_DIR"] == str(uploads)
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
        (uploads / "a.wav").touch()
        raise KeyError
    assert not uploads.exists()
    assert os.environ["GRADIO_TEMP_DIR"] == "before"
    assert "GRADIO_ANALYTICS_ENABLED" not in os.environ


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_the_page_and_not_the_process(number: signal.Signals) -> None:
    class Server:
        def run(self, sockets: list[socket.socket]) -> None:
            signal.raise_signal(number)
            time.sleep(60)
            raise AssertionError("nothing ended the page")

    said: list[str] = []
    before = signal.getsignal(number)
    with take_port("127.0.0.1", 0) as listener:
        serve_until_stopped(Server(), listener, lambda: said.append("ready"))
    assert said == ["ready"]
    assert signal.getsignal(number) is before


def test_a_missing_gradio_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("src.deploy.serving.server.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"gradio: pip install -e '\.\[serve\]'"):
        require_gradio()
