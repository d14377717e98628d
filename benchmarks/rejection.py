"""Do decisions with rejection keep their promise, and is a spoof system that nobody heard told?

    python -m benchmarks.rejection
    python -m benchmarks.rejection --dataset=datasets/speech --backbone=lfcc --reject=0.1

The first needs no data. A pool of made-up scores (two normal distributions) is split at random 200 times into some
validation clips and the rest; the promise of one split holds where the error among the decided clips of the rest is at
most what was promised. It should hold in about 95 % of the splits.

The second takes a corpus that is split and has embeddings (fab SplitDataset, fab GenerateEmbeddings). Each spoof system
in turn is left out of training and validation. Of the test clips of this system, of the other systems, and of the bona
fide ones, the table says which share lies at the 95th percentile of the distance from the training data or beyond
("far"), which is left undecided ("uncertain"), which is either, and which is decided wrongly without being told as
either. Of clips like validation 5 % are far.
"""

import argparse
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import norm

from src.deploy.distances import distances_of
from src.deploy.doubt import FAR
from src.experiments.corpus.held_out_domains import names_of
from src.experiments.inputs.contract import TEST, TRAIN, VAL
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.training.models import model_class
from src.experiments.training.recipe import Recipe, choose_recipe
from src.metrics.calibration import fit_calibration
from src.metrics.conformal import UNCERTAIN, fit_rejection
from src.metrics.eer import operating_threshold
from src.utils.clip_table import ClipTable
from src.utils.paths import ROOT, absolute

POOL, N_SPLITS = 50_000, 200
EERS = (0.05, 0.1, 0.15)
SIZES = (200, 500, 2000)
ALL = "all left out in turn"


def main() -> None:
    """Print one table for made-up scores, or one for a corpus."""
    options = read_options()
    rows = left_out_rows(options) if options.dataset else made_up_rows(options.reject, options.seed)
    print(pd.DataFrame(rows).to_string(index=False))


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Do decisions with rejection keep their promise?")
    parser.add_argument("--dataset", default="", help="corpus with splits and embeddings (default: made-up scores)")
    parser.add_argument("--root", default=str(ROOT), help="holds embeddings/")
    parser.add_argument("--backbone", default="lfcc")
    parser.add_argument("--layer", default="-1")
    parser.add_argument("--pooling", default="mean+std")
    parser.add_argument("--classifier", default="lr")
    parser.add_argument("--reject", type=float, default=0.05, help="error rate that is promised")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def made_up_rows(error: float, seed: int) -> Iterator[dict[str, str]]:
    """Yield a row for each EER of made-up scores and number of validation clips."""
    for eer in EERS:
        for n_clips in SIZES:
            rng = np.random.default_rng(seed)
            labels = rng.integers(0, 2, POOL)
            scores = rng.standard_normal(POOL) + 2 * norm.isf(eer) * (labels - 0.5)
            found = [_split_once(labels, scores, n_clips, error, rng) for _ in range(N_SPLITS)]
            kept, decided = np.array(found).mean(axis=0)
            yield {
                "EER": f"{eer:.0%}",
                "validation clips": str(n_clips),
                "promised": f"{error:.0%}",
                "kept in": f"{kept:.1%} of {N_SPLITS} splits",
                "decided": f"{decided:.1%}",
            }


def _split_once(
    labels: np.ndarray, scores: np.ndarray, n_clips: int, error: float, rng: np.random.Generator
) -> tuple[bool, float]:
    """Return whether the promise holds on what validation leaves, and the share that is decided."""
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[rng.choice(len(labels), n_clips, replace=False)] = True
    threshold = operating_threshold(labels[chosen], scores[chosen])
    rejection = fit_rejection(labels[chosen], scores[chosen], threshold, error)
    decided = np.abs(scores[~chosen] - threshold) >= rejection.margin
    wrong = ((scores >= threshold) != (labels == 1))[~chosen] & decided
    return bool(wrong.sum() <= error * decided.sum()), float(decided.mean())


def left_out_rows(options: argparse.Namespace) -> list[dict[str, str]]:
    """Return rows of the test clips for each system that is left out, and for all of these together."""
    root, dataset = absolute(options.root), absolute(options.dataset)
    wanted = Embeddings(options.backbone, options.layer, options.pooling)
    recipe = choose_recipe(dataset, wanted, options.classifier, seed=options.seed)
    opened = recipe.input.open(dataset, root)
    opened.check(TRAIN, VAL, TEST)
    train, val, test = (opened.read(split) for split in (TRAIN, VAL, TEST))
    told = []
    for system in names_of(np.concatenate([train.systems, val.systems, test.systems])):
        known = [table.take(table.systems != system) for table in (train, val)]
        if any(len(np.unique(table.labels)) < 2 for table in known):
            continue
        told.append(_told(recipe, (known[0], known[1]), test, options.reject).assign(left_out=system))
    if not told:
        raise SystemExit(
            f"{dataset} has fewer than two spoof systems in training and validation: none can be left out."
        )
    both = pd.concat([*told, pd.concat(told).assign(left_out=ALL)])
    both["clips"] = np.where(both["system"] == "", "bona fide", "spoofs heard")
    both.loc[(both["system"] == both["left_out"]) | (both["is_new"] & (both["left_out"] == ALL)), "clips"] = "left out"
    rows = []
    for (system, clips), part in both.groupby(["left_out", "clips"], sort=False):
        shares = {name: f"{part[name].mean():.1%}" for name in ("far", "uncertain", "either", "wrong untold")}
        rows.append({"left out": system, "test clips": clips, "n": str(len(part)), **shares})
    return rows


def _told(recipe: Recipe, known: tuple[ClipTable, ClipTable], test: ClipTable, error: float) -> pd.DataFrame:
    """Return of each test clip what a run that was trained on known clips tells of it."""
    train, val = known
    model = model_class(recipe.model)(recipe.config, seed=recipe.seed)
    model.fit(train, val)
    raw = model.scores(val.inputs)
    calibration = fit_calibration(val.labels, raw)
    of_val, scores = calibration.apply(raw), calibration.apply(model.scores(test.inputs))
    threshold = operating_threshold(val.labels, of_val)
    rejection = fit_rejection(val.labels, of_val, threshold, error)
    far = distances_of(train, val, getattr(recipe.config, "scaling", "")).far(test.inputs) >= FAR
    uncertain = rejection.decide(scores) == UNCERTAIN
    wrong = (scores >= threshold) != (test.labels == 1)
    is_new = (test.labels == 0) & ~np.isin(test.systems, train.systems)
    columns = {"far": far, "uncertain": uncertain, "either": far | uncertain, "wrong untold": wrong & ~far & ~uncertain}
    return pd.DataFrame({"system": test.systems, "is_new": is_new, **columns})


if __name__ == "__main__":
    main()
