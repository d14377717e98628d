"""One split planned and extracted in this process, with whatever backbone a test brings along."""

from pathlib import Path

from src.backbones.contract import Backbone
from src.experiments.extraction.extract import extract
from src.experiments.extraction.plan import make_plan
from src.experiments.extraction.requests import Extraction, Limits, Request, Share


def extract_one(
    dataset: Path,
    split: str,
    backbone: Backbone,
    *,
    root: Path,
    limits: Limits | None = None,
    share: Share | None = None,
) -> Extraction:
    """Plan a split as one of the backbone lfcc, and extract it with `backbone`."""
    request = Request(dataset, [split], "lfcc", limits=limits or Limits(), share=share or Share())
    (part,) = make_plan(request, root=root).splits
    return extract(part, backbone, request)
