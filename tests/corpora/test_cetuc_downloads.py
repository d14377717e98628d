"""The downloads: a real clone of a repository made here, and the ways in which the hub fails."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from src.corpora import cetuc_downloads
from src.corpora.cetuc_downloads import clone_repository, download_dataset


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture
def repository(tmp_path: Path) -> str:
    """A bare git repository with two commits of one speaker."""
    work, bare = tmp_path / "work", tmp_path / "discs.git"
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run([*git, "init", "-q", work], check=True)
    for k in range(2):
        write_files(work, {f"Ana_F001/F001-000{k}.wav": b"a" * k})
        subprocess.run([*git, "-C", work, "add", "."], check=True)
        subprocess.run([*git, "-C", work, "commit", "-q", "-m", str(k)], check=True)
    subprocess.run([*git, "clone", "-q", "--bare", work, bare], check=True)
    return bare.as_uri()


def test_a_real_clone_is_shallow_and_complete(repository: str, tmp_path: Path) -> None:
    discs = tmp_path / "discs"
    clone_repository(repository, discs)
    log = subprocess.run(["git", "-C", discs, "log", "--oneline"], check=True, capture_output=True, text=True)
    assert len(log.stdout.splitlines()) == 1
    names = [path.name for path in sorted((discs / "Ana_F001").iterdir())]
    assert names == ["F001-0000.wav", "F001-0001.wav"]


def test_a_clone_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionError, match=r"gone\.git could not be cloned \(fatal: .*not.*\): check") as caught:
        clone_repository((tmp_path / "gone.git").as_uri(), tmp_path / "clone")
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no git command .* install git"):
        clone_repository("https://example.org/x", tmp_path / "clone")


def test_the_hub_offline_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    # A half-filled folder must not be taken for the dataset, as it does with snapshot_download alone.
    write_files(tmp_path, {"half.zip": b""})
    with pytest.raises(ConnectionError, match=r"HF_HUB_OFFLINE is set: unset it, or .*DatasetPreparation") as caught:
        download_dataset("unfake/fake_voices", tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="give owner/name"):
        download_dataset("not a name/at/all", tmp_path)


def test_the_hub_out_of_reach_or_without_the_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx2
    import huggingface_hub
    from huggingface_hub.errors import RepositoryNotFoundError

    request = httpx2.Request("GET", "https://hub.example.org")
    gone = RepositoryNotFoundError("404\nnot here", response=httpx2.Response(404, request=request))
    for error, kind, match in [
        (
            httpx2.ConnectError("[Errno 111]\nConnection refused"),
            ConnectionError,
            "ConnectError.*run again",
        ),
        (gone, FileNotFoundError, "no dataset a/b .*look at https://huggingface.co/datasets/a/b"),
    ]:

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", fail)
        with pytest.raises(kind, match=match) as caught:
            download_dataset("a/b", tmp_path)
        assert "\n" not in str(caught.value)


def test_the_hub_is_asked_for_one_revision_and_every_file_must_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    files = [SimpleNamespace(rfilename=name) for name in ("one.zip", "more/two.zip")]
    info = SimpleNamespace(sha="0" * 40, siblings=files)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_: info)

    def snapshot(dataset: str, *, repo_type: str, revision: str, local_dir: Path) -> None:
        assert (dataset, repo_type, revision) == ("a/b", "dataset", info.sha)
        write_files(local_dir, {"one.zip": b"1"})

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(ConnectionError, match=r"without 1 of its files, such as more/two\.zip: run again"):
        download_dataset("a/b", tmp_path)
    write_files(tmp_path, {"more/two.zip": b"2"})
    download_dataset("a/b", tmp_path)


def test_every_error_that_sends_to_the_guide_names_a_heading_of_it() -> None:
    guide = Path(__file__).parents[2] / "DatasetPreparation.md"
    assert "By hand" in cetuc_downloads.BY_HAND
    assert "\n## By hand\n" in guide.read_text(encoding="utf-8")
