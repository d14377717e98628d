"""The preparation of CETUC + Fake Voices, with small stand-ins for its sources."""

import contextlib
import functools
import io
import itertools
import os
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from src.corpora import cetuc_fake_voices, cetuc_layout
from src.corpora.audios import read_layout
from src.corpora.cetuc_count import CountCheck
from src.corpora.cetuc_fake_voices import SOURCES, Sources, plan, prepare

Files = dict[str, bytes]

GENUINE: dict[str, Files] = {
    "alcaim16k-DVD1de4": {"Ana_F001/F001-0000.wav": b"a0", "Ana_F001/F001-0001.WAV": b"a1", "Ana_F001/0.txt": b"text"},
    "alcaim16k-DVD2de4": {"M002/M002-0000.wav": b"b0", "README.md": b"about"},
    "alcaim16k-DVD3de4": {"x/cetuc-F003-wav/F003-0000.wav": b"c0", "Marta_F009/F009-0149.wav": b"m0"},
    "alcaim16k-DVD4de4": {
        "Juliana_F028/F028-0914.wav": b"mute",
        "Juliana_F028/F028-0915.wav": b"j1",
        "F009/F009-0150.wav": b"mute",
        "M051/M051-0000.wav": b"d0",
        "extras/tone.wav": b"tone",
    },
}
EXPECTED: Files = {
    "real_voices/Ana_F001/F001-0000.wav": b"a0",
    "real_voices/Ana_F001/F001-0001.wav": b"a1",
    "real_voices/Bruno_M002/M002-0000.wav": b"b0",
    "real_voices/Clara_F003/F003-0000.wav": b"c0",
    "real_voices/Marta_F009/F009-0149.wav": b"m0",
    "real_voices/Juliana_F028/F028-0915.wav": b"j1",
    "real_voices/Speaker_M051/M051-0000.wav": b"d0",
    "fake_voices/Ana_F001_Fake/0_fake.wav": b"fa0",
    "fake_voices/Ana_F001_Fake/1_fake.wav": b"fa1",
    "fake_voices/Bruno_M002_Fake/0_fake.wav": b"fb0",
    "fake_voices/Clara_F003_Fake/0_fake.wav": b"fc0",
    "fake_voices/Marta_F009_Fake/0_fake.wav": b"fm0",
}


def write_files(folder: Path, files: Files) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def write_archive(path: Path, files: Files) -> None:
    write_files(path.parent, {path.name: packed(path.suffix, tuple(files.items()))})


@functools.cache
def packed(suffix: str, files: tuple[tuple[str, bytes], ...]) -> bytes:
    """Make an archive, once: it holds the time, and runs are compared byte by byte."""
    buffer = io.BytesIO()
    if suffix == ".zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in files:
                archive.writestr(name, content)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def spoofs(dataset: str, folder: Path) -> None:
    """Fill a folder with every form a speaker may come in: clips alone, in a folder, two people, no archive at all."""
    assert dataset == SOURCES.spoof_dataset
    write_archive(folder / "Ana_F001_Fake.zip", {"0_fake.wav": b"fa0", "1_fake.wav": b"fa1", "__MACOSX/._0.wav": b"x"})
    write_archive(
        folder / "more" / "two.tar.gz", {"F009_Fake/0_fake.wav": b"fm0", "Bruno_M002_Fake/0_fake.wav": b"fb0"}
    )
    write_files(folder, {"Clara_F003_Fake/0_fake.wav": b"fc0", ".cache/x/F001.wav": b"hidden", "README.md": b"about"})


def clone(url: str, folder: Path) -> None:
    write_files(folder, GENUINE[url.rsplit("/", 1)[1]])


def run(output: Path, **changes: Any) -> CountCheck:
    return prepare(output, **{"download_spoofs": spoofs, "clone": clone, **changes})


def tree(folder: Path) -> Files:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b"(folder)"
        for path in folder.rglob("*")
    }


def voices(output: Path) -> Files:
    """Return the clips of the prepared corpus."""
    return {
        name: data
        for name, data in tree(output).items()
        if "_voices/" in name.split("downloads")[0] and data != b"(folder)"
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, CountCheck]:
    """What an uninterrupted run leaves and reports."""
    output = tmp_path_factory.mktemp("whole") / "release"
    check = run(output)
    return tree(output), check


def test_every_clip_goes_to_its_person(tmp_path: Path) -> None:
    check = run(tmp_path)
    assert voices(tmp_path) == EXPECTED
    assert (check.people, check.spoofed_people, check.genuine_clips, check.spoof_clips) == (6, 4, 7, 5)
    assert check.without_spoofs == ("Juliana_F028", "Speaker_M051")
    assert check.remarks == (
        "downloads/alcaim16k-DVD4de4/extras: 1 clips left out, no speaker id such as F028 in the folder's name",
    )
    table = read_layout(tmp_path).files
    assert len(table) == check.clips
    assert set(table.loc[table["label"] == "spoof", "speaker"]) <= set(
        table.loc[table["label"] == "bona-fide", "speaker"]
    )


def test_downloads_are_kept_and_only_read(tmp_path: Path) -> None:
    before: Files = {}

    def last_clone(url: str, folder: Path) -> None:
        clone(url, folder)
        if url == SOURCES.genuine_repositories[-1]:
            before.update(tree(tmp_path / "downloads"))

    run(tmp_path, clone=last_clone)
    after = {name.replace(".part", ""): data for name, data in before.items()}
    assert tree(tmp_path / "downloads") == after
    assert after["alcaim16k-DVD4de4/Juliana_F028/F028-0914.wav"] == b"mute"


def test_a_second_run_fetches_and_changes_nothing(tmp_path: Path, whole: tuple[Files, CountCheck]) -> None:
    run(tmp_path)

    def never(*_: object) -> None:
        raise AssertionError("fetched or extracted again")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cetuc_layout, "extract_archive", never)
        patch.setattr(cetuc_layout, "_put", never)
        assert run(tmp_path, download_spoofs=never, clone=never) == whole[1]
    assert tree(tmp_path) == whole[0]


def test_copies_where_the_disk_has_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: tuple[Files, CountCheck]
) -> None:
    monkeypatch.setattr(os, "link", no_links)
    assert run(tmp_path) == run(tmp_path) == whole[1]
    assert tree(tmp_path) == whole[0]
    assert (tmp_path / "real_voices/Ana_F001/F001-0000.wav").stat().st_nlink == 1


def no_links(*_: object) -> None:
    raise OSError(1, "Operation not permitted")


class Interrupter:
    """Stops the run at its n-th touch of the disk."""

    def __init__(self, patch: pytest.MonkeyPatch, stop_at: int) -> None:
        self.n_touches, self.stop_at = 0, stop_at
        for owner, name in [
            (os, "link"),
            (Path, "rename"),
            (Path, "replace"),
            (Path, "mkdir"),
            (Path, "write_bytes"),
            (shutil, "copy2"),
            (shutil, "rmtree"),
            (cetuc_layout, "extract_archive"),
        ]:
            patch.setattr(owner, name, self.wrap(getattr(owner, name)))

    def wrap(self, function: Any) -> Any:
        def touch(*args: Any, **options: Any) -> Any:
            self.n_touches += 1
            if self.n_touches == self.stop_at:
                if function.__name__ == "copy2":
                    Path(args[1]).touch()
                raise KeyboardInterrupt
            return function(*args, **options)

        return touch


@pytest.mark.slow
@pytest.mark.parametrize("has_links", [True, False])
def test_a_run_stopped_anywhere_and_run_again_ends_the_same(
    tmp_path: Path, whole: tuple[Files, CountCheck], has_links: bool
) -> None:
    for stop_at in itertools.count(1):
        output = tmp_path / str(stop_at)
        with pytest.MonkeyPatch.context() as patch:
            if not has_links:
                patch.setattr(os, "link", no_links)
            interrupter = Interrupter(patch, stop_at)
            with contextlib.suppress(KeyboardInterrupt):
                run(output)
        assert run(output) == whole[1], stop_at
        assert tree(output) == whole[0], stop_at
        if interrupter.n_touches < stop_at:
            break
    assert stop_at > 60


def test_an_unfinished_clone_is_made_again_and_an_unfinished_dataset_continued(tmp_path: Path) -> None:
    def half(address: str, folder: Path) -> None:
        write_files(folder, {"left/over.txt": b"half"})
        raise ConnectionError("the line went dead")

    def rest(address: str, folder: Path) -> None:
        assert tree(folder) == {"left": b"(folder)", "left/over.txt": b"half"}
        spoofs(address, folder)

    with pytest.raises(ConnectionError, match="went dead"):
        run(tmp_path, download_spoofs=half)
    with pytest.raises(ConnectionError, match="went dead"):
        run(tmp_path, download_spoofs=rest, clone=half)
    assert [path.name for path in sorted((tmp_path / "downloads").iterdir())] == [
        "alcaim16k-DVD1de4.part",
        "fake_voices",
    ]
    run(tmp_path)
    assert not list(tmp_path.glob("downloads/alcaim*/left"))
    assert voices(tmp_path) == EXPECTED


def test_the_plan_says_what_is_done_and_writes_nothing(tmp_path: Path) -> None:
    output = tmp_path / "release"
    steps = plan(output)
    assert [step.done for step in steps] == [False] * 8
    assert all(any(url in step.text for step in steps) for url in SOURCES.genuine_repositories)
    assert str(steps[0]).startswith("[to do] download the dataset unfake/fake_voices")
    assert not output.exists()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cetuc_fake_voices, "count_corpus", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(output)
    before = tree(output)
    assert [step.done for step in plan(output)] == [True] * 5 + [False] * 3
    assert "2 of 2 archives done" in plan(output)[5].text
    assert tree(output) == before

    run(output)
    assert all(step.done for step in plan(output))
    write_archive(output / "downloads/fake_voices/Davi_M004_Fake.zip", {"0_fake.wav": b"fd0"})
    assert "2 of 3 archives done" in str(plan(output)[5])
    assert [step.done for step in plan(output)[5:]] == [False, True, False]


def test_an_archive_that_comes_later_or_changes_is_extracted_then(tmp_path: Path) -> None:
    run(tmp_path)
    late = tmp_path / "downloads/fake_voices/Davi_M051_Fake.tgz"
    write_archive(late, {"a/0_fake.wav": b"fd0"})
    check = run(tmp_path)
    assert (tmp_path / "fake_voices/Davi_M051_Fake/0_fake.wav").read_bytes() == b"fd0"
    assert "real_voices: M051 has 2 folders; keep one" in check.remarks
    write_archive(late, {"a/0_fake.wav": b"fd0", "a/1_fake.wav": b"fd1"})
    assert run(tmp_path).spoof_clips == check.spoof_clips + 1


def test_a_damaged_archive_stops_the_run_and_a_good_one_finishes_it(tmp_path: Path) -> None:
    def damaged(address: str, folder: Path) -> None:
        spoofs(address, folder)
        (folder / "Ana_F001_Fake.zip").write_bytes(b"<html>")

    with pytest.raises(ValueError, match=r"Ana_F001_Fake\.zip is corrupt .* download it again"):
        run(tmp_path, download_spoofs=damaged)
    spoofs(SOURCES.spoof_dataset, tmp_path / "downloads" / "fake_voices")
    run(tmp_path)
    assert voices(tmp_path) == EXPECTED


def test_a_corpus_without_a_clip_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no clip in the downloads .*DatasetPreparation") as caught:
        run(tmp_path, download_spoofs=lambda *_: None, clone=lambda *_: None)
    assert "\n" not in str(caught.value)


def test_output_and_sources_are_checked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for function in (plan, run):
        with pytest.raises(ValueError, match="is a file"):
            function(tmp_path / "file")
    for urls in (("a/one", "b/one.git"), ("https://example.org/fake_voices",), ("a/..",), ("",)):
        with pytest.raises(ValueError, match="repositories end in "):
            Sources(genuine_repositories=urls)
