"""Tasks that turn a folder of recordings into tables, new corpora and splits."""

from pathlib import Path

from fabric import Connection

from src.audio.vocoders import VOCODERS
from src.corpora import LAYOUTS
from src.tasks.command_line import command
from src.tasks.layout_flags import LAYOUT_HELP, LayoutFlags
from src.tasks.words import RELEASE, listed, on
from src.utils.speech_engines import ENGINES


@command("PrepareDataset", output="folder to prepare (default datasets/release)", dry_run="only say what would be done")
def prepare_dataset(c: Connection, output: Path = RELEASE, dry_run: bool = False) -> None:
    """Download CETUC and Fake Voices and lay them out as a corpus."""
    from src.corpora.cetuc_fake_voices import plan, prepare

    print("\n".join(map(str, plan(output))) if dry_run else prepare(output))
    print(f"Next: fab {'PrepareDataset' if dry_run else 'GenerateDatasetCSV' + on(output)}")


@command("GenerateDatasetCSV", layout=f"how the folder is laid out: {listed(LAYOUTS)} (default audios)", **LAYOUT_HELP)
def generate_dataset_csv(c: Connection, flags: LayoutFlags) -> None:
    """List the recordings of a corpus in files-metadata.csv and people-metadata.csv."""
    from src.audio.storage.source import Source
    from src.corpora.linking import link_corpus
    from src.experiments.corpus.catalogue import generate_tables

    if flags.cache_gb is not None and not flags.source:
        raise ValueError("`cache_gb` goes with `source`, which names where the recordings are fetched from.")
    if flags.source:
        linked = link_corpus(flags.dataset, Source(flags.source, 100.0 if flags.cache_gb is None else flags.cache_gb))
        print("\n".join([f"{linked}.", *(f"Note: {note}" for note in linked.notes)]))
    made = generate_tables(flags.dataset, flags.layout, flags.options)
    for note in made.notes:
        print(f"Note: {note}")
    print(f"{made}. Next: fab AddDatasetDuration{on(flags.dataset)}")


@command("AddDatasetDuration")
def add_dataset_duration(c: Connection, dataset: Path = RELEASE, jobs: int = 0) -> None:
    """Add the column duration (seconds) to files-metadata.csv."""
    from src.experiments.corpus.catalogue import add_duration

    print(f"{add_duration(dataset, jobs)}. Next: fab AddDatasetAmplitude{on(dataset)}")


@command("AddDatasetAmplitude")
def add_dataset_amplitude(c: Connection, dataset: Path = RELEASE, jobs: int = 0) -> None:
    """Add the column amplitude (peak, 0 to 1) to files-metadata.csv."""
    from src.experiments.corpus.catalogue import add_amplitude

    print(f"{add_amplitude(dataset, jobs)}. Next: fab DatasetInfo{on(dataset)}")


@command("DatasetInfo")
def dataset_info(c: Connection, dataset: Path = RELEASE, jobs: int = 0) -> None:
    """Report what a corpus holds, and what reveals the class without listening; its tables stay as they are."""
    from src.experiments.corpus.inspection import inspect_dataset

    print(f"{inspect_dataset(dataset, jobs)}\nNext: fab SplitDataset{on(dataset)}")


@command(
    "NormalizeDataset",
    method="peak (default: largest sample at full scale) or rms",
    target_rms="root mean square that --method=rms brings every clip to, 0 to 1 (default 0.1)",
    trim="also cut the silence before and after the speech",
    remove_shortcuts="even out all cheap cues that can be: offset, rumble, band, silence, level, background noise",
)
def normalize_dataset(
    c: Connection,
    dataset: Path = RELEASE,
    output: Path | None = None,
    method: str = "",
    target_rms: float | None = None,
    trim: bool = False,
    remove_shortcuts: bool = False,
) -> None:
    """Write a new corpus whose clips have one level, format and sample rate."""
    from src.experiments.corpus import transforms

    if remove_shortcuts:
        if method or trim or target_rms is not None:
            raise ValueError(
                "`remove_shortcuts` sets level and silence itself: leave out `method`, `target_rms` and `trim`."
            )
        made = transforms.remove_shortcuts(dataset, output)
    else:
        target = 0.1 if target_rms is None else target_rms
        made = transforms.normalize_dataset(dataset, output, method=method or "peak", target_rms=target, trim=trim)
    print(f"{made}. Next: fab SplitDataset{on(made.folder)}")


@command("AddNoise", snr="signal-to-noise ratio in dB (default 20)")
def add_noise(
    c: Connection,
    dataset: Path = RELEASE,
    output: Path | None = None,
    snr: float = 20.0,
    seed: int = 7,
) -> None:
    """Write a new corpus whose clips carry white noise."""
    from src.experiments.corpus import transforms

    made = transforms.add_noise_to_dataset(dataset, output, snr=snr, seed=seed)
    print(f"{made}. Next: fab SplitDataset{on(made.folder)}")


@command(
    "CreateSpoofs",
    dataset="folder with real_voices/, or a corpus of any layout with its tables (default datasets/release)",
    vocoder=f"{listed(VOCODERS)}, or several separated by commas (default griffinlim)",
    output="folder of the new corpus (default: beside the dataset, named after the step; with --tts= beside the text)",
    tts=f"speak --text= by an engine that is installed, in place of copying: {listed(ENGINES)} (default none)",
    text="file with one sentence a line, for --tts=",
    voice="voice of the engine, or several separated by commas, such as en-us,en-us+f3; :F or :M behind one = gender",
)
def create_spoofs(
    c: Connection,
    dataset: Path = RELEASE,
    vocoder: str = "",
    tts: str = "",
    text: Path | None = None,
    voice: str = "",
    output: Path | None = None,
    seed: int = 7,
) -> None:
    """Write a new corpus of bona fide speech and copies of it by vocoders; or of spoofs spoken from a text."""
    from src.experiments.corpus import speaking, spoofing

    if tts:
        if vocoder:
            raise ValueError("`vocoder` copies bona fide speech and `tts` speaks a text: leave out one of the two.")
        if text is None:
            raise ValueError("What is to be spoken? Name a file with one sentence a line: `text=FILE`.")
        made = speaking.speak_text(text, output, tts=tts, voice=voice)
        print(f"{made}. Next: fab AddDatasetDuration{on(made.folder)}")
        return
    if text or voice:
        raise ValueError(f"`text` and `voice` are for `tts`, which names an engine: {listed(ENGINES)}.")
    made = spoofing.create_spoofs(dataset, output, vocoder=vocoder or "griffinlim", seed=seed)
    print(f"{made}. Next: fab SplitDataset{on(made.folder)}")


@command("CutNoise", dataset="folder of Speech Commands (default datasets/release)")
def cut_noise(c: Connection, dataset: Path = RELEASE, output: Path | None = None) -> None:
    """Write a new corpus of the words of Speech Commands and one-second clips of its noise."""
    from src.experiments.corpus import noise_cutting

    made = noise_cutting.cut_noise(dataset, output)
    print(f"{made}. Next: fab AddDatasetDuration{on(made.folder)}")


@command("SpliceSpoofs", clips="partly spoofed clips to make, and as many spliced bona fide ones (default 200)")
def splice_spoofs(
    c: Connection,
    dataset: Path = RELEASE,
    clips: int = 200,
    output: Path | None = None,
    seed: int = 7,
) -> None:
    """Write a new corpus of partly spoofed clips, and of bona fide clips that are spliced in the same way."""
    from src.experiments.corpus import splicing

    made = splicing.splice_spoofs(dataset, output, clips=clips, seed=seed)
    print(f"{made}. Next: fab AddDatasetDuration{on(made.folder)}")


@command(
    "SplitDataset",
    pretext="share of the people with spoofs for the pretext task; 0 = no pretext splits (default 0.6)",
    pretext_train="share of those for its training (default 0.8)",
    train="share of the other people for training classifiers (default 0.7)",
    val="share of the other people for validation, the rest is the test (default 0.2)",
    official="take the split that the makers of the corpus published; there is no pretext split then",
    hold_out="system or corpus: validation has other spoof systems, or corpora, than training (default: the same)",
)
def split_dataset(
    c: Connection,
    dataset: Path = RELEASE,
    pretext: float = 0.6,
    pretext_train: float = 0.8,
    train: float = 0.7,
    val: float = 0.2,
    official: bool = False,
    hold_out: str = "",
    seed: int = 7,
) -> None:
    """Split a corpus by person, balanced by gender, into pretext and downstream splits."""
    from src.experiments.corpus import splits
    from src.experiments.corpus.notes import people_notes
    from src.experiments.corpus.official import split_officially
    from src.utils.dataset import read_files

    for note in people_notes(read_files(dataset)):
        print(f"Note: {note}")
    shares = splits.SplitShares(pretext, pretext_train, train, val, hold_out)
    if official:
        found = split_officially(dataset, shares, seed=seed)
        print("\n".join(f"Note: {note}" for note in found.notes), end="\n" if found.notes else "")
        made = found.by_file
    else:
        made = splits.split_dataset(dataset, shares, seed=seed)
    print("\n".join(splits.describe(name, clips) for name, clips in made.items()))
    print(f"Written to {dataset / 'splits'}. Next: fab GenerateEmbeddings --backbone=lfcc{on(dataset)}")
