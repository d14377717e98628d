"""Download the CETUC + Fake Voices corpus from the Hugging Face hub and with git.

Both functions take an address and a folder, and fill that folder or raise an error of one line. Their caller decides
when a download is finished and what becomes of an unfinished one; tests replace both functions.
"""

import os
import subprocess
from pathlib import Path

BY_HAND = 'or prepare the folder yourself (DatasetPreparation.md, "By hand")'


def download_dataset(dataset: str, folder: Path) -> None:
    """Download a dataset repository of the Hugging Face hub; files that are already there are kept.

    Raises
    ------
    ConnectionError
        When the hub cannot be reached, or the download stops; the next run resumes it.
    FileNotFoundError
        When the hub has no such dataset, or this user may not see it.
    ValueError
        When `dataset` is not of the form owner/name.
    """
    from httpx2 import HTTPError  # raised by huggingface_hub's HTTP client on a lost connection
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        # Asked first because snapshot_download, where it cannot reach the hub, returns a half-filled folder as it is.
        info = HfApi().dataset_info(dataset)
        snapshot_download(dataset, repo_type="dataset", revision=info.sha, local_dir=folder)
    except HFValidationError as error:
        raise ValueError(f"{dataset!r} is not a dataset of the Hugging Face hub; give owner/name.") from error
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"The Hugging Face hub has no dataset {dataset} that you may see: look at "
            f"https://huggingface.co/datasets/{dataset}, log in with `hf auth login` if needed, give another address, "
            f"{BY_HAND}."
        ) from error
    except OfflineModeIsEnabled as error:
        raise ConnectionError(
            f"The dataset {dataset} cannot be downloaded while HF_HUB_OFFLINE is set: unset it, {BY_HAND}."
        ) from error
    except (HTTPError, LocalEntryNotFoundError, RuntimeError) as error:
        raise ConnectionError(
            f"The download of the dataset {dataset} stopped ({_one_line(repr(error))}): check the connection and run "
            f"again (finished files are kept), {BY_HAND}."
        ) from error
    missing = [file.rfilename for file in info.siblings or [] if not (folder / file.rfilename).is_file()]
    if missing:
        raise ConnectionError(
            f"The download of the dataset {dataset} ended without {len(missing)} of its files, such as {missing[0]}: "
            f"run again, {BY_HAND}."
        )


def clone_repository(url: str, folder: Path) -> None:
    """Clone the newest state of a git repository into a new folder, with the `git` command.

    Raises
    ------
    ConnectionError
        When git ends with an error; the message quotes git.
    FileNotFoundError
        When git is not installed.
    """
    command = ["git", "clone", "--quiet", "--depth=1", "--", url, str(folder)]
    # Without a prompt, git fails on a repository that no longer exists instead of waiting for a password.
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        result = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise FileNotFoundError(f"There is no git command to clone {url}: install git, {BY_HAND}.") from error
    if result.returncode != 0:
        words = _one_line(result.stderr) or f"git ended with code {result.returncode}"
        raise ConnectionError(f"{url} could not be cloned ({words}): check the address and run again, {BY_HAND}.")


def _one_line(words: str) -> str:
    return " ".join(words.replace("\\n", " ").split())[:300]
