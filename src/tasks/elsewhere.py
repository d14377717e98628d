"""Tasks that judge a run where it was not trained."""

from dataclasses import dataclass
from pathlib import Path

from fabric import Connection

from src.tasks.command_line import command
from src.tasks.run_flags import RUN_HELP, RunFlags
from src.utils.paths import ROOT


@dataclass(frozen=True)
class BenchmarkFlags(RunFlags):
    """The flags of Benchmark."""

    datasets: str = ""
    split: str = ""
    threshold_from: str = ""
    reject: float = 0.05
    output: Path | None = None


@command(
    "Benchmark",
    datasets="folders of corpora, separated by commas",
    split="split of every corpus, such as downstream_test (default: all clips)",
    threshold_from="name of the corpus whose EER gives the threshold for corpora of one class (default: validation)",
    classifier="classifier of the study, beside --study-number=",
    output="JSON file to write the table to as well (default: none)",
    **RUN_HELP,
)
def benchmark(c: Connection, flags: BenchmarkFlags) -> None:
    """Judge a run on corpora that it never saw: EER, errors at its threshold, cheap cues, each spoof system."""
    import pandas as pd

    from src.experiments.corpus.splits import ALL
    from src.experiments.evaluation import benchmark, benchmark_table
    from src.experiments.runs.artefacts import BENCHMARK
    from src.utils.csv_tables import write_table
    from src.utils.files import check_output, write_json
    from src.utils.paths import absolute

    if flags.output:
        check_output(flags.output, [])
    datasets = [absolute(name.strip()) for name in flags.datasets.split(",") if name.strip()]
    judged = benchmark.run_benchmark(
        flags.name(), datasets, flags.split or ALL, flags.threshold_from, root=ROOT, reject=flags.reject
    )
    rows = benchmark_table.rows_of(judged)
    folder = judged[0].folder.parent
    write_json(folder / f"{BENCHMARK}.json", rows)
    write_table(folder / f"{BENCHMARK}.csv", pd.DataFrame(rows))
    if flags.output:
        write_json(flags.output, rows)
    print(benchmark_table.as_text(judged))
    print(
        "FA: spoofs accepted, FR: bona fide rejected, right: right decisions, all at the run's own threshold (corpora "
        f"of one class: that of {flags.threshold_from or 'its validation'}). Decided, wrong: with --reject="
        f"{flags.reject:g}, the error rate promised on clips like validation's. Intervals: 95 %, over people."
    )
    print(f"Written to {folder}. Next: fab ReportRuns")
