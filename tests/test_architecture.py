"""The rules of the house that a reader cannot check by eye: imports point down, and nothing forbidden lies anywhere.

Every file under `src` is parsed, none is imported. Each rule is shown lines that break it, so that none can sleep.
"""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = {
    "tasks": 6,
    "deploy": 5,
    "experiments": 4,
    "detectors": 3,
    "pretraining": 3,
    "learning": 2,
    "backbones": 2,
    "models": 2,
    "corpora": 2,
    "engines": 2,
    "remote": 2,
    "utils": 1,
    "visualize": 1,
    "audio": 0,
    "metrics": 0,
}
"""A room imports from rooms on lower floors, and from itself."""
FACE, FACE_ROOM = "src/__init__.py", "tasks"
"""What notebooks see; it stands beside the tasks, above all other rooms."""
STAGES = {
    "corpus": 0,
    "runs": 1,
    "inputs": 2,
    "extraction": 3,
    "training": 3,
    "studies": 4,
    "evaluation": 4,
    "pretraining": 5,
    "report": 6,
}
"""The sub-rooms of experiments/, by the same rule; what lies beside them (the whole chain) imports from all of them."""

DECODING_FILES = tuple(
    f"src/audio/{name}.py"
    for name in ("io", "by_libsndfile", "by_ffmpeg", "mpeg_decoder", "vocoders/speech_codecs", "augment/coding")
)
DECODERS = {"soundfile", "av", "audioread", "wave", "aifc", "torchaudio", "torchcodec", "pydub", "scipy.io.wavfile"}
DECODING_CALLS = {"librosa.load", "librosa.stream", "librosa.core.load"}
PRINTING = ("src/tasks/command_line.py", "src/tasks/")
"""The first passes warnings on to whoever typed the task."""
RANDOMNESS = "src/learning/randomness.py"
"""Seeds every global generator for a training of transformers' Trainer, and puts their states back."""
SEEDING_ROOM = ("src/models/mlp/", "src/backbones/random_weights.py", RANDOMNESS)
"""PyTorch draws from global state alone; all seed it inside fork_rng, which puts it back: the MLP for its training, the
second to make a model of random weights, which has to be the same each time that a store is resumed."""
SEEDING_CALLS = {
    "torch.manual_seed",
    "torch.random.manual_seed",
    "torch.cuda.manual_seed",
    "torch.cuda.manual_seed_all",
}
RUNS_CODE_WHEN_LOADED = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}
PICKLING_CALLS = {"joblib.dump", "joblib.load", "torch.save", "torch.load", "pandas.read_pickle"}
OWN_GENERATORS = {"default_rng", "Generator", "SeedSequence", "RandomState", "PCG64", "BitGenerator"}

FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "src").rglob("*.py"))
Rule = Callable[[ast.Module, str], Iterator[str]]


@cache
def parsed(file: str) -> ast.Module:
    """Return the tree of a file of the project, which no rule changes."""
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def imports(tree: ast.Module, file: str) -> Iterator[str]:
    """Yield the dotted name of everything that a file imports, wherever it does, and of what its tables point to."""
    package = file.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and re.fullmatch(r"src(\.\w+)+:\w+", str(node.value)):
            yield str(node.value).replace(":", ".")


def calls(tree: ast.Module, file: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield every call with the full dotted name of what is called: `np.load` is `numpy.load`."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            head, dot, rest = ast.unparse(node.func).partition(".")
            yield names.get(head, head) + dot + rest, node


def imports_point_down(tree: ast.Module, file: str) -> Iterator[str]:
    room = FACE_ROOM if file == FACE else file.split("/")[1]
    for name in imports(tree, file):
        top, _, below = name.partition(".")
        other = below.split(".")[0]
        if top in ("fabfile", "tests") or (top == "src" and other not in FLOORS):
            yield f"imports {name}, which is no room"
        elif top == "src" and other != room and FLOORS[other] >= FLOORS.get(room, 0):
            yield f"imports {name}: {other}/ is not below {room}/"


def stages_point_down(tree: ast.Module, file: str) -> Iterator[str]:
    parts = file.split("/")
    if parts[1] != "experiments" or len(parts) < 4:
        return
    for name in imports(tree, file):
        other = [*name.split("."), "", "", ""][2]
        if not name.startswith("src.experiments.") or other == parts[2]:
            continue
        if other not in STAGES:
            yield f"imports {name}, which is no stage"
        elif STAGES[other] >= STAGES.get(parts[2], 0):
            yield f"imports {name}: {other}/ is not before {parts[2]}/"


def only_one_file_opens_audio(tree: ast.Module, file: str) -> Iterator[str]:
    if file in DECODING_FILES:
        return
    for name in imports(tree, file):
        if any(name == decoder or name.startswith(f"{decoder}.") for decoder in DECODERS) or name in DECODING_CALLS:
            yield f"imports {name}"
    for name, _ in calls(tree, file):
        if name in DECODING_CALLS:
            yield f"calls {name}"


def nothing_is_called_test(tree: ast.Module, file: str) -> Iterator[str]:
    if any(part.startswith("test_") for part in file.split("/")):
        yield "is called test_..."
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name.startswith("test_"):
            yield f"defines {node.name}"
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id.startswith("test_"):
            yield f"assigns {node.id}"


def nothing_prints_or_opens_windows(tree: ast.Module, file: str) -> Iterator[str]:
    for name, _ in calls(tree, file):
        if name == "print" and not file.startswith(PRINTING):
            yield "prints"
        if name in ("matplotlib.pyplot.show", "plt.show", "pyplot.show", "figure.show", "fig.show"):
            yield f"calls {name}"


def nothing_is_pickled(tree: ast.Module, file: str) -> Iterator[str]:
    for name in imports(tree, file):
        if name.split(".")[0] in RUNS_CODE_WHEN_LOADED:
            yield f"imports {name}"
    for name, call in calls(tree, file):
        if name in PICKLING_CALLS or name.endswith(".to_pickle"):
            yield f"calls {name}"
        for keyword in call.keywords:
            if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False":
                yield f"calls {name} with allow_pickle"


def nobody_seeds_what_all_share(tree: ast.Module, file: str) -> Iterator[str]:
    for name, call in calls(tree, file):
        if file == RANDOMNESS:
            continue
        generator = name.removeprefix("numpy.random.")
        if generator != name and re.split(r"[.(]", generator)[0] not in OWN_GENERATORS:
            yield f"calls {name}"
        if name.startswith("random.") and name != "random.Random":
            yield f"calls {name}"
        if name in SEEDING_CALLS and not file.startswith(SEEDING_ROOM):
            yield f"calls {name}"
        if name == "numpy.random.default_rng" and not call.args and not call.keywords:
            yield "makes a generator without a seed"


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        imports_point_down,
        stages_point_down,
        only_one_file_opens_audio,
        nothing_is_called_test,
        nothing_prints_or_opens_windows,
        nothing_is_pickled,
        nobody_seeds_what_all_share,
    )
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_file_keeps_the_rule(rule: Rule) -> None:
    assert len(FILES) > 40
    broken = []
    for file in FILES:
        tree = parsed(file)
        broken += [f"{file} {offence}" for offence in rule(tree, file)]
    assert broken == []


def test_every_stage_is_in_its_place() -> None:
    folders = {path.name for path in (ROOT / "src" / "experiments").iterdir() if any(path.glob("*.py"))}
    assert folders == STAGES.keys()
    loose = {path.name for path in (ROOT / "src" / "experiments").glob("*.py")}
    assert loose == {"__init__.py", "pipeline.py", "demo.py"}


def test_every_folder_is_a_room_with_a_floor() -> None:
    folders = {path.name for path in (ROOT / "src").iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert folders <= FLOORS.keys()
    assert {"experiments", "models", "backbones", "corpora", "utils", "visualize", "audio", "metrics"} <= folders
    loose = {path.name for path in (ROOT / "src").glob("*.py")}
    assert loose == {"__init__.py"}


BREACHES = [
    ("imports_point_down", "utils/x", "from src.experiments.runs.folders import find_run"),
    ("imports_point_down", "utils/x", "def f():\n    import src.models.contract"),
    ("imports_point_down", "utils/x", "from src import models"),
    ("imports_point_down", "utils/x", "from ..corpora import audios"),
    ("imports_point_down", "utils/x", "TABLE = {'a': 'src.backbones.lfcc:load'}"),
    ("imports_point_down", "utils/x", "from src.visualize.style import new_figure"),
    ("imports_point_down", "models/svm/x", "from ...backbones.lfcc import load"),
    ("imports_point_down", "backbones/x", "from src.corpora import LAYOUTS"),
    ("imports_point_down", "audio/x", "from src.metrics import eer"),
    ("imports_point_down", "metrics/x", "from src.utils.files import write_json"),
    ("imports_point_down", "experiments/x", "from src.kitchen import stove"),
    ("imports_point_down", "experiments/x", "import fabfile"),
    ("stages_point_down", "experiments/runs/x", "from src.experiments.studies.storage import open_shared"),
    ("stages_point_down", "experiments/studies/x", "from src.experiments.evaluation import comparison"),
    ("stages_point_down", "experiments/training/x", "from src.experiments.extraction.plan import plan"),
    ("stages_point_down", "experiments/corpus/x", "from ..runs.folders import find_run"),
    ("stages_point_down", "experiments/report/x", "import src.experiments.pipeline"),
    ("only_one_file_opens_audio", "experiments/x", "def f():\n    import soundfile as sf"),
    ("only_one_file_opens_audio", "audio/x", "from soundfile import read"),
    ("only_one_file_opens_audio", "audio/x", "from scipy.io import wavfile"),
    ("only_one_file_opens_audio", "audio/x", "import librosa as l\nl.load('a.wav')"),
    ("only_one_file_opens_audio", "audio/x", "from librosa import load"),
    ("nothing_is_called_test", "utils/test_x", ""),
    ("nothing_is_called_test", "utils/x", "def test_model(): ..."),
    ("nothing_is_called_test", "utils/x", "class A:\n    test_size = 3"),
    ("nothing_prints_or_opens_windows", "utils/x", "lambda: print('a')"),
    ("nothing_prints_or_opens_windows", "visualize/x", "import matplotlib.pyplot as p\np.show()"),
    ("nothing_prints_or_opens_windows", "visualize/x", "from matplotlib.pyplot import show\nshow()"),
    ("nothing_is_pickled", "models/x", "import pickle"),
    ("nothing_is_pickled", "models/x", "from pickle import dump"),
    ("nothing_is_pickled", "models/x", "from joblib import dump as keep\nkeep(1, 'a')"),
    ("nothing_is_pickled", "models/x", "import torch\ntorch.save(1, 'a')"),
    ("nothing_is_pickled", "models/x", "import numpy as np\nnp.load('a', allow_pickle=True)"),
    ("nothing_is_pickled", "models/x", "import numpy as np\nnp.load('a', allow_pickle=trusted)"),
    ("nothing_is_pickled", "models/x", "table.to_pickle('a')"),
    ("nobody_seeds_what_all_share", "models/x", "import numpy as np\nnp.random.seed(7)"),
    ("nobody_seeds_what_all_share", "models/x", "import numpy\nnumpy.random.shuffle(a)"),
    ("nobody_seeds_what_all_share", "models/x", "from numpy import random\nrandom.normal(3)"),
    ("nobody_seeds_what_all_share", "models/x", "import random\nrandom.seed(7)"),
    ("nobody_seeds_what_all_share", "backbones/x", "import torch\ntorch.manual_seed(7)"),
    ("nobody_seeds_what_all_share", "audio/x", "import numpy as np\nnp.random.default_rng()"),
]

KEPT = [
    ("imports_point_down", "experiments/x", "from src.models import CLASSIFIERS\nfrom .runs import find_run"),
    ("imports_point_down", "utils/x", "from src.audio.io import load_waveform\nfrom . import files"),
    ("imports_point_down", "models/x", "TABLE = {'svm': 'src.models.svm:Svm'}\nimport torch, srcfoo.deploy"),
    ("stages_point_down", "experiments/evaluation/x", "from src.experiments.training.trainer import load_run"),
    ("stages_point_down", "experiments/pipeline", "from src.experiments.report import pages"),
    ("stages_point_down", "experiments/runs/x", "from src.experiments.runs.folders import find_run\nimport src.models"),
    ("only_one_file_opens_audio", "audio/io", "import soundfile"),
    ("only_one_file_opens_audio", "audio/x", "import librosa\nlibrosa.stft(a)\nimport average"),
    ("nothing_is_called_test", "utils/x", "TEST_RESULTS = 'test_results.json'\nlatest_run = contest_x = 1"),
    ("nothing_prints_or_opens_windows", "utils/x", "'print(1)'\nfingerprint(2)\ntable.show_versions()"),
    ("nothing_prints_or_opens_windows", "tasks/command_line", "print('Note')"),
    ("nothing_is_pickled", "models/x", "import numpy as np\nnp.save('a', b, allow_pickle=False)\nskops.dump(a)"),
    ("nobody_seeds_what_all_share", "models/x", "import numpy as np\nnp.random.default_rng(7).random(3)"),
    ("nobody_seeds_what_all_share", "models/mlp/x", "import torch\ntorch.manual_seed(7)"),
    ("nobody_seeds_what_all_share", "backbones/random_weights", "import torch\ntorch.manual_seed(7)"),
]


@pytest.mark.parametrize(("rule", "file", "source"), BREACHES)
def test_each_rule_sees_what_breaks_it(rule: str, file: str, source: str) -> None:
    assert list(RULES[rule](ast.parse(source), f"src/{file}.py"))


@pytest.mark.parametrize(("rule", "file", "source"), KEPT)
def test_no_rule_sees_what_is_not_there(rule: str, file: str, source: str) -> None:
    assert list(RULES[rule](ast.parse(source), f"src/{file}.py")) == []
