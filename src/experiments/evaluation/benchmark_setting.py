"""What stands beside the scores of a benchmark: protocol, overlap with the training, cue baseline and min t-DCF.

It may be missing at first and come later, while the scores stay: the training corpus was away, the scores of an ASV
were not in place, the tables did not say which parts the trials are of. So it is worked out anew at each call, but for
a cue baseline that is there, which takes long.
"""

from pathlib import Path
from typing import Any

import numpy as np

from src.corpora import OFFICIAL
from src.experiments.corpus.splits import ALL, read_split, split_recipe
from src.experiments.evaluation.cue_verdict import EACH, KEY, CueJudge
from src.experiments.evaluation.in_tandem import in_tandem, judge_in_tandem
from src.experiments.evaluation.overlap import Overlap
from src.utils.clip_table import ClipTable

NOTE_ON_CUES = "cue_baseline"
"""Key of `about`: why there is no cue baseline, or of how many clips it is."""


def renew_setting(
    results: dict[str, Any], dataset: Path, table: ClipTable, scores: np.ndarray, overlap: Overlap, cues: CueJudge
) -> None:
    """Put into the results of a corpus what stands beside the scores (n,) of its clips, as it is now."""
    about = results["about"]
    if "eer" in results and KEY not in results:
        _judge_cues(results, dataset, table, cues)
    for key in [key for key in results if key == "asv_eer" or key.startswith("min_tdcf")]:
        del results[key]
    about.pop("asv_scores", None)
    tandem, asv = judge_in_tandem(dataset, table, scores)
    results.update(tandem)
    worse = "worse than chance here" if "eer" in results and results["eer"]["value"] > 0.5 else ""
    remarks = [worse, in_tandem(tandem), str(overlap), about.get(NOTE_ON_CUES, "").removesuffix(".")]
    about.update(
        protocol=protocol_of(dataset, about["split"]),
        **asv,
        overlap=overlap.as_json(),
        remarks=[said for said in remarks if said],
    )


def _judge_cues(results: dict[str, Any], dataset: Path, table: ClipTable, cues: CueJudge) -> None:
    """Put into results what cheap cues alone achieve, of all spoofs and of each system's."""
    found = cues.judge(dataset, table)
    results[EACH] = found.by_cue
    results["about"][NOTE_ON_CUES] = found.note
    if found.eer:
        results[KEY] = found.eer
    for name, eer in found.by_system.items():
        results["breakdowns"]["system"][name][KEY] = eer


def protocol_of(dataset: Path, split: str) -> str:
    """Return what the clips of a corpus are called: all of which parts, or which split, and whether it is official."""
    if split == ALL:
        files = read_split(dataset, ALL)
        parts = sorted(set(files[OFFICIAL]) - {""}) if OFFICIAL in files else []
        return f"all trials ({', '.join(parts)})" if parts else "all clips"
    return f"official split, {split}" if split_recipe(dataset).get(OFFICIAL) is True else split
