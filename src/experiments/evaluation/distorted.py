"""The clips of a test, distorted, and the scores that a run gives them: on the way that its own clips took.

The distorted clips are written as a corpus for a moment, with tables and a split of their own. From there everything is
as in a test: a detector reads the recordings, a classifier's embeddings are computed by the run's own backbone, with
its model, precision and windows. So a clip that no distortion touched gets the score that TestModel gives it.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from src.audio.augment.sources import NO_SOURCES, Sources
from src.backbones import load_backbone
from src.backbones.contract import Backbone
from src.experiments.corpus.copies import Steps, augmented
from src.experiments.corpus.derivation import Derivation, Job
from src.experiments.corpus.splits import read_split, split_table
from src.experiments.evaluation.held_out import HeldOut, HeldOutClips
from src.experiments.evaluation.own_requests import own_requests
from src.experiments.extraction.extract import extract
from src.experiments.extraction.plan import make_plan
from src.experiments.extraction.requests import Request
from src.experiments.inputs.contract import TRAIN
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.artefacts import STRESS
from src.experiments.training.trained import Trained
from src.utils.csv_tables import write_table
from src.utils.dataset import FILE_COLUMNS, write_tables

PART = "part-"
"""Prefix of the folders of distorted clips, which last as long as they are scored."""


@dataclass
class DistortedTest:
    """A test that can be repeated on distorted clips."""

    trained: Trained
    test: HeldOut
    clips: HeldOutClips
    model: str | None = None
    """Folder of the backbone's model, where the run's was a local one."""
    _backbones: list[tuple[Request, Backbone]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.trained.recipe.input.kind == "scores":
            raise ValueError(
                f"{self.trained.name} is a fusion of the scores of other runs: test those runs under distortions."
            )

    def scores(self, steps: Mapping[str, Steps], name: str, sources: Sources = NO_SOURCES) -> dict[str, float]:
        """Return file -> score of every clip of the test that can still be used once it is distorted.

        Parameters
        ----------
        steps : mapping of str to tuple of Step
            What is done to each file of the test.
        name : str
            Of the distortion.
        sources : Sources
            Where the recordings lie that steps mix in.
        """
        place = self.trained.folder / STRESS  # where there is room, as a folder for temporary files may not have
        place.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=PART, dir=place) as folder:
            root = Path(folder)
            dataset = self._write(root / "datasets" / self.clips.dataset.name, steps, name, sources)
            if isinstance(self.trained.recipe.input, Embeddings):
                self._embed(self.trained.recipe.input, dataset, root)
            opened = self.trained.open(dataset, root)
            origin = opened.origin(self.test.split)
            what = f"The {self.trained.recipe.input.kind} of {self.trained.folder} and those of distorted clips"
            self.trained.recipe.input.require_like(self.trained.origin(TRAIN), origin, what)
            table = opened.read(self.test.split)
            scores = self.trained.scores(table)
        return {self._names[made]: score for made, score in zip(table.files.tolist(), scores.tolist(), strict=True)}

    def _write(self, dataset: Path, steps: Mapping[str, Steps], name: str, sources: Sources) -> Path:
        """Write the distorted clips of the test as a corpus that holds nothing else."""
        source = self.clips.dataset
        rows = read_split(source, self.test.split).set_index("file", drop=False).loc[self.clips.table.files]
        self._names = {f"{number:06d}.flac": file for number, file in enumerate(rows["file"])}
        jobs = [Job(source / file, dataset / made, 0, steps=steps[file]) for made, file in self._names.items()]
        derivation = Derivation(source, dataset, {"step": "StressTest"}, jobs)
        derivation.start()
        unusable = derivation.run(jobs, partial(augmented, sources=sources), name)
        kept = rows[FILE_COLUMNS].assign(file=list(self._names))
        kept = kept[~kept["file"].isin(unusable.keys())]
        if kept.empty:
            file, reason = next(iter(unusable.items()))
            raise ValueError(f"No clip can be used once {name} has distorted it ({self._names[file]}: {reason}).")
        write_tables(dataset, kept)
        write_table(split_table(dataset, self.test.split), kept)
        return dataset

    def _embed(self, wanted: Embeddings, dataset: Path, root: Path) -> None:
        """Compute the embeddings of the distorted clips, by backbones that are loaded once for all distortions."""
        if not self._backbones:
            requests = own_requests(self.trained, wanted, split=self.test.split, model=self.model)
            self._backbones = [(each, load_backbone(each.backbone, each.model, **each.options)) for each in requests]
        for asked, backbone in self._backbones:
            request = replace(asked, dataset=dataset)
            for part in make_plan(request, root=root).splits:
                extract(part, backbone, request)
