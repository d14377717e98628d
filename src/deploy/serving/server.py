"""The server of the page: an address that is free, uploads in a folder that vanishes, an end that leaves nothing.

Gradio's own `launch` is not used. It looks for a free port on another address than the one it is given, asks itself for
its page through whatever proxy the environment names, and removes nothing at its end. Here the port is taken before
anything is loaded, so that one in use is told at once; uvicorn serves; and a signal that ends the server (Ctrl-C, the
end of a terminal, a shutdown) still removes the folder of uploads.
"""

import errno
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.deploy.serving.rules import Rules

if TYPE_CHECKING:
    from gradio import Blocks

    from src.deploy.serving.reception import Reception

_GREATEST_PORT = 65535
_SHUTDOWN_SECONDS = 2
_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_WHY = {errno.EADDRINUSE: "is in use", errno.EACCES: "may be taken by administrators only"}


def require_gradio() -> None:
    """Raise ValueError where Gradio is not installed."""
    if find_spec("gradio") is None:
        raise ValueError("The page needs the package gradio: pip install -e '.[serve]'.")


def take_port(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address.

    Parameters
    ----------
    host : str
        Address or name of this machine.
    port : int
        0 = any that is free.

    Raises
    ------
    ValueError
        When the port is in use or no port, or the host is none of this machine's.
    """
    if not 0 <= port <= _GREATEST_PORT:
        raise ValueError(f"`port` must lie in 0 to {_GREATEST_PORT}, not {port}.")
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno in _WHY:
            raise ValueError(
                f"Port {port} of {host} {_WHY[error.errno]}; give another `port`, or 0 for any that is free."
            ) from None
        raise ValueError(
            f"`host` must be an address of this machine, such as 127.0.0.1 (it alone) or 0.0.0.0 (any), not '{host}'."
        ) from None


def is_loopback(listener: socket.socket) -> bool:
    """Tell whether a socket is reached from this machine alone."""
    return ip_address(listener.getsockname()[0]).is_loopback


def names_of(listener: socket.socket) -> tuple[str, ...]:
    """Return the names under which a page may be asked for: loopback ones and its own address; none = any name."""
    from src.deploy.serving.guard import LOOPBACK_NAMES  # starlette

    return (*LOOPBACK_NAMES, listener.getsockname()[0]) if is_loopback(listener) else ()


def address_of(listener: socket.socket) -> str:
    """Return the address of the page for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    if ip_address(host).is_unspecified:  # every address, that of the loopback among them
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextmanager
def folder_of_uploads() -> Iterator[Path]:
    """Yield the folder that Gradio puts uploads into; it is removed at the end."""
    before = {name: os.environ.get(name) for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED")}
    with tempfile.TemporaryDirectory(prefix="audios-serve-", ignore_cleanup_errors=True) as folder:
        os.environ.update(GRADIO_TEMP_DIR=folder, GRADIO_ANALYTICS_ENABLED="False")
        try:
            yield Path(folder)
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def serve(reception: "Reception", listener: socket.socket, announce: Callable[[str], None]) -> None:
    """Serve the page of a run until the process is told to end.

    Parameters
    ----------
    reception : Reception
        Answers for what is uploaded.
    listener : socket.socket
        As `take_port` returns it.
    announce : callable
        Is given the address of the page once it can be opened.
    """
    from src.deploy.serving.answers import head
    from src.deploy.serving.page import build_page

    with folder_of_uploads() as uploads:
        above = head(reception.about.run, reception.rules)
        page = build_page(reception.answer, above, may_record=is_loopback(listener))
        server = make_server(page, uploads, reception.rules, listener)
        serve_until_stopped(server, listener, lambda: announce(address_of(listener)))


def make_server(page: "Blocks", uploads: Path, rules: Rules, listener: socket.socket) -> Any:
    """Return the server of a page, a `uvicorn.Server`: `run(sockets=[listener])` serves until `should_exit` is set."""
    import gradio
    import uvicorn
    from fastapi import FastAPI

    from src.deploy.serving.guard import Guard
    from src.deploy.serving.page import CSS, theme

    page.has_launched = True  # Gradio checks where an upload lies only once this is set
    app = gradio.mount_gradio_app(
        FastAPI(openapi_url=None),
        page,
        "/",
        footer_links=[],
        run_history=False,
        max_file_size=rules.max_bytes,
        show_error=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        pwa=False,
        theme=theme(),
        css=CSS.read_text(encoding="utf-8"),
    )
    guarded = Guard(app, uploads, rules.max_bytes, names_of(listener))
    quiet: dict[str, Any] = {"log_config": None, "log_level": "error", "access_log": False}
    return uvicorn.Server(uvicorn.Config(guarded, timeout_graceful_shutdown=_SHUTDOWN_SECONDS, **quiet))


def serve_until_stopped(server: Any, listener: socket.socket, when_ready: Callable[[], None]) -> None:
    """Serve until the process is told to end; then return, so that what must be removed is removed.

    uvicorn notes a signal, finishes, and sends it again: here it arrives as a KeyboardInterrupt, which ends the wait.
    """
    before = {number: signal.signal(number, signal.default_int_handler) for number in _ENDING}
    try:
        when_ready()
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
