"""What a reader must know before a run is trusted: limits that follow from its own numbers, and from what it lacks."""

from collections.abc import Iterator, Mapping

from src.experiments.inputs.contract import TEST
from src.visualize.pages.records import Metrics, Outcome, Run
from src.visualize.pages.words import counted, plain, random_weights, rough

FEW_PEOPLE = 30
CUES = "cue_baseline_eer"


def limits_of(run: Run) -> list[str]:
    """Return the limits of a run, a sentence or two each.

    >>> limits_of(Run("run3", "", "finished"))[0]
    'It was not tested: nothing is known of clips that had no part in its making.'
    """
    problems = (*run.problems, *(run.outcome.problems if run.outcome else ()))
    broken = [f"A file of the run is missing or damaged: {problem}." for problem in problems]
    return [*broken, *_of_weights(run), *_of_test(run.outcome), *_beyond(run)]


def _of_weights(run: Run) -> Iterator[str]:
    if said := random_weights(run.hyperparameters, run.provenance):
        yield said
    if not run.has_weights:
        yield "Its weights were dropped by its study, so it cannot be used until it is trained again."


def _of_test(outcome: Outcome | None) -> Iterator[str]:
    """Yield what the usual test says against itself."""
    if outcome is None or "eer" not in outcome.metrics:
        yield "It was not tested: nothing is known of clips that had no part in its making."
        return
    people = outcome.about.get("n_people")
    if isinstance(people, int) and people < FEW_PEOPLE:
        yield f"Its test has only {counted(people, 'person', 'people')}, so that its interval is wide."
    if seen := outcome.about.get("people_seen_in_training"):
        yield f"People of the test were in training or validation ({plain(seen)}): it is no independent test."
    eer = outcome.metrics["eer"].value
    cues = outcome.metrics.get(CUES)
    if cues is None:
        reason = plain(outcome.about.get("cue_baseline", ""))
        yield f"How well cheap cues alone do on its test is unknown. {reason}".strip()
    elif cues.value <= eer:
        yield (
            f"Cheap cues alone (level, silence, noise floor and the like) have an EER of {rough(cues.value)} on its "
            f"test, where the run has {rough(eer)}: it may have learnt nothing else."
        )
    if undecided := outcome.about.get("rejection"):
        yield plain(undecided)
    yield from _of_groups(outcome.breakdowns)


def _of_groups(breakdowns: Mapping[str, Mapping[str, Metrics]]) -> Iterator[str]:
    """Yield which gender and which system it serves worst."""
    for what, said in (("gender", "gender {}"), ("system", "the system {}")):
        eers = {name: found["eer"].value for name, found in breakdowns.get(what, {}).items() if "eer" in found}
        if len(eers) < 2:
            continue
        worst, best = max(eers, key=eers.__getitem__), min(eers, key=eers.__getitem__)
        if eers[worst] > eers[best]:
            yield (
                f"It does worst on {said.format(worst)} (EER {rough(eers[worst])}) and best on {said.format(best)} "
                f"({rough(eers[best])}); see the intervals of both."
            )


def _beyond(run: Run) -> Iterator[str]:
    """Yield what is known, or not, of speech from elsewhere."""
    if run.doubt:
        yield run.doubt
    elsewhere = {
        plain(outcome.about.get("corpus", outcome.folder)): outcome.metrics["eer"].value
        for outcome in run.benchmark
        if "eer" in outcome.metrics
    }
    if elsewhere:
        worst = max(elsewhere, key=elsewhere.__getitem__)
        chance = ", worse than chance" if elsewhere[worst] > 0.5 else ""
        yield f"On the corpus {worst}, which it never saw, its EER is {rough(elsewhere[worst])}{chance}."
    elif not any(outcome.about.get("split") == TEST for outcome in run.other_outcomes):
        yield (
            "It was not judged on corpora from elsewhere. A low EER on the corpus that it was trained on says little "
            "about other recordings, languages, channels and spoof systems."
        )
    if run.stress is None:
        yield "How it holds up under noise, rooms, telephones and codecs is unknown."
