"""Does leaving out spoof systems choose a layer better than validation in domain, for a system that nobody heard?

    python -m benchmarks.hold_out --dataset=datasets/speech --backbones=lfcc,mfcc,logmel

The corpus is split and its embeddings are made (fab SplitDataset, fab GenerateEmbeddings). Each system in turn plays
the one from elsewhere: it is taken out of training and validation altogether. On what remains, a candidate (a
backbone, one of its layers, a pooling) is chosen twice:

- in domain: the lowest EER of the validation people;
- held out: the lowest mean EER over the remaining systems, each left out in turn.

Both choices are then trained on all that remains, and judged on the system that was taken out, with the bona fide clips
of the test people. Neither choice knows the number that it is judged by. `best` is the candidate that would have been
right in hindsight, which nobody can choose. Intervals draw people and systems; the difference is taken draw by draw.
"""

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from src.experiments.corpus.held_out_domains import LEAST_CLIPS, SYSTEM, names_of
from src.experiments.inputs.contract import TEST, TRAIN, VAL, TrainingData, read_training_data
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.training.across_domains import (
    MEANS,
    WithoutDomain,
    judge_across,
    leave_out_domains,
    scores_without,
)
from src.experiments.training.recipe import Recipe, choose_recipe
from src.metrics.across import Scored, eers_across, resampled_means
from src.metrics.bootstrap import Trials, interval
from src.metrics.eer import eer_of
from src.metrics.table import written, written_bounds
from src.utils.clip_table import ClipTable
from src.utils.paths import ROOT, absolute

WAYS = ("in domain", "held out", "best")


@dataclass(frozen=True)
class Candidate:
    """What is chosen: a layer of a backbone and a pooling; its data, test people included."""

    name: str
    recipe: Recipe
    data: TrainingData
    test: ClipTable


def main() -> None:
    """Choose both ways for every system, and print how the choices do on it."""
    options = read_options()
    warnings.simplefilter("ignore")  # of few systems and of EERs above one half, which are the point here
    candidates = list(candidates_in(options))
    print(f"{len(candidates)} candidates: {', '.join(candidate.name for candidate in candidates)}")
    first = candidates[0]
    systems = names_of(np.concatenate([table.systems for table in (first.data.train, first.data.val, first.test)]))
    judged: dict[str, dict[str, Scored]] = {way: {} for way in WAYS}
    for system in tqdm(systems, unit="system", disable=None):
        for way, (name, scored) in choose(candidates, system).items():
            judged[way][system] = scored
            print(f"{system:14} {way:10} {name:24} {100 * eer_of(scored.trials.labels, scored.scores):6.2f} %")
    for line in summary(judged):
        print(line)


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Does leaving out systems choose better than validation in domain?")
    parser.add_argument("--dataset", default="datasets/release")
    parser.add_argument("--root", default=str(ROOT), help="holds embeddings/")
    parser.add_argument("--backbones", default="lfcc")
    parser.add_argument("--poolings", default="mean,std,mean+std")
    parser.add_argument("--classifier", default="lr")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def candidates_in(options: argparse.Namespace) -> Iterator[Candidate]:
    """Yield every layer of every backbone with every pooling."""
    root, dataset = absolute(options.root), absolute(options.dataset)
    for backbone in options.backbones.split(","):
        for layer in Embeddings(backbone).open(dataset, root).meta(TRAIN).layers:
            for pooling in options.poolings.split(","):
                recipe = choose_recipe(
                    dataset, Embeddings(backbone, layer, pooling), options.classifier, seed=options.seed
                )
                yield read_candidate(f"{backbone} {layer} {pooling}", recipe, root)


def read_candidate(name: str, recipe: Recipe, root: Path) -> Candidate:
    """Read the clips of a candidate."""
    opened = recipe.input.open(recipe.dataset, root)
    opened.check(TRAIN, VAL, TEST)
    return Candidate(name, replace(recipe, hold_out=SYSTEM), read_training_data(opened), opened.read(TEST))


def choose(candidates: list[Candidate], system: str) -> dict[str, tuple[str, Scored]]:
    """Return way of choosing -> what it chooses without a system, and the scores that this gives the system's clips."""
    found = []
    for candidate in candidates:
        data = replace(
            candidate.data,
            train=candidate.data.train.take(candidate.data.train.systems != system),
            val=candidate.data.val.take(candidate.data.val.systems != system),
        )
        in_domain = scores_without(candidate.recipe, WithoutDomain(SYSTEM, "", data, data.val))
        across = judge_across(candidate.recipe, leave_out_domains(candidate.recipe.dataset, data, SYSTEM))
        judged = clips_of(candidate, system)
        scores = scores_without(candidate.recipe, WithoutDomain(SYSTEM, system, data, judged))
        scored = Scored(Trials(judged.labels, judged.speakers), scores)
        eers = (
            eer_of(data.val.labels, in_domain),
            float(across.metrics()[MEANS[SYSTEM]]["value"]),
            eer_of(judged.labels, scores),
        )
        found.append((eers, candidate.name, scored))
    best = {way: min(found, key=lambda row, place=place: row[0][place]) for place, way in enumerate(WAYS)}  # type: ignore[misc]
    return {way: (name, scored) for way, (_, name, scored) in best.items()}


def clips_of(candidate: Candidate, system: str) -> ClipTable:
    """Return the bona fide clips of the test people, and the system's spoofs by people whom the training lacks."""
    data, test = candidate.data, candidate.test
    judged = [test.take((test.labels == 1) | (test.systems == system))]
    known = {*data.train.speakers[data.train.systems != system], *data.val.speakers[data.val.systems != system]}
    for table in (data.train, data.val):
        judged.append(table.take((table.systems == system) & ~np.isin(table.speakers, list(known))))
    joined = type(test).one_after_another(judged)
    if (joined.labels == 0).sum() < LEAST_CLIPS:
        raise SystemExit(f"{system} has fewer than {LEAST_CLIPS} spoofs by people whom the training lacks.")
    return joined


def summary(judged: dict[str, dict[str, Scored]]) -> Iterator[str]:
    """Yield the mean over systems of each way, and the difference of the two that can be chosen."""
    for way, domains in judged.items():
        mean = eers_across(domains)[1]
        bounds = written_bounds(mean["low"] or 0.0, mean["high"] or 0.0, "rate")
        yield f"mean of {len(domains)} systems, {way:10} {written(mean['value'], 'rate')} (95 %: {bounds})"
    means = [eers_across(judged[way])[1]["value"] for way in WAYS[:2]]
    drawn = [resampled_means(judged[way]) for way in WAYS[:2]]
    n_people = len({person for scored in judged[WAYS[0]].values() for person in scored.trials.people})
    bounds = interval(drawn[1] - drawn[0], n_people)
    yield (
        f"held out minus in domain: {100 * (means[1] - means[0]):.2f} percentage points "
        f"(95 %: {100 * bounds.low:.2f} to {100 * bounds.high:.2f})"
    )


if __name__ == "__main__":
    main()
