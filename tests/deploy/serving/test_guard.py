"""What passes to Gradio, and what is refused before."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from src.deploy.serving.guard import LOOPBACK_NAMES, Guard

HOST = ("host", "127.0.0.1:7860")


def ask(
    uploads: Path, method: str, path: str, *headers: tuple[str, str], body: bytes = b"", names: Any = LOOPBACK_NAMES
) -> tuple[int, dict[str, str], list[bytes]]:
    """Ask a guard; return status, headers, and the bodies that what lies behind it was given."""
    passed: list[bytes] = []
    sent: list[Any] = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        passed.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"own", b"kept")]})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    length = [("content-length", str(len(body)))] if method == "POST" else []
    raw = [(name.encode(), value.encode()) for name, value in [*length, *(headers or [HOST])]]
    scope = {"type": "http", "method": method, "path": path, "headers": raw}
    asyncio.run(Guard(behind, uploads, 1000, names)(scope, receive, send))
    answered = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, passed


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/assets/index.js", 200),
        ("POST", "/gradio_api/upload", 200),
        ("GET", "/gradio_api/queue/data", 200),
        ("POST", "/", 404),
        ("GET", "/gradio_api/upload", 404),
        ("GET", "/gradio_api/file=/etc/passwd", 404),
        ("HEAD", "/gradio_api/file=/etc/passwd", 404),
        ("GET", "/gradio_api/file/etc/passwd", 404),
        ("GET", "/gradio_api/proxy=https://example.org", 404),
        ("POST", "/gradio_api/run/predict", 404),
        ("POST", "/gradio_api/call/judge", 404),
        ("GET", "/gradio_api/stream/a/b/c/playlist.m3u8", 404),
        ("GET", "/assets/../../etc/passwd", 404),
        ("GET", "/static//etc/passwd", 404),
        ("GET", "/monitoring", 404),
        ("GET", "/docs", 404),
        ("DELETE", "/", 404),
    ],
)
def test_only_what_the_page_uses_is_open(method: str, path: str, status: int, tmp_path: Path) -> None:
    found, headers, passed = ask(tmp_path, method, path)
    assert (found, len(passed)) == (status, int(status == 200))
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["127.0.0.1:7860", "localhost", "LOCALHOST:1", "[::1]:7860"])
def test_loopback_names_are_answered(name: str, tmp_path: Path) -> None:
    assert ask(tmp_path, "GET", "/", ("host", name))[0] == 200
    assert ask(tmp_path, "POST", "/gradio_api/upload", ("host", name), ("origin", f"http://{name}"))[0] == 200


@pytest.mark.parametrize("name", ["example.org", "127.0.0.1.example.org", "", "["])
def test_other_names_that_point_here_are_not(name: str, tmp_path: Path) -> None:
    assert ask(tmp_path, "GET", "/", ("host", name))[0] == 403
    assert ask(tmp_path, "GET", "/", ("other", "header"))[0] == 403


def test_where_other_machines_may_come_any_name_is_answered(tmp_path: Path) -> None:
    assert ask(tmp_path, "GET", "/", ("host", "lab.example.org"), names=())[0] == 200


@pytest.mark.parametrize("origin", ["https://example.org", "http://127.0.0.1:80", "null", "http://[", ""])
def test_pages_of_other_sites_cannot_ask(origin: str, tmp_path: Path) -> None:
    assert ask(tmp_path, "POST", "/gradio_api/upload", HOST, ("origin", origin))[0] == 403


def test_uploads_are_no_longer_than_allowed(tmp_path: Path) -> None:
    assert ask(tmp_path, "POST", "/gradio_api/upload", body=b"a" * 66_536)[0] == 200
    assert ask(tmp_path, "POST", "/gradio_api/upload", body=b"a" * 66_537)[0] == 413
    assert ask(tmp_path, "POST", "/gradio_api/queue/join", body=b"a" * 65_537)[0] == 413
    for length in ("", "-1", "1e3", "٣"):
        assert ask(tmp_path, "POST", "/gradio_api/upload", ("content-length", length), HOST)[0] == 411


def question(path: Any) -> bytes:
    meta = {"_type": "gradio.FileData"}
    return json.dumps({"data": [None, {"deep": [{"path": path, "meta": meta}]}], "fn_index": 0}).encode()


def test_a_question_about_an_upload_passes_unchanged(tmp_path: Path) -> None:
    body = question(str(tmp_path / "abc" / "a.wav"))
    assert ask(tmp_path, "POST", "/gradio_api/queue/join", body=body)[::2] == (200, [body])


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "http://example.org/a.wav",
        "https://127.0.0.1:7860/a.wav",
        "file:///etc/passwd",
        "FOLDER/../outside.wav",
        "FOLDER/link/passwd",
        "a.wav",
        "",
        "FOLDER/a\0.wav",
        "FOLDER/" + "a" * 5000 + "/../..",
        1,
        None,
        ["FOLDER/a.wav"],
    ],
)
def test_questions_about_anything_else_are_refused(path: Any, tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "link").symlink_to("/etc")
    named = path.replace("FOLDER", str(tmp_path / "uploads")) if isinstance(path, str) else path
    status, _, passed = ask(tmp_path / "uploads", "POST", "/gradio_api/queue/join", body=question(named))
    assert (status, passed) == (403, [])


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 60_000])
def test_what_is_no_question_is_refused(body: bytes, tmp_path: Path) -> None:
    assert ask(tmp_path, "POST", "/gradio_api/queue/join", body=body)[0] == 400
