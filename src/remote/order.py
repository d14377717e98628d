"""The words of a task that is to run on a host: what they are there, and what the task needs of what lies here.

A path means the same file on the host: what lies within the project keeps its place, another corpus goes to
`datasets/<its name>`, any other file or folder below `.remote/sent/`. A task needs what its flags name: corpora, files
and folders, runs, and the embedding stores of its backbones.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from src.utils.files import text_digest
from src.utils.paths import absolute, corpus_folder, runs_folder

CORPORA = ("dataset", "datasets")
RUNS = ("run", "runs", "resume", "distill_from")
PATHS_OR_NAMES = ("model", "models", "teacher", "augment", "recipe", "files")
"""Flags of text that may name files or folders; what is not there stays as it is, for it is another kind of name."""
SHARES = ("shard", "num_shards")
BATCH, BATCH_SECONDS = "batch_seconds", 64
"""Shares are dealt in batches, whose size a host would choose by its own memory: several hosts are told one size."""
Flags = Mapping[str, Mapping[str, str]]
"""Task -> its flags -> "path", "path or none", "switch" or "text"."""


@dataclass(frozen=True)
class Order:
    """A task as it runs on a host, and what it needs there: path there -> path here."""

    words: tuple[str, ...]
    corpora: Mapping[str, Path] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    """Other files and folders that flags name."""
    runs: Mapping[str, Path] = field(default_factory=dict)
    backbones: tuple[str, ...] = ()
    """Empty where no flag names one."""
    can_be_shared: bool = False
    """Whether several hosts can each do a part of it."""
    of_shares: tuple[str, ...] = ()
    """Words that each part of it has as well."""

    @property
    def name(self) -> str:
        """What the task is called on a host: the same words are the same task."""
        return text_digest("\0".join(self.words))[:16]

    def share(self, number: int, count: int) -> "Order":
        """Return the part of one of `count` hosts.

        Raises
        ------
        ValueError
            When there are several, and the task cannot be shared.
        """
        if count == 1:
            return self
        if not self.can_be_shared:
            raise ValueError(
                f"{self.words[0]} cannot be shared by {count} hosts: only tasks with the flags --shard= and "
                "--num-shards= can, and these are given by Remote itself. Name one host."
            )
        return replace(self, words=(*self.words, *self.of_shares, f"--shard={number}", f"--num-shards={count}"))

    def stores(self, root: Path) -> dict[str, Path]:
        """Return the folders of the embedding stores that it may need: folder there -> folder here.

        Each holds a store for every split. They are those of the backbones that flags name; runs may need any.
        """
        found = {}
        for there, dataset in self.corpora.items():
            here = corpus_folder(root, dataset)
            stored = [path.name for path in here.glob("[!.]*") if path.is_dir()] if self.runs else []
            for backbone in self.backbones or stored:
                found[f"embeddings/{Path(there).name}/{backbone}"] = here / backbone
        return found


def read_order(text: str, flags: Flags, root: Path) -> Order:
    """Read what was typed as `task`: a task and its flags, each as --flag=value or, for a switch, --flag.

    Parameters
    ----------
    text : str
    flags : mapping
        The tasks that there are, and their flags.
    root : Path
        Folder of datasets/, embeddings/ and runs/ here.

    Raises
    ------
    ValueError
        When it is not a task with flags of its own, or names paths that have no place on a host.
    FileNotFoundError
        When a corpus is missing.
    """
    try:
        task, *typed = shlex.split(text) or [""]
    except ValueError as error:
        raise ValueError(f"`task` cannot be read ({error}): {text}") from None
    if task not in flags:
        what = f"there is no task '{task}'; fab -l lists them" if task else "name it"
        raise ValueError(f"What shall run there? {what}: `task='GenerateEmbeddings --backbone=wav2vec2'`.")
    given = dict(_flag(word, task, flags[task]) for word in typed)
    corpora, inputs, words = dict[str, Path](), dict[str, Path](), [task]
    for name, value in given.items():
        places = _places(name, flags[task][name], value, root)
        for typed_path, there in places.items():
            _add(corpora if name in CORPORA else inputs, there, absolute(typed_path))
        equals = "" if flags[task][name] == "switch" else f"={','.join(places.values()) or value}"
        words.append(f"--{name.replace('_', '-')}{equals}")
    release = root / "datasets" / "release"
    if flags[task].get("dataset") in ("path", "text") and not given.get("dataset") and release.is_dir():
        corpora["datasets/release"] = release
    return Order(
        tuple(words),
        corpora,
        {there: here for there, here in inputs.items() if here.exists()},
        _runs(given, root),
        tuple(name for name in given.get("backbone", "").split("+") if name),
        set(SHARES) <= flags[task].keys() and not set(SHARES) & given.keys(),
        (f"--batch-seconds={BATCH_SECONDS}",) if BATCH in flags[task] and BATCH not in given else (),
    )


def _flag(word: str, task: str, flags: Mapping[str, str]) -> tuple[str, str]:
    """Return the name and the value of a flag."""
    typed, equals, value = word.partition("=")
    name = typed[2:].replace("-", "_")
    if not typed.startswith("--") or name not in flags:
        raise ValueError(f"{task} has no flag '{word}'; fab -h {task} explains those that it has.")
    if equals and flags[name] == "switch":
        raise ValueError(f"--{name.replace('_', '-')} of {task} is a switch, which takes no value: not '{word}'.")
    if not equals and flags[name] != "switch":
        raise ValueError(
            f"Write flags of `task` with their values, --{name.replace('_', '-')}=...; not '{word}' alone."
        )
    return name, value


def _places(flag: str, kind: str, value: str, root: Path) -> dict[str, str]:
    """Return the paths that a flag may name, each with its place on the host; none for a flag that names none."""
    if kind.startswith("path"):
        return {value: _place(flag, value, root)} if value else {}
    several = flag in (*CORPORA, *PATHS_OR_NAMES)
    return {path: _place(flag, path, root) for path in value.split(",") if path} if several else {}


def _place(flag: str, typed: str, root: Path) -> str:
    """Return the path on the host of what a flag names, relative to the folder of the project there."""
    here = absolute(typed)
    if flag in CORPORA and not here.is_dir():
        raise FileNotFoundError(f"There is no corpus {here} to send: name its folder here by --{flag}= of the task.")
    if flag in PATHS_OR_NAMES and not here.exists():
        return typed
    if here.is_relative_to(root):
        return here.relative_to(root).as_posix()
    if flag in CORPORA:
        return f"datasets/{here.name}"
    if not here.exists():
        raise ValueError(
            f"{here} lies outside of the project, where a host has no place for it; name a path in {root}."
        )
    return f".remote/sent/{text_digest(str(here))[:8]}/{here.name}"


def _add(places: dict[str, Path], there: str, here: Path) -> None:
    """Add a place on the host, for one path here alone."""
    if places.setdefault(there, here) != here:
        raise ValueError(f"{places[there]} and {here} would both be {there} on the host: rename one of the folders.")


def _runs(given: Mapping[str, str], root: Path) -> dict[str, Path]:
    """Return the folders of the runs that flags name; that of a study for any of its trials."""
    named = [name.strip() for flag in RUNS for name in given.get(flag, "").split(",")]
    folders = {name.split("/")[0] for name in named if name}
    return {f"runs/{name}": runs_folder(root) / name for name in sorted(folders) if (runs_folder(root) / name).is_dir()}
