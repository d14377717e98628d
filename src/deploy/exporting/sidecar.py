"""What lies beside an exported file: a JSON record of what it takes, gives and comes from, and an example of its use.

Whoever uses the file sees neither the run nor our code, so the record says all that a score needs to be read: units,
threshold, limits, the licence of what was built upon, and the digest by which the file is known.
"""

import re
from pathlib import Path
from typing import Any

from src.audio.io import SPEECH_RATE
from src.audio.usable import SILENCE_PEAK
from src.backbones import CPU_ONLY
from src.backbones.published import FAMILIES
from src.deploy.exporting.formats import INPUT, OUTPUT, Format
from src.deploy.exporting.module import Exportable
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.training.trained import Trained

UNKNOWN = "unknown"
EXAMPLE = '''"""Scores recordings by {name}; pip install {needs} numpy soundfile."""
import json, sys
from pathlib import Path
import numpy as np, soundfile
path = str(Path(__file__).with_name("{name}"))
about = json.loads(Path(path + ".json").read_text(encoding="utf-8"))
takes = about["input"]
{load}
for recording in sys.argv[1:]:
    sound, rate = soundfile.read(recording, dtype="float32", always_2d=True)
    if rate != takes["rate"]:
        sys.exit(f"{{recording}} has {{rate}} Hz: resample it to {{takes['rate']}} Hz first.")
    waveform, shortest, longest = sound.mean(axis=1), takes["shortest_samples"], takes["longest_samples"]
    if len(waveform) < shortest or len(waveform) > (longest or len(waveform)):
        sys.exit(f"{{recording}} has {{len(waveform)}} samples, not {{shortest}} to {{longest or 'any number'}}.")
    if not np.abs(waveform - waveform.mean()).max() >= takes["silent_below"]:
        sys.exit(f"{{recording}} is silent: a score would mean nothing.")
    score = float(run({convert})[0])
    print(recording, score, "bona fide" if score >= about["threshold"] else "spoof")
'''


def example(name: str, chosen: Format) -> str:
    """Return a script that scores recordings by an exported file beside it."""
    convert = "waveform[None]" if chosen.suffix == ".onnx" else "torch.from_numpy(waveform[None])"
    return EXAMPLE.format(name=name, needs=chosen.needs, load=chosen.example, convert=convert)


def interface(exportable: Exportable) -> dict[str, Any]:
    """Return what a file takes and gives."""
    return {
        "input": {
            "name": INPUT,
            "shape": ["batch", "samples"],
            "type": "float32",
            "unit": "mono, full scale = 1",
            "rate": SPEECH_RATE,
            "shortest_samples": exportable.shortest,
            "longest_samples": exportable.longest,
            "silent_below": SILENCE_PEAK,
            "refuse": "clips of fewer samples than shortest_samples or more than longest_samples (null = any number), "
            "and silence, where no sample differs from the mean by silent_below: the file gives numbers that mean "
            "nothing for what the run refuses",
            "lengths": "all clips of a batch have the same length; nothing is padded",
        },
        "output": {
            "name": OUTPUT,
            "shape": ["batch"],
            "type": "float32",
            "unit": "natural log-likelihood ratio of bona fide to spoof; higher = more bona fide",
        },
    }


def origin(trained: Trained, model: str | None) -> dict[str, Any]:
    """Return which run a file was made of, and what that run was built upon; `model` as in `run_module`."""
    return {
        "run": str(trained.name),
        "corpus": trained.inputs["corpus"],
        "model": trained.recipe.model,
        **{key: trained.inputs[key] for key in ("backbone", "layer", "pooling") if key in trained.inputs},
        "validation_eer": trained.metrics["eer"],
        "calibrated": trained.is_calibrated,
        "code": trained.provenance["code"],
        "built_upon": built_upon(trained, model),
    }


def built_upon(trained: Trained, model: str | None) -> list[dict[str, str]]:
    """Return the pretrained models inside a file with their licences, as far as their own files say them."""
    eaten, config = trained.recipe.input, trained.recipe.config
    if isinstance(eaten, Embeddings):
        names = [str(trained.store_of(each)["model"]) for each in eaten.backbones if has_model(each)]
        return [{"model": name, "licence": licence_of(name if "/" in name else model or name)} for name in names]
    name = str(getattr(config, "weights", "") or getattr(config, "model", ""))
    if not name and hasattr(config, "backbone"):
        name = FAMILIES[config.backbone].default
    return (
        [{"model": Path(name).name if Path(name).is_absolute() else name, "licence": licence_of(name)}] if name else []
    )


def has_model(backbone: str) -> bool:
    """Tell whether a backbone is a model that somebody trained; spectral features are not."""
    return backbone not in CPU_ONLY


def licence_of(model: str) -> str:
    """Return the licence that a model's own README names in its head, the form of the hub; "unknown" without one."""
    readme = Path(model) / "README.md" if Path(model).is_dir() else _cached_readme(model)
    if readme is None or not readme.is_file():
        return UNKNOWN
    head = re.match(r"---\n(.*?)\n---", readme.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    named = re.search(r"^license:\s*(\S.*?)\s*$", head[1], re.MULTILINE) if head else None
    return named[1] if named else UNKNOWN


def _cached_readme(model: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(model, "README.md")
    except HFValidationError:
        return None
    return Path(cached) if isinstance(cached, str) else None
