"""The tables of a run's page: metrics of test and validation, breakdowns, clips decided wrongly, inputs, origin."""

from collections.abc import Mapping
from typing import Any

from src.metrics.table import shown_in, written
from src.visualize.pages.cells import Cell, Column, Table, axis_end, estimated, number, text
from src.visualize.pages.records import Clip, Metrics, Outcome, Run
from src.visualize.pages.words import confidence, counted, in_order, interval, metric, plain

_BREAKDOWNS = {
    "gender": "Clips of each gender.",
    "system": "Spoofs of each system and all bona fide clips: a high EER means that the system deceives the detector.",
    "domain left out": "Each scored by runs that never heard it, against all bona fide clips that they scored.",
    "word": "Clips of each word and all of the other class: a high EER means that the word is missed.",
    "duration": "Clips of each length: short ones hold less information.",
}
_TRUTHS = {"bona-fide": "bona fide, rejected", "spoof": "spoof, accepted"}
_EMBEDDING_KEYS = ("model", "precision", "clips", "parts", "digest", "corpus_digest", "split_digest")


def metrics_table(run: Run, outcome: Outcome | None) -> Table | None:
    """Return the metrics of a test, if there is one, and for the usual test those of the validation beside them."""
    tested = outcome.metrics if outcome else {}
    validated: Metrics = run.validation if outcome is None or outcome is run.outcome else {}
    names = in_order({**validated, **tested})
    if not names:
        return None
    columns = [Column("metric")]
    if tested:
        columns += [Column("test", True), Column(f"{confidence(outcome.about)} interval" if outcome else "", True)]
    if validated:
        columns += [Column("validation", True)]
    columns.append(Column("better"))
    rows = []
    for name in names:
        about = metric(name)
        row = [Cell(about.title, href=f"#{about.term}" if about.term else "")]
        if tested:
            estimate = tested.get(name)
            row += [number(estimate.value if estimate else None, about.unit)]
            row += [Cell(interval(estimate, about.unit) if estimate else "")]
        if validated:
            row.append(number(validated[name].value if name in validated else None, about.unit))
        rows.append((*row, Cell(about.better)))
    return Table("Every metric", tuple(columns), tuple(rows))


def breakdown_tables(outcome: Outcome) -> list[Table]:
    """Return one table for each property by which a test is broken down."""
    return [_breakdown_table(what, groups) for what, groups in outcome.breakdowns.items() if groups]


def _breakdown_table(what: str, groups: Mapping[str, Metrics]) -> Table:
    end = axis_end(group.get("eer") for group in groups.values())
    found = {key for group in groups.values() for key in group}
    shown = [row for row in shown_in("breakdowns") if row.key in found or row.key == "eer"]
    columns = [Column(what), *(Column(row.title, True) for row in shown)]
    rows = []
    for name, group in groups.items():
        values = [estimated(group.get(row.key), row.unit, end if row.key == "eer" else 0.0) for row in shown]
        rows.append((text(name), *values))
    about = f"{_BREAKDOWNS.get(what, '')} The bars run from 0 to {100 * end:g} %; lower is better."
    return Table(f"By {what}", tuple(columns), tuple(rows), sortable=len(rows) > 1, about=about.strip())


def cues_table(outcome: Outcome) -> Table | None:
    """Return what each cheap cue achieves by itself, of all spoofs and of each system's, and all of them together.

    >>> from src.visualize.pages.records import Estimate
    >>> level = {"": Estimate(0.3), "espeak": Estimate(0.2)}
    >>> table = cues_table(Outcome("", metrics={"cue_baseline_eer": Estimate(0.1)}, cues={"RMS level": level}))
    >>> [[cell.text for cell in row] for row in table.rows]
    [['RMS level', '30.00 %', '20.00 %'], ['all together', '10.00 %', '']]
    """
    if not outcome.cues:
        return None
    systems = sorted({system for eers in outcome.cues.values() for system in eers} - {""})
    groups = {"": outcome.metrics, **outcome.breakdowns.get("system", {})}
    together = {name: found["cue_baseline_eer"] for name, found in groups.items() if "cue_baseline_eer" in found}
    columns = [Column("cue"), Column("all spoofs", True), *(Column(system, True) for system in systems)]
    rows = [
        (text(cue), *(estimated(eers.get(system), "rate") for system in ("", *systems)))
        for cue, eers in {**outcome.cues, "all together": together}.items()
    ]
    about = (
        "EER of a logistic regression on one cheap cue, trained where the run was trained: near 50 % a cue says "
        "nothing, and where it is far below, a run may have learnt it in place of speech."
    )
    return Table("Cheap cues alone", tuple(columns), tuple(rows), sortable=True, about=about)


def wrong_clips_table(clips: tuple[Clip, ...], n_wrong: int) -> Table:
    """Return the clips whose scores are furthest on the wrong side of the threshold, with players."""
    columns = (
        Column("file"),
        Column("truth and decision"),
        Column("score", True),
        Column("beyond the threshold by", True),
        Column("speaker"),
        Column("system"),
        Column("listen"),
    )
    rows = tuple(
        (
            Cell(clip.file, clip.file, verbatim=True),
            text(_TRUTHS.get(clip.label, clip.label)),
            number(clip.score, "number"),
            number(clip.margin, "number"),
            text(clip.speaker),
            text(clip.system),
            Cell(audio=clip.url) if clip.url else Cell(note="missing"),
        )
        for clip in clips
    )
    shown = f"the worst {len(clips)} of {n_wrong}" if n_wrong > len(clips) else counted(n_wrong, "clip")
    return Table(f"Clips decided wrongly: {shown}", columns, rows, sortable=len(rows) > 1)


def inputs_table(values: Mapping[str, Any], caption: str) -> Table:
    """Return a table of names and values."""
    rows = tuple((Cell(str(key)), Cell(plain(value), verbatim=True)) for key, value in values.items())
    return Table(caption, (Column("name"), Column("value")), rows)


def origin_table(provenance: Mapping[str, Any]) -> Table | None:
    """Return the provenance of a run except its data: code, packages, command, machine and time."""
    values = without_data(provenance)
    return inputs_table(values, "Code, packages, command and machine") if values else None


def origins_of(provenance: Mapping[str, Any]) -> Any:
    """Return what a run's provenance says of the input that it was made from, of whichever kind, split by split."""
    data = provenance.get("data")
    data = data if isinstance(data, Mapping) else {}
    return next((content for what, content in data.items() if what not in ("corpus", "people")), None)


def digests_table(embeddings: Any) -> Table | None:
    """Return models and digests of embeddings by split; None where they are not recorded so."""
    if not isinstance(embeddings, Mapping):
        return None
    splits = {str(split): meta for split, meta in embeddings.items() if isinstance(meta, Mapping)}
    keys = [key for key in _EMBEDDING_KEYS if any(key in meta for meta in splits.values())]
    rows = tuple(
        (Cell(split), *(Cell(plain(meta.get(key, "")), verbatim=key.endswith(("digest", "parts"))) for key in keys))
        for split, meta in splits.items()
    )
    columns = (Column("split"), *(Column(key.replace("_", " ")) for key in keys))
    return Table("Data, by digest", columns, rows) if rows else None


def without_data(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return all values but the data, which have a table of their own."""
    return {key: value for key, value in values.items() if key != "data"}


def people_by_split(provenance: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the people of each split that a run was trained with."""
    data = provenance.get("data")
    people = data.get("people") if isinstance(data, Mapping) else None
    if not isinstance(people, Mapping):
        return {}
    return {str(split): list(map(str, names)) for split, names in people.items() if isinstance(names, list)}


def tested_on(outcome: Outcome) -> str:
    """Return corpus, split and gender of a test, in words."""
    about = outcome.about
    parts = [plain(about[key]) for key in ("corpus", "split") if about.get(key)]
    if about.get("gender") not in (None, "", "all"):
        parts.append(f"gender {plain(about['gender'])}")
    return ", ".join(parts)


def threshold_in_words(outcome: Outcome) -> str:
    """Return the decision threshold of a test and the split that it was chosen on."""
    threshold = outcome.metrics.get("threshold")
    if threshold is None:
        return ""
    origin = outcome.about.get("threshold_from")
    return written(threshold.value, "number") + (f", chosen on {plain(origin)}" if origin else "")
