"""In-the-Wild: speech of politicians and celebrities from the web, and deepfakes of the same people.

    <corpus>/release_in_the_wild/meta.csv      file,speaker,label: `0.wav,Alec Guinness,spoof`
    <corpus>/release_in_the_wild/0.wav, ...

`<corpus>` may also be the folder `release_in_the_wild` itself. 58 people; what made the spoofs, and the gender of
people, is not published: the system is empty, the gender U. There is no official split: the corpus is for testing.

Source: Müller et al., "Does Audio Deepfake Detection Generalize?", Interspeech 2022; deepfake-total.com. Licence:
Apache-2.0 as stated there; the recordings belong to those who published them.
"""

from pathlib import Path

from src.corpora import Listing
from src.corpora.protocols import Form, read_protocol
from src.corpora.recordings import as_files, as_people, find_recordings, join_recordings, with_people

TABLE, FOLDER = "meta.csv", "release_in_the_wild"
FORM = Form(("file", "speaker", "label"), id="file", label="label", separator=",", header=True, quotes=True)
PUBLISHED = {"": (19963, 11816)}


def read_layout(dataset: Path) -> Listing:
    """List the clips of In-the-Wild, sorted by file.

    Raises
    ------
    FileNotFoundError
        When the folder does not hold the corpus.
    ValueError
        When its table is wrong, or no row has a recording.
    """
    folder = next((name for name in ("", FOLDER) if (dataset / name / TABLE).is_file()), None)
    if folder is None:
        raise FileNotFoundError(
            f"{dataset} does not hold In-the-Wild as published, such as {TABLE} and 0.wav: give the folder that holds "
            "them."
        )
    rows = read_protocol(dataset / folder / TABLE, FORM)
    recordings = find_recordings(dataset, [folder])
    named = rows.rename(columns={"file": "name"})
    joined, notes = join_recordings(named, recordings, column="name", what=TABLE)
    if joined.empty:
        raise ValueError(f"None of the {len(rows)} rows of {dataset / folder / TABLE} has a recording beside it.")
    files = with_people(joined[["file", "label"]].assign(system=""), as_people(joined["speaker"]))
    return Listing(as_files(files), (*recordings.notes, *notes), has_protocol=True, published=PUBLISHED)
