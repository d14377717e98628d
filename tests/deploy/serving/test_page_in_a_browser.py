"""The page in a real browser: recordings dropped and made, verdicts read, and nothing asked of any other machine.

One server and one browser for all tests of this file. The run is trained on the clips of the tests' tiny corpus.
"""

import http.client
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from src.deploy.serving import server
from src.deploy.serving.answers import head
from src.deploy.serving.page import build_page
from src.deploy.serving.reception import Reception, open_reception
from src.deploy.serving.rules import Rules
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model

pytest.importorskip("gradio", reason="needs gradio: pip install -e '.[dev]'")

pytestmark = [
    pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting' is deprecated"),  # Gradio's own use of pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # the same
    pytest.mark.filterwarnings("ignore:There are only"),  # so few clips are enough here
    pytest.mark.usefixtures("one_thread"),
]
RULES = Rules(max_seconds=3.0, max_megabytes=2.0)
PATIENCE = 120_000
"""Milliseconds; far more than an answer takes, for machines that do other things as well."""


@dataclass
class Served:
    """A page, its folder of uploads, and the machines that were asked for anything."""

    reception: Reception
    uploads: Path
    host: str
    port: int
    reached: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/"

    def files(self) -> list[Path]:
        return [path for path in self.uploads.rglob("*") if path.is_file()]

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Ask without a browser, which would tidy the path up; return status and body."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path, body or None, {name.replace("_", "-"): headers[name] for name in headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def reception(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Reception:
    root = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("serving") / "project"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.experiments.training.trainer.save_figure", lambda *_: None)
        train_model(choose_recipe(root / "datasets" / "corpus", Embeddings("lfcc"), "lr"), root=root)
    return open_reception(RunName.parse("run0"), RULES, root=root)


@pytest.fixture(scope="module")
def served(reception: Reception) -> Iterator[Served]:
    with (
        server.take_port("127.0.0.1", 0) as listener,
        server.folder_of_uploads() as uploads,
        pytest.MonkeyPatch.context() as patch,
    ):
        page = Served(reception, uploads, *listener.getsockname())
        _note_connections(patch, page.reached)
        blocks = build_page(reception.answer, head("run0", RULES), may_record=True)
        running = server.make_server(blocks, uploads, RULES, listener)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        yield page
        running.should_exit = True
        thread.join(timeout=60)
        assert not thread.is_alive()
        assert page.files() == []
        assert [host for host in page.reached if not ip_address(host).is_loopback] == []


def _note_connections(patch: pytest.MonkeyPatch, reached: list[str]) -> None:
    """Note every address that this process connects to."""
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            reached.append(address[0])
        connect(self, address)

    patch.setattr(socket.socket, "connect", noted)


@dataclass
class Visit:
    """The page in the browser, what it complains of, and what it asks for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def drop(self, path: Path, then: str) -> Any:
        """Drop a file; return its answer once it is there, with its headline."""
        self.page.set_input_files("#drop input[type=file]", path)
        answer = self.page.locator(".answer")
        answer.locator(".of", has_text=path.name).wait_for()
        answer.get_by_role("heading", name=then).wait_for()
        return answer


@pytest.fixture
def visit(browser: Any, served: Served) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    seen = Visit(context.new_page())
    seen.page.on("console", lambda message: message.type == "error" and seen.complaints.append(message.text))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    seen.page.goto(served.url)
    seen.page.locator("#drop input[type=file]").wait_for(state="attached")
    yield seen
    context.close()
    elsewhere = [url for url in seen.requests if not url.startswith((served.url, f"blob:{served.url}", "data:"))]
    assert elsewhere == []


def clip(reception: Reception, side: str) -> Path:
    """Return a clip of the corpus."""
    return min((reception.judge.trained.recipe.dataset / side).rglob("*.flac"))


@pytest.mark.slow
def test_verdicts_are_read_and_a_text_file_is_refused_in_words(visit: Visit, served: Served, tmp_path: Path) -> None:
    assert "Nothing that you give it is kept" in visit.page.locator("#head").inner_text()
    real, fake = (clip(served.reception, side) for side in ("real_voices", "fake_voices"))
    expected = served.reception.judge.judge([real, fake]).scores
    answer = visit.drop(real, "Bona fide: probably a person")
    assert f"{expected[0]:+.2f}" in answer.inner_text()
    assert real.name in answer.inner_text()
    assert "Too short (0.50 s)." in answer.inner_text()
    answer = visit.drop(fake, "Spoof: probably made by a machine")
    assert f"{expected[1]:+.2f}" in answer.inner_text()
    picture = answer.locator("img")
    assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 1350
    (tmp_path / "note.txt").write_text("This is no sound.")
    assert "cannot be read as sound" in visit.drop(tmp_path / "note.txt", "This cannot be judged").inner_text()
    soundfile.write(tmp_path / "long.flac", np.random.default_rng(7).uniform(-0.1, 0.1, 4 * 16_000), 16_000)
    assert "at most 3 seconds" in visit.drop(tmp_path / "long.flac", "This cannot be judged").inner_text()
    assert visit.page.locator("footer").count() == 0 or not visit.page.locator("footer").first.is_visible()
    assert (visit.complaints, served.files()) == ([], [])


def test_names_are_text_whatever_they_look_like(visit: Visit, served: Served, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)> ${1+1} {{1+1}} &lt;b&gt;.flac"
    shutil.copy(clip(served.reception, "real_voices"), tmp_path / name)
    answer = visit.drop(tmp_path / name, "Bona fide: probably a person")
    assert answer.locator(".of").inner_text() == name
    assert answer.locator("img").count() == 1
    assert visit.complaints == []


@pytest.mark.slow
def test_a_recording_from_the_microphone_is_judged(visit: Visit, served: Served) -> None:
    visit.page.get_by_role("tab", name="The microphone").click()
    visit.page.get_by_role("button", name="Record", exact=True).click()
    visit.page.wait_for_timeout(1200)
    visit.page.get_by_role("button", name="Stop", exact=True).first.click()
    visit.page.locator(".answer .of", has_text="Recording from the microphone").wait_for()
    assert served.files() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(visit: Visit, served: Served, scheme: str) -> None:
    visit.page.set_viewport_size({"width": 400, "height": 800})
    visit.page.emulate_media(color_scheme=scheme)
    visit.page.reload()
    visit.page.locator("#drop input[type=file]").wait_for(state="attached")
    answer = visit.drop(clip(served.reception, "fake_voices"), "Spoof: probably made by a machine")
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 400
    picture = answer.locator("img")
    assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 690
    lightness = (
        "(element, name) => getComputedStyle(element)[name].match(/\\d+/g).slice(0, 3).reduce((a, b) => +a + +b)"
    )
    ink, paper = (answer.evaluate(lightness, name) for name in ("color", "backgroundColor"))
    assert (ink > 600 and paper < 150) if scheme == "dark" else (ink < 150 and paper > 600)


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=UPLOADS/../../etc/passwd",
        "/gradio_api/file%3D/etc/passwd",
        "/file=/etc/passwd",
        "/gradio_api/file/etc/passwd",
        "/static/../../../../../../../../etc/passwd",
        "/static/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "/assets/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "/assets//etc/passwd",
        "/static/%2fetc/passwd",
        "/../etc/passwd",
        "/gradio_api/proxy=http://127.0.0.1:1/",
        "/gradio_api/file=http://127.0.0.1:1/",
        "/docs",
        "/openapi.json",
        "/gradio_api/info",
    ],
)
def test_no_file_of_the_disk_can_be_read(path: str, served: Served) -> None:
    status, body = served.ask("GET", path.replace("UPLOADS", str(served.uploads)))
    assert status in (400, 403, 404)
    assert b"root:" not in body


@pytest.mark.parametrize("path", ["/etc/passwd", "http://127.0.0.1:1/a.wav"])
def test_nothing_but_an_upload_is_judged(path: str, served: Served) -> None:
    data = {"path": path, "meta": {"_type": "gradio.FileData"}}
    body = json.dumps({"data": [data], "fn_index": 0, "session_hash": "abc"}).encode()
    assert served.ask("POST", "/gradio_api/queue/join", body, Content_Type="application/json")[0] == 403


def test_uploads_have_names_of_their_own_and_a_size(served: Served) -> None:
    def upload(name: str, n_bytes: int) -> tuple[int, bytes]:
        about = f'Content-Disposition: form-data; name="files"; filename="{name}"'
        parts = f"--x\r\n{about}\r\n\r\n{'a' * n_bytes}\r\n--x--".encode()
        return served.ask("POST", "/gradio_api/upload", parts, Content_Type="multipart/form-data; boundary=x")

    status, body = upload("../../../outside.wav", 10)
    (lies,) = map(Path, json.loads(body))
    assert (status, lies.name, lies.resolve().is_relative_to(served.uploads.resolve())) == (200, "outside.wav", True)
    assert served.ask("GET", f"/gradio_api/file={lies}")[0] == 404
    lies.unlink()
    assert upload("a.wav", RULES.max_bytes + 1)[0] == 413
    assert upload("a.wav", RULES.max_bytes + 100_000)[0] == 413
    assert served.files() == []


def test_what_is_asked_for_is_kept_and_what_cannot_be_judged_is_not(reception: Reception, tmp_path: Path) -> None:
    keeping = replace(reception, rules=Rules(keep=tmp_path / "kept"))
    original = clip(reception, "real_voices")
    upload = Path(shutil.copy(original, tmp_path / "upload.flac"))
    assert "Bona fide" in keeping.answer(upload, "../my clip.flac")
    soundfile.write(upload, np.zeros(16_000), 16_000)
    assert "silent" in keeping.answer(upload, "silence.flac")
    assert not upload.exists()
    assert "no longer there" in keeping.answer(upload, "silence.flac")
    (kept,) = (tmp_path / "kept").iterdir()
    assert kept.name.endswith("-000-my clip.flac")
    assert kept.read_bytes() == original.read_bytes()


def test_an_error_of_ours_is_told_and_the_upload_is_removed(
    reception: Reception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("src.deploy.serving.reception.hear", lambda *_: {}["missing"])
    upload = Path(shutil.copy(clip(reception, "real_voices"), tmp_path / "upload.flac"))
    assert "An error within AUDIOS" in reception.answer(upload, "a.flac")
    assert "KeyError: 'missing'" in caplog.text
    assert not upload.exists()
