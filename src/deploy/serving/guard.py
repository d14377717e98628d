"""What stands between the page and whoever asks it: every request passes here before Gradio sees it.

Gradio is made for pages that everybody may see. Four things that it offers have no place on a page for private files:
it serves files by their path (`/file=`), fetches addresses on behalf of a browser (`/proxy=`, and any upload whose path
is an address), copies a file of the server's disk that a browser names as its upload (unless Gradio itself started the
server), and answers pages of other sites that ask in the browser's name. So

1. only the routes that this page uses are open;
2. on the loopback address only requests to a loopback name are answered: another site's name that points to it (DNS
   rebinding) is refused, and so is every request that comes from another site's page;
3. an upload has at most the size allowed, and all that is judged lies in the folder of uploads;
4. the browser is told to load nothing from anywhere else, and to keep the page out of other pages.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API = "/gradio_api"
_UPLOAD, _JOIN = f"{API}/upload", f"{API}/queue/join"
_READ = {"/", "/config", "/theme.css", "/favicon.ico", "/robots.txt", f"{API}/upload_progress", f"{API}/queue/data"}
_READ_BELOW = ("/assets/", "/static/")
_WRITE = {_UPLOAD, _JOIN, f"{API}/cancel", f"{API}/reset"}
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_LONGEST_QUESTION = 2**16
"""Bytes of a request that is no upload."""
_AROUND_FILE = 2**16
"""Bytes of an upload beside the file itself."""
_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' data: blob:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """The outermost layer of the page's server.

    Parameters
    ----------
    app : ASGIApp
        What answers the requests that pass.
    uploads : Path
        The folder of uploads.
    most_bytes : int
        Of an upload.
    names : tuple of str
        Names of this machine under which requests may come; none = any.
    """

    def __init__(self, app: ASGIApp, uploads: Path, most_bytes: int, names: tuple[str, ...] = ()) -> None:
        self._app, self._uploads, self._most_bytes, self._names = app, uploads.resolve(), most_bytes, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return None  # nothing here speaks through a web socket
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope["method"], scope["path"], headers)
        if not refusal and scope["path"] == _JOIN:
            body = await _body(receive)
            refusal = self._refusal_of_question(body)
            receive = _again(body, receive)
        if refusal:
            return await PlainTextResponse(refusal[1], refusal[0], headers=_HEADERS)(scope, receive, send)
        return await self._app(scope, receive, _with_headers(send))

    def _refusal(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str] | None:
        """Return status and reason for a request that is refused by its head; None for one that may pass."""
        if self._names and _name_in(f"//{headers.get('host', '')}") not in self._names:
            return 403, "Not under this name."
        if "origin" in headers and headers["origin"].partition("://")[2] != headers.get("host"):
            return 403, "Not from another page."
        is_file = path.startswith(_READ_BELOW) and ".." not in path and "//" not in path
        reads = method in ("GET", "HEAD") and (path in _READ or is_file)
        if not reads and not (method == "POST" and path in _WRITE):
            return 404, "There is nothing here."
        if method == "POST":
            length = headers.get("content-length", "")
            if not length.isascii() or not length.isdigit():
                return 411, "How long is it?"
            if int(length) > (self._most_bytes + _AROUND_FILE if path == _UPLOAD else _LONGEST_QUESTION):
                return 413, "The file is too large."
        return None

    def _refusal_of_question(self, body: bytes) -> tuple[int, str] | None:
        """Return status and reason where a question names a file that was not uploaded."""
        try:
            named = list(_paths_in(json.loads(body)))
        except (ValueError, RecursionError):
            return 400, "This is no question."
        if not all(isinstance(path, str) and self._is_upload(path) for path in named):
            return 403, "Not a file that was uploaded here."
        return None

    def _is_upload(self, path: str) -> bool:
        try:
            return Path(path).is_absolute() and Path(path).resolve().is_relative_to(self._uploads)
        except (OSError, ValueError):  # too long, or with a zero byte
            return False


def _name_in(address: str) -> str | None:
    """Return the name of a machine in an address; None where there is none.

    >>> _name_in("//[::1]:7860"), _name_in("//LOCALHOST:80"), _name_in("//[")
    ('::1', 'localhost', None)
    """
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _paths_in(question: Any) -> list[Any]:
    """Return everything that is called a path, at any depth.

    >>> _paths_in({"data": [{"path": "/a", "meta": {}}, [{"path": 1}]]})
    ['/a', 1]
    """
    if isinstance(question, list):
        return [path for part in question for path in _paths_in(part)]
    if not isinstance(question, dict):
        return []
    own = [question["path"]] if "path" in question else []
    return own + [path for part in question.values() for path in _paths_in(part)]


async def _body(receive: Receive) -> bytes:
    """Return the whole body of a request, whose length was checked."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body which was read already, then what follows."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def _with_headers(send: Send) -> Send:
    """Return a `send` that adds the headers of this page to every answer."""
    added = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *added]
        await send(message)

    return send_with_headers
