"""A run written as one file, checked by the file's own runtime before it gets its name.

The file is made under a temporary name, run at several lengths and batches against the run itself, and renamed only
when it says the same: a file whose check failed is never seen. Floats are summed in another order by every runtime, so
scores differ in their last digits (`TOLERANCE`). Two kinds of runs differ by more. The score of trees jumps where a
feature lies at a threshold: so much is allowed as the leaves within its reach explain (`trees.py`). The backbone of a
run may compute in bf16, with two to three digits, and its file in float32: the file must equal the run's own module in
float32, and the run itself but roughly (`ROUGH`). Of such a run, and of weights of eight bits, which give other scores
too and must equal the run roughly, the EER of the validation clips before and after tells what the difference costs;
where eight bits cost too much, the file is removed (`validation.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from src.deploy.exporting import FORMATS, PRECISIONS
from src.deploy.exporting.checking import Check, compare
from src.deploy.exporting.formats import Format
from src.deploy.exporting.int8 import to_int8
from src.deploy.exporting.module import Exportable, run_module
from src.deploy.exporting.sidecar import example, interface, origin
from src.deploy.exporting.validation import Agreement, require_order, validate
from src.deploy.judge import open_judge
from src.experiments.runs.provenance import describe_origin, now
from src.experiments.training.trained import Trained
from src.utils.files import atomic_path, check_output, file_digest, write_json, write_text
from src.utils.registry import lookup, require_known

FOLDER = "export"
"""Within the run's folder, where no output is named."""
TOLERANCE, ROUGH = 0.01, 1.0
"""Largest difference of two scores, in natural units, or as a share of scores above 1."""
PACKAGES = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime", "numpy")


@dataclass(frozen=True)
class Wish:
    """What is to be made of a run."""

    format: str = "onnx"
    precision: str = "fp32"
    output: Path | None = None
    """None = in the run's folder."""
    model: str | None = None
    """Folder of the backbone's model, where the run's was a local one."""

    def __post_init__(self) -> None:
        require_known(FORMATS, self.format, "format")
        require_known(dict.fromkeys(PRECISIONS), self.precision, "precision")
        if self.precision == "int8" and self.format != "onnx":
            raise ValueError(
                f"`precision=int8` is for `format=onnx`, not for {self.format}, whose runtimes have no products of "
                "whole numbers for it."
            )


@dataclass(frozen=True)
class Export:
    """A file that was made, and what its check found."""

    path: Path
    n_bytes: int
    threshold: float
    checks: Sequence[Check]
    agreement: Agreement | str | None
    """None where it was not asked for; words where there is none."""
    n_products: int = field(default=0)
    """Matrix products of whole numbers, with int8."""

    def __str__(self) -> str:
        worst = max(self.checks, key=lambda check: check.difference)
        lines = [
            f"{self.path} ({self.n_bytes / 1e6:.1f} MB): waveforms at 16 kHz in, calibrated scores out; bona fide "
            f"where a score is {self.threshold:.4g} or more.",
            f"Run by its own runtime at {len(self.checks)} sizes: scores differ from those of the run by at most "
            f"{worst.difference:.2g} ({worst.clips} x {worst.seconds:g} s).",
        ]
        if self.n_products:
            lines.append(f"{self.n_products} matrix products have weights of eight bits.")
        if isinstance(self.agreement, Agreement):
            found = self.agreement
            lines.append(
                f"EER of {found.clips} validation clips: {found.eer_before:.2%} before, {found.eer_after:.2%} after; "
                f"scores differ by at most {found.largest_difference:.2g}."
            )
            if found.rise > found.one_clip:
                lines.append(f"The file errs more often than its run: its EER is {100 * found.rise:.2f} points higher.")
        elif self.agreement:
            lines.append(f"No EER before and after: {self.agreement}.")
        return "\n".join([*lines, f"Beside it: {sidecar_of(self.path).name} and {example_of(self.path).name}."])


def export_run(trained: Trained, wish: Wish, root: Path) -> Export:
    """Write a run as one file, with a record and an example beside it.

    Parameters
    ----------
    trained : Trained
    wish : Wish
    root : Path
        Holds `runs/`.

    Raises
    ------
    FileNotFoundError
        When the run's weights were dropped, or its backbone's model is not there.
    ValueError
        When the run does not fit the format, what the format needs is not installed, or the file does not say what the
        run says.
    """
    chosen: Format = lookup(FORMATS, wish.format, "format")
    chosen.require_packages()
    path, started = _path(trained, wish, chosen), now()
    judge = open_judge(trained, root=root, model=wish.model, device="cpu")
    exportable = run_module(trained, root, wish.model)
    with atomic_path(path) as temporary:
        chosen.write(exportable, temporary)
        n_products = to_int8(temporary) if wish.precision == "int8" else 0
        run = chosen.open(temporary)
        checks = compare(run, judge, exportable)
        require_agreement(checks, exportable, str(trained.name), is_int8=n_products > 0)
        agreement = validate(run, trained, exportable) if n_products or exportable.rounded else None
        if n_products and agreement:
            require_order(agreement, checks, str(trained.name))
        n_bytes, digest = temporary.stat().st_size, file_digest(temporary)
    made = Export(path, n_bytes, trained.threshold, checks, agreement, n_products)
    about = _record(made, wish, trained, exportable)
    how = describe_origin(seed=int(trained.inputs["seed"]), data={}, started=started)
    write_json(sidecar_of(path), {**about, "sha256": digest, "made": {key: how[key] for key in ("machine", "ended")}})
    write_text(example_of(path), example(path.name, chosen))
    return made


def require_agreement(checks: Sequence[Check], exportable: Exportable, name: str, *, is_int8: bool = False) -> None:
    """Raise ValueError when a file does not give the scores of its run."""
    for check in checks:
        size = max(1.0, check.largest_score)
        limits = [] if is_int8 else [(check.unexplained, TOLERANCE * size)]
        if exportable.rounded or is_int8:
            limits.append((check.difference, ROUGH * size))
        for difference, allowed in limits:
            if difference > allowed:
                raise ValueError(
                    f"The file gives other scores than {name}: they differ by {difference:.3g} for {check.clips} x "
                    f"{check.seconds:g} s, and {allowed:.3g} is allowed. It was removed; "
                    f"{'export with `precision=fp32`' if is_int8 else 'try another `format`'}."
                )


def sidecar_of(path: Path) -> Path:
    """Return where the record of an exported file lies.

    >>> sidecar_of(Path("a/model.onnx")).name, example_of(Path("a/model.onnx")).name
    ('model.onnx.json', 'model.onnx_example.py')
    """
    return path.with_name(f"{path.name}.json")


def example_of(path: Path) -> Path:
    """Return where the example of an exported file lies."""
    return path.with_name(f"{path.name}_example.py")


def _path(trained: Trained, wish: Wish, chosen: Format) -> Path:
    name = f"model{'-int8' if wish.precision == 'int8' else ''}{chosen.suffix}"
    path = wish.output or trained.folder / FOLDER / name
    check_output(path, trained.folder.iterdir())
    if path.suffix != chosen.suffix:
        raise ValueError(f"`output` of {wish.format} ends with {chosen.suffix}, not with '{path.suffix}': {path}.")
    return path


def _record(made: Export, wish: Wish, trained: Trained, exportable: Exportable) -> dict[str, Any]:
    """Return what the sidecar says, but for the digest and when and where the file was made."""
    agreement = made.agreement.as_json() if isinstance(made.agreement, Agreement) else made.agreement
    return {
        "file": made.path.name,
        "format": wish.format,
        "precision": wish.precision,
        "bytes": made.n_bytes,
        **interface(exportable),
        "threshold": made.threshold,
        **origin(trained, wish.model),
        "checks": [check.as_json() for check in made.checks],
        "validation": agreement,
        "int8_products": made.n_products,
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
