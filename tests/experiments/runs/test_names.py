"""Names of runs and studies: one grammar, both ways, and only one place that knows it."""

import re
from pathlib import Path

import pytest

from src.experiments.runs import names
from src.experiments.runs.names import RunName, StudyName, all_runs_in, comparisons_in, existing_numbers, studies_in

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("text", ["run0", "run12", "svm_study0/run3", "my_net_study10/run0", "svm_study0"])
def test_names_are_written_as_they_are_read(text: str, tmp_path: Path) -> None:
    name = RunName.parse(text)
    assert str(name) == text
    assert name.folder(tmp_path) == tmp_path / "runs" / text
    for typed in (f"runs/{text}", f"./runs/{text}/", f" {text}/ "):
        assert RunName.parse(typed) == name


def test_parts_of_a_name() -> None:
    assert RunName.parse("a_study1_study2/run3") == RunName(StudyName("a_study1", 2), 3)
    assert RunName.parse("svm_study4") == StudyName("svm", 4).run()
    assert RunName.parse("run7") == RunName(None, 7)


@pytest.mark.parametrize(
    "text", ["", "run", "run007", "run-1", "svm_study/run3", "svm_study0/run3/x", "study0/run3", "x/run3", "run3/run4"]
)
def test_what_is_not_a_name_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"'{text}'")):
        RunName.parse(text)


def test_neither_study_nor_number_is_no_run() -> None:
    with pytest.raises(ValueError, match="Which run"):
        RunName(None, None)


def test_a_folder_tells_its_name(tmp_path: Path) -> None:
    for text in ("run3", "svm_study0/run3"):
        assert str(RunName.of(tmp_path / "runs" / text)) == text


def test_what_lies_in_runs_is_listed_by_number(tmp_path: Path) -> None:
    for folder in ("run10", "run9", "run007", "svm_study0/run1", "mlp_study2/run0", "svm_study0/other", "layers3", "x"):
        (tmp_path / "runs" / folder).mkdir(parents=True)
    assert list(map(str, all_runs_in(tmp_path))) == ["run9", "run10", "mlp_study2/run0", "svm_study0/run1"]
    assert studies_in(tmp_path) == [StudyName("mlp", 2), StudyName("svm", 0)]
    assert [folder.name for folder in comparisons_in(tmp_path)] == ["layers3"]
    assert existing_numbers(tmp_path / "runs", "svm_study") == [0]


def test_nothing_lies_where_there_is_no_folder(tmp_path: Path) -> None:
    assert list(all_runs_in(tmp_path)) == studies_in(tmp_path) == comparisons_in(tmp_path) == []


def test_no_other_file_builds_or_parses_names() -> None:
    """A run's name in an f-string, a glob, a regular expression or a removed prefix."""
    grammar = re.compile(
        r"""["/]run\{|["/]run\*|_study\{|_study\*|(?:prefix|suffix|partition|glob|numbers)\(["'](run|_study|study|layers)["']\)|run\[0-9|run\\d|layers\{"""
    )
    offenders = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / "src").rglob("*"))
        if path.suffix in (".py", ".html") and path != Path(names.__file__).resolve()
        for line in path.read_text(encoding="utf-8").splitlines()
        if grammar.search(line)
    ]
    assert offenders == []


def test_folders_are_renamed_in_one_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(names, "RUN", "attempt")
    monkeypatch.setattr(names, "STUDY", "_search")
    assert str(StudyName("svm", 0).run(3)) == "svm_search0/attempt3"
    assert RunName.parse("svm_search0/attempt3") == StudyName("svm", 0).run(3)
    (tmp_path / "runs" / "svm_search0" / "attempt3").mkdir(parents=True)
    assert list(map(str, all_runs_in(tmp_path))) == ["svm_search0/attempt3"]
