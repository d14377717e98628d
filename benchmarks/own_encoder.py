"""May an encoder of our own ship? A small one is pretrained or distilled, probed, and judged by a fixed rule.

    python -m benchmarks.own_encoder --dataset=datasets/speech --hours-seen=20
    python -m benchmarks.own_encoder --dataset=datasets/speech --hours-seen=20 --teacher=models/whisper-base
    python -m benchmarks.own_encoder --dataset=datasets/speech --run=runs/pretraining3    (one that is there)

The encoder is the smallest of those that can be pretrained (`--size=tiny`, front end mel: 2.4 million numbers); with a
teacher the objective is distill, else the one that is named. The corpus is split (fab SplitDataset) with pretext and
downstream splits.

The rule, set before anything was measured: the encoder ships if its EER on spoof systems left out of training is lower
than that of LFCC by more than the 95 % interval of the difference, and its weights in float16 have at most 5 MB. What
is probed is what would ship: weights rounded to float16, at the layer that validation people choose.
"""

import argparse
import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.made_up import hardware
from src.experiments.evaluation.comparison import Difference
from src.experiments.pretraining.clip_embeddings import LFCC
from src.experiments.pretraining.pretrainer import pretrain_backbone
from src.experiments.pretraining.probe import probe
from src.experiments.pretraining.probe_results import LEFT_OUT
from src.experiments.pretraining.recipe import PretrainingRecipe
from src.pretraining.contract import PretrainingConfig
from src.pretraining.onwards import completed
from src.utils.paths import ROOT, absolute

MOST_BYTES = 5_000_000
NOT_SHIPPED = ("embed_positions.",)
"""How the names of numbers begin that are sines, which nobody needs to keep."""
SHIPPED = "model in float16"


def main() -> None:
    """Make an encoder, or take one; probe it beside LFCC, and print whether it may ship."""
    options = read_options()
    dataset, root = absolute(options.dataset), absolute(options.root)
    run = absolute(options.run) if options.run else pretrain(options, dataset, root)
    print(hardware("auto"))
    with TemporaryDirectory() as place:
        n_bytes = round_weights(run / "model", Path(place))
        models = {LFCC: None, "start": run / "start", "model": run / "model", SHIPPED: Path(place)}
        probed = probe(models, dataset, root=root, seed=options.seed)
    print(probed)
    print(verdict(probed.differences[LEFT_OUT], n_bytes))


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="May an encoder of our own ship?")
    parser.add_argument("--dataset", default="datasets/release")
    parser.add_argument("--root", default=str(ROOT), help="holds runs/")
    parser.add_argument("--run", default="", help="folder of a finished pretraining; else one is made")
    parser.add_argument("--objective", default="best-rq")
    parser.add_argument("--teacher", default="", help="folder of a model to distil; the objective is then distill")
    parser.add_argument("--hours-seen", type=float, default=20.0)
    parser.add_argument("--augment", default="", help="recipe, such as field")
    parser.add_argument("--set", default="{}", help="further settings of the pretraining, as JSON")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def pretrain(options: argparse.Namespace, dataset: Path, root: Path) -> Path:
    """Pretrain an encoder, and return the folder of the run."""
    settings = {
        "objective": "distill" if options.teacher else options.objective,
        "teacher": str(absolute(options.teacher)) if options.teacher else "",
        "front_end": "mel",
        "size": "tiny",
        "hours_seen": options.hours_seen,
        "augment": options.augment,
        **json.loads(options.set),
    }
    config = completed(PretrainingConfig.from_mapping(settings))
    recipe = PretrainingRecipe((dataset,), config, seed=options.seed)
    return pretrain_backbone(recipe, root=root).folder


def round_weights(model: Path, folder: Path) -> int:
    """Write a model with its weights rounded to float16; return how many bytes of these would be shipped."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, folder, dirs_exist_ok=True)
    weights = load_file(model / "model.safetensors")
    rounded = {name: weight.to(torch.float16) for name, weight in weights.items()}
    save_file(rounded, folder / "model.safetensors", metadata={"format": "pt"})
    return sum(2 * weight.numel() for name, weight in rounded.items() if not name.startswith(NOT_SHIPPED))


def verdict(differences: Sequence[Difference], n_bytes: int) -> str:
    """Say whether an encoder may ship, or by how much it failed.

    Parameters
    ----------
    differences : sequence of Difference
        Of EERs on systems left out; that between the encoder and LFCC among them.
    n_bytes : int
        Of its weights in float16.
    """
    size = f"{n_bytes / 1e6:.2f} MB in float16, of {MOST_BYTES / 1e6:g} allowed"
    if not differences:
        return f"It may not ship: no system can be left out of this corpus, so that it cannot be judged ({size})."
    (gained,) = (each for each in differences if each.second == LFCC)
    low, high = 100 * gained.bounds.low, 100 * gained.bounds.high
    points = f"{100 * gained.difference:+.2f} percentage points"
    told = f"its EER on systems left out is that of LFCC {points} (95 %: {low:+.2f} to {high:+.2f})"
    if n_bytes > MOST_BYTES:
        return f"It may not ship: it is too large ({size}); {told}."
    if gained.bounds.high < 0:
        return f"It may ship: {told}; {size}."
    why = (
        "the interval is not known" if math.isnan(high) else f"it failed by {high:.2f} points, the interval's upper end"
    )
    return f"It may not ship: {told}; {why}; {size}."


if __name__ == "__main__":
    main()
