"""A corpus is surveyed once, whoever does the work; the plan says what there is to do."""

import os
import pickle
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.backbones.contract import Statistics
from src.backbones.lfcc import Lfcc
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.fingerprints import take_fingerprints
from src.experiments.corpus.splits import DOWNSTREAM, SplitShares, read_split, split_dataset
from src.experiments.extraction.engines import in_one_process, on_devices, run_plan
from src.experiments.extraction.plan import make_plan
from src.experiments.extraction.readers import Length
from src.experiments.extraction.requests import Limits, Request, Share
from src.utils import store_rows
from src.utils.embeddings import layer_file, load_embeddings, read_journal
from src.utils.files import fingerprint
from tests.experiments.extraction.one_split import extract_one

REPOSITORY = Path(__file__).resolve().parents[3]
COUNTING = """
# Imported by every Python process at its start: records each header that any process reads.
import os
import src.audio.io as io

def counted(real):
    def read(path, *arguments):
        with open(os.environ["HEADERS_READ"], "a") as log:
            log.write(f"{os.getpid()} {path}\\n")
        return real(path, *arguments)
    return read

io.read_header, io.count_samples = counted(io.read_header), counted(io.count_samples)
"""
EXTRACT = """
import os, sys
from pathlib import Path
from src.experiments.corpus.splits import DOWNSTREAM
from src.experiments.extraction.engines import in_one_process, on_devices
from src.experiments.extraction.plan import make_plan
from src.experiments.extraction.requests import Limits, Request, Share

dataset, root, devices = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(",")
log = Path(os.environ["HEADERS_READ"])
for name in ("first", "second"):
    plan = make_plan(Request(dataset, DOWNSTREAM, "lfcc", limits=Limits(1.0)), root=root)
    made = on_devices(plan, devices) if len(devices) > 1 else list(in_one_process(plan))
    print(sum(each.n_computed for each in made))
    if log.exists():
        log.rename(log.with_name(name))
"""


@pytest.fixture
def dataset(make_corpus: Callable[..., Path]) -> Path:
    """Return a corpus of clips of several lengths that is split."""
    dataset = make_corpus(people=8, clips=3)
    for number, path in enumerate(sorted(dataset.rglob("*.flac"))):
        waveform, rate = soundfile.read(path)
        soundfile.write(path, np.resize(waveform, 1600 + 800 * (number % 7)), rate)
    generate_tables(dataset)
    split_dataset(dataset, SplitShares(pretext=0, train=0.5, val=0.25), seed=7)
    return dataset


def files_of(dataset: Path) -> list[str]:
    return [file for split in DOWNSTREAM for file in read_split(dataset, split)["file"]]


@pytest.mark.slow
@pytest.mark.parametrize("devices", ["cpu", "cpu,cpu,cpu"])
def test_every_header_is_read_once_by_however_many_devices(dataset: Path, tmp_path: Path, devices: str) -> None:
    (tmp_path / "counting").mkdir()
    (tmp_path / "counting" / "sitecustomize.py").write_text(COUNTING)
    path = os.pathsep.join([str(tmp_path / "counting"), str(REPOSITORY)])
    environment = {**os.environ, "PYTHONPATH": path, "HEADERS_READ": str(tmp_path / "headers")}

    command = [sys.executable, "-c", EXTRACT, str(dataset), str(tmp_path), devices]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    files = files_of(dataset)
    assert done.stdout.split() == [str(len(files)), "0"]
    read = Counter(line.partition(" ")[2] for line in (tmp_path / "first").read_text().splitlines())
    assert read == Counter(str(dataset / file) for file in files)
    assert not (tmp_path / "second").exists(), "of finished clips no header is read at all"


def test_devices_make_what_one_process_makes(dataset: Path, tmp_path: Path) -> None:
    request = Request(dataset, DOWNSTREAM, "lfcc", limits=Limits(1.0))
    single = list(in_one_process(make_plan(request, root=tmp_path / "single")))
    made = on_devices(make_plan(request, root=tmp_path), ["cpu"] * 3)
    for one, several in zip(single, made, strict=True):
        assert (one.n_clips, one.n_computed, one.n_rejected) == (
            several.n_clips, several.n_computed, several.n_rejected,
        )  # fmt: skip
        for pooling in ("mean", "std"):
            found, wanted = (load_embeddings(each.folder, pooling=pooling) for each in (several, one))
            np.testing.assert_array_equal(found.vectors, wanted.vectors)
        assert (one.folder / "meta.json").read_text() == (several.folder / "meta.json").read_text()


def test_devices_resume_what_one_process_left_unfinished(dataset: Path, tmp_path: Path) -> None:
    class Interrupted(Lfcc):
        n_left = 3

        def statistics(self, waveforms: Sequence[np.ndarray]) -> Statistics:
            self.n_left -= 1
            if self.n_left < 0:
                raise KeyboardInterrupt
            return super().statistics(waveforms)

    limits = Limits(1.0)
    with pytest.raises(KeyboardInterrupt):
        extract_one(dataset, DOWNSTREAM[0], Interrupted(), root=tmp_path, limits=limits)
    plan = make_plan(Request(dataset, [DOWNSTREAM[0]], "lfcc", limits=limits), root=tmp_path)
    (part,) = plan.splits
    done = set(read_journal(part.folder)["file"])
    assert done
    assert set(part.waiting) == set(part.lengths) == set(part.clips["file"]) - done
    (made,) = on_devices(plan, ["cpu"] * 2)
    assert (made.n_clips, made.n_computed) == (len(part.clips), len(part.waiting))
    assert read_journal(made.folder)["file"].is_unique


def test_a_store_is_compared_with_its_checksums_once_for_all_parts(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request(dataset, [DOWNSTREAM[0]], "lfcc", limits=Limits(1.0))
    (whole,) = in_one_process(make_plan(request, root=tmp_path))
    wanted, stored = load_embeddings(whole.folder).vectors, layer_file(whole.folder, 0)
    (whole.folder / "index.csv").unlink()
    stored.write_bytes(b"\xff" + stored.read_bytes()[1:])
    looks, look = [], store_rows.damaged_rows
    monkeypatch.setattr(store_rows, "damaged_rows", lambda *given: looks.append(1) or look(*given))
    plan = make_plan(request, root=tmp_path)
    (part,) = plan.splits
    assert (len(part.waiting), part.damaged) == (1, (0,))
    made = [next(in_one_process(plan.part(number, 3, "cpu"))) for number in range(3)]
    assert (sum(one.n_computed for one in made), made[-1].n_clips) == (1, len(part.clips))
    assert len(looks) == 1
    np.testing.assert_array_equal(load_embeddings(whole.folder).vectors, wanted)


def test_a_plan_says_what_waits_and_travels(dataset: Path, tmp_path: Path) -> None:
    request = Request(dataset, DOWNSTREAM[:2], "lfcc")
    plan = make_plan(request, root=tmp_path)
    clips = [read_split(dataset, split)["file"].tolist() for split in DOWNSTREAM[:2]]
    assert [list(part.waiting) for part in plan.splits] == clips
    assert plan.n_waiting == sum(map(len, clips))
    for part in plan.splits:
        assert part.fingerprints.keys() == part.lengths.keys() == set(part.waiting)
        for file, length in part.lengths.items():
            info = soundfile.info(dataset / file)
            assert length == Length(info.frames, info.samplerate)
    assert not (tmp_path / "embeddings").exists(), "a plan writes nothing"
    again = pickle.loads(pickle.dumps(plan))
    assert [part.lengths for part in again.splits] == [part.lengths for part in plan.splits]
    made = list(run_plan(again))
    assert [each.n_computed for each in made] == [len(of_split) for of_split in clips]
    after = make_plan(request, root=tmp_path)
    assert (after.n_waiting, after.needs_model) == (0, False)
    assert all(not part.lengths for part in after.splits)


def test_who_shares_the_work_with_others_measures_every_clip_of_a_split_that_is_not_finished(
    dataset: Path, tmp_path: Path
) -> None:
    """All must divide the same list of batches, whatever the others have done meanwhile."""
    limits, shares = Limits(1.0), [Share(((number, 2),)) for number in range(2)]
    extract_one(dataset, DOWNSTREAM[0], Lfcc(), root=tmp_path, limits=limits, share=shares[0])
    plan = make_plan(Request(dataset, [DOWNSTREAM[0]], "lfcc", limits=limits, share=shares[1]), root=tmp_path)
    (part,) = plan.splits
    assert 0 < len(part.waiting) < len(part.lengths) == len(part.clips)


def test_clips_too_short_or_unreadable_have_reasons(dataset: Path, tmp_path: Path) -> None:
    files = read_split(dataset, DOWNSTREAM[0])["file"]
    (dataset / files[0]).write_bytes(b"no sound")
    soundfile.write(dataset / files[1], 0.1 * np.ones(100), 8000)
    (part,) = make_plan(Request(dataset, [DOWNSTREAM[0]], "lfcc"), root=tmp_path).splits
    samples, reasons = part.samples(16_000, 320)
    assert samples.keys() == set(files[2:])
    assert reasons.keys() == set(files[:2])
    assert reasons[files[0]].startswith("unreadable")
    assert reasons[files[1]] == "too short (200 samples at 16000 Hz; a frame needs 320)"


def test_fingerprints_name_every_recording_and_count_the_missing(dataset: Path) -> None:
    files = files_of(dataset)
    found = take_fingerprints(dataset, files)
    assert list(found) == files
    assert found == {file: fingerprint(dataset / file) for file in files}
    assert len(set(found.values())) == len(files), "each is another sound"
    shutil.copy(dataset / files[0], dataset / files[1])
    assert take_fingerprints(dataset, files)[files[1]] == found[files[0]]
    for file in files[2:5]:
        (dataset / file).unlink()
    with pytest.raises(FileNotFoundError, match=f"^3 recordings .* are missing .first: {files[2]}") as caught:
        take_fingerprints(dataset, files)
    assert "\n" not in str(caught.value)


def test_a_changed_recording_is_refused_before_anything_is_loaded(dataset: Path, tmp_path: Path) -> None:
    request = Request(dataset, DOWNSTREAM, "lfcc")
    list(run_plan(make_plan(request, root=tmp_path)))
    file = read_split(dataset, DOWNSTREAM[1])["file"][0]
    soundfile.write(dataset / file, np.sin(np.arange(5000)), 16_000)
    with pytest.raises(ValueError, match=f"^1 recordings changed since .* was made .first: {file}"):
        make_plan(request, root=tmp_path)


def test_rows_that_were_damaged_while_unfinished_wait_again(dataset: Path, tmp_path: Path) -> None:
    request = Request(dataset, [DOWNSTREAM[0]], "lfcc")
    (made,) = run_plan(make_plan(request, root=tmp_path))
    intact = load_embeddings(made.folder).vectors
    (made.folder / "index.csv").unlink()
    with (made.folder / "layers" / "layer-00.f32").open("r+b") as file:
        file.write(b"\0\0\0\0")
    plan = make_plan(request, root=tmp_path)
    first = read_journal(made.folder)["file"][0]
    assert plan.splits[0].waiting == (first,)
    (again,) = run_plan(plan)
    assert again.n_computed == 1
    np.testing.assert_array_equal(load_embeddings(made.folder).vectors, intact)
