"""CETUC + Fake Voices: read speech in Brazilian Portuguese, and the same people spoofed.

CETUC (Alencar and Alcaim, PUC-Rio) is the bona fide side: 101 people read sentences, recorded at 16 kHz. Fake Voices is
the spoof side: the voices of 91 of them cloned by XTTS, at 24 kHz and louder. Both belong to their makers, and each has
a licence of its own; read it at the source before you use or share anything.

Addresses change. All of them are in `SOURCES`; give others with `prepare(output, sources=Sources(...))`. Everything is
downloaded to `<output>/downloads/`, which is kept and only read afterwards. A download is written to `<name>.part` and
renamed when it is complete, so that its name marks it as finished; folders that a user put there count as finished
too. Every step that is done is skipped, so that a stopped run can simply be started again.
"""

import logging
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from src.corpora.cetuc_count import CountCheck, count_corpus
from src.corpora.cetuc_downloads import BY_HAND, clone_repository, download_dataset
from src.corpora.cetuc_layout import STATE, archive_is_done, find_archives, lay_out
from src.utils.files import write_json

logger = logging.getLogger(__name__)

SPOOF_FOLDER = "fake_voices"
"""The spoofs' name among the downloads."""

Download = Callable[[str, Path], None]
"""Takes an address and a folder, and fills the folder or raises."""


@dataclass(frozen=True)
class Sources:
    """Where the corpus is downloaded from."""

    spoof_dataset: str = "unfake/fake_voices"
    """A dataset of the Hugging Face hub, owner/name: an archive, or a folder, for each person."""
    genuine_repositories: tuple[str, ...] = tuple(
        f"https://gitlab.com/fb-audio-corpora/alcaim16k-DVD{disc}de4" for disc in (1, 2, 3, 4)
    )
    """Git repositories: a folder for each person."""

    def __post_init__(self) -> None:
        names = list(map(self.folder_name, self.genuine_repositories))
        unusable = any(re.fullmatch(r"\w[\w.-]*", name) is None for name in names)
        if unusable or len({*names, SPOOF_FOLDER}) <= len(names):
            raise ValueError(
                f"The addresses of the repositories end in {', '.join(map(repr, names))}; each must end in a "
                f"folder name of its own, other than {SPOOF_FOLDER}."
            )

    @staticmethod
    def folder_name(url: str) -> str:
        """Return the name of a repository, which is the last part of its address.

        >>> Sources.folder_name("https://example.org/speech/discs-1.git/")
        'discs-1'
        """
        return re.split("[/:]", url.rstrip("/"))[-1].removesuffix(".git")


SOURCES = Sources()


@dataclass(frozen=True)
class Step:
    """One step of the preparation, and whether it is done."""

    text: str
    done: bool

    def __str__(self) -> str:
        return f"[{'done' if self.done else 'to do'}] {self.text}"


def plan(output: Path, sources: Sources = SOURCES) -> list[Step]:
    """Return the steps of `prepare` and whether each is done already; nothing is written.

    Raises
    ------
    ValueError
        When `output` is a file.
    """
    _check_output(output)
    spoofs, genuine = _download_folders(output, sources)
    steps = [
        Step(f"download the dataset {sources.spoof_dataset} of the Hugging Face hub to {spoofs}", spoofs.is_dir()),
        *(Step(f"clone {url} to {folder}", folder.is_dir()) for folder, url in genuine.items()),
    ]
    archives = find_archives(spoofs)
    n_done = sum(archive_is_done(output, archive) for archive in archives)
    how_many = f" ({n_done} of {len(archives)} archives done)" if archives else ""
    finished = _record(output).is_file() and all(step.done for step in steps)
    all_done = finished and n_done == len(archives)
    return [
        *steps,
        Step(f"link or copy the spoofs to {output / 'fake_voices'}{how_many}", all_done),
        Step(f"link or copy the bona fide clips to {output / 'real_voices'}, without the two silent ones", finished),
        Step("compare the numbers of people and clips with the published ones", all_done),
    ]


def prepare(
    output: Path,
    *,
    sources: Sources = SOURCES,
    download_spoofs: Download = download_dataset,
    clone: Download = clone_repository,
) -> CountCheck:
    """Download the corpus, arrange it in the AUDIOS layout and count it.

    Parameters
    ----------
    output : Path
        The corpus folder, created if it is missing. Nothing in it is ever overwritten.
    sources : Sources
        The addresses.
    download_spoofs, clone : Download
        The functions that download a dataset and a repository.

    Returns
    -------
    CountCheck
        The counts found and expected, and a remark on everything that was left out.

    Raises
    ------
    ConnectionError
        When a download fails.
    FileNotFoundError
        When an address no longer exists, git is missing, or no clip was found.
    ValueError
        When `output` is a file, or an archive is corrupt or unsafe.
    """
    _check_output(output)
    spoofs, genuine = _download_folders(output, sources)
    if not spoofs.is_dir():
        _fetch(download_spoofs, sources.spoof_dataset, spoofs, resumes=True)
    for folder, url in genuine.items():
        if not folder.is_dir():
            _fetch(clone, url, folder, resumes=False)
    check = count_corpus(output, lay_out(output, spoofs, list(genuine)))
    if check.clips == 0:
        why = "; ".join(check.remarks[:3]) or "no recording, no archive"
        raise FileNotFoundError(
            f"There is no clip in the downloads of {output} ({why}): the sources have changed; give other addresses, "
            f"{BY_HAND}."
        )
    write_json(_record(output), {"sources": asdict(sources), "clips": check.clips, **asdict(check)})
    return check


def _fetch(download: Download, address: str, folder: Path, *, resumes: bool) -> None:
    """Download into `<folder>.part`, then rename it; without `resumes`, what an earlier run left there is removed."""
    logger.info("Downloading %s to %s; this takes a while.", address, folder)
    part = folder.with_name(f"{folder.name}.part")
    if part.exists() and not resumes:
        shutil.rmtree(part)
    part.mkdir(parents=True, exist_ok=True)
    download(address, part)
    part.rename(folder)


def _download_folders(output: Path, sources: Sources) -> tuple[Path, dict[Path, str]]:
    """Return the folder of the spoofs, and folder -> address for the bona fide side."""
    downloads = output / "downloads"
    return downloads / SPOOF_FOLDER, {downloads / sources.folder_name(url): url for url in sources.genuine_repositories}


def _record(output: Path) -> Path:
    return output / STATE / "finished.json"


def _check_output(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output} is a file; give a folder for the corpus, which may be new.")
