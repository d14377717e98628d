"""The commands that follow on from a run, for errors and pages that say what to do next.

They can be pasted into a shell as they are, wherever the corpus lies.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from src.detectors import DETECTORS
from src.experiments.runs.names import RunName, StudyName
from src.utils.processes import n_processes


def corpus_of(inputs: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    """Return where the corpus of a run lies, as its user named it; runs of the first edition noted its name alone.

    >>> corpus_of({"corpus": "mini"}, {"data": {"corpus": {"path": "/data/mini"}}})
    '/data/mini'
    >>> corpus_of({"corpus": "mini"}, {})
    'datasets/mini'
    """
    data = provenance.get("data")
    corpus = data.get("corpus") if isinstance(data, Mapping) else None
    path = corpus.get("path") if isinstance(corpus, Mapping) else None
    return path if isinstance(path, str) and path else f"datasets/{inputs.get('corpus', 'CORPUS')}"


def how_to_train(model: str, takes: str) -> str:
    """Return the command that trains a model of this name, which takes this kind of input; its corpus is left open.

    >>> how_to_train("lcnn", "waveforms")
    'fab TrainDetector --detector=lcnn'
    """
    if takes == "scores":
        return "fab FuseRuns"
    return _command(_trainer({"input": takes}), {"detector" if takes == "waveforms" else "classifier": model})


def how_to_train_again(inputs: Mapping[str, Any], hyperparameters: Path, corpus: str | None = None) -> str:
    """Return the command that trains a run again from the file that holds its inputs.

    >>> inputs = {"corpus": "mini", "backbone": "lfcc", "classifier": "svm", "seed": 7}
    >>> how_to_train_again(inputs, Path("h.json"))
    'fab TrainModel --dataset=datasets/mini --backbone=lfcc --classifier=svm --seed=7 --hyperparameters=h.json'
    """
    if inputs.get("input") == "scores":
        return how_to_fuse(inputs)
    flags = {"dataset": corpus or corpus_of(inputs, {}), **_model(inputs)}
    flags |= {"seed": inputs["seed"]} if "seed" in inputs else {}
    return _command(_trainer(inputs), flags | {"hyperparameters": hyperparameters})


def how_to_fuse(inputs: Mapping[str, Any]) -> str:
    """Return the command that makes a fusion of runs, from the inputs of one.

    >>> how_to_fuse({"input": "scores", "runs": ["run0", "svm_study0/run3"], "method": "mean"})
    'fab FuseRuns --runs=run0,svm_study0/run3 --method=mean'
    """
    runs, method = inputs.get("runs"), inputs.get("method")
    named = ",".join(map(str, runs)) if isinstance(runs, list | tuple) else "RUNS"
    return _command("FuseRuns", {"runs": named} | ({"method": method} if method else {}))


def how_to_test(name: RunName, split: str = "", dataset: str = "") -> str:
    """Return the command that tests a run: on its usual test, or on another split or corpus.

    >>> how_to_test(RunName.parse("svm_study0/run3"), dataset="datasets/a b")
    "fab TestModel --run=svm_study0/run3 --dataset='datasets/a b'"
    """
    flags = {"run": name, "split": split, "dataset": dataset}
    return _command("TestModel", {flag: value for flag, value in flags.items() if value})


def how_to_resume_training(name: RunName) -> str:
    """Return the command that resumes the training of a detector.

    >>> how_to_resume_training(RunName.parse("run3"))
    'fab TrainDetector --resume=run3'
    """
    return _command("TrainDetector", {"resume": name})


def launched(command: str) -> str:
    """Return a command as it is started again where a launcher has started this process, among several.

    >>> launched("fab TrainDetector --resume=run3")
    'fab TrainDetector --resume=run3'
    """
    here = int(os.environ.get("LOCAL_WORLD_SIZE", n_processes()))
    if n_processes() == 1:
        return command
    task = command.removeprefix("fab ")
    if here == n_processes():
        return f"torchrun --nproc-per-node={here} -m fabric {task}"
    return f"the same torchrun on every machine, with {task}"


def how_to_search(model: str) -> str:
    """Return the command that begins a study of a model; its corpus and backbone are left open.

    >>> how_to_search("svm"), how_to_search("lcnn")
    ('fab OptimizeHyperparameters --classifier=svm', 'fab OptimizeHyperparameters --detector=lcnn')
    """
    return _command("OptimizeHyperparameters", {"detector" if model in DETECTORS else "classifier": model})


def how_to_resume(study: StudyName, dataset: str, inputs: Mapping[str, Any]) -> str:
    """Return the command that resumes a study.

    >>> how_to_resume(StudyName("svm", 2), "datasets/mini", {"backbone": "lfcc"})
    'fab OptimizeHyperparameters --dataset=datasets/mini --backbone=lfcc --classifier=svm --study-number=2'
    """
    flags = {"dataset": dataset, **_model({**inputs, "classifier": study.classifier})}
    return _command("OptimizeHyperparameters", flags | {"study-number": study.number})


def next_command(name: RunName, inputs: Mapping[str, Any], corpus: str, *, finished: bool) -> str:
    """Return the command that tests a finished run, or trains an unfinished one again; that of a detector is resumed.

    >>> next_command(RunName.parse("run3"), {"backbone": "lfcc", "classifier": "svm"}, "datasets/a b", finished=False)
    "fab TrainModel --dataset='datasets/a b' --backbone=lfcc --classifier=svm"
    >>> next_command(RunName.parse("run3"), {"input": "waveforms", "classifier": "lcnn"}, "datasets/a", finished=False)
    'fab TrainDetector --resume=run3'
    """
    if finished:
        return how_to_test(name)
    if name.study:
        return how_to_resume(name.study, corpus, inputs)
    if inputs.get("input") == "scores":
        return how_to_fuse(inputs)
    if inputs.get("input") == "waveforms":
        return how_to_resume_training(name)
    return _command(_trainer(inputs), {"dataset": corpus, **_model(inputs)})


def _trainer(inputs: Mapping[str, Any]) -> str:
    """Return the task that trains models on this kind of input."""
    return "TrainDetector" if inputs.get("input") == "waveforms" else "TrainModel"


def _model(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that name a model and its input; placeholders where they are unknown."""
    name = inputs.get("classifier")
    if inputs.get("input") == "waveforms":
        return {"detector": name or "DETECTOR"}
    is_embeddings = inputs.get("input", "embeddings") == "embeddings"
    backbone = {"backbone": inputs.get("backbone") or "BACKBONE"} if is_embeddings else {}
    return {**backbone, "classifier": name or "CLASSIFIER"}


def _command(task: str, flags: Mapping[str, Any]) -> str:
    return " ".join(["fab", task, *(f"--{flag}={quote(str(value))}" for flag, value in flags.items())])
