"""What was typed is noted in a run's provenance, but for the passwords in it."""

import json

import pytest

from src.experiments.runs.provenance import describe_origin, now


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("--storage=postgresql://ann:secret@host/base", "--storage=postgresql://ann:***@host/base"),
        ("postgresql://ann:secret@host/base", "postgresql://ann:***@host/base"),
        (
            "--storage=postgresql+psycopg://ann@cloud:secret@host/base",
            "--storage=postgresql+psycopg://ann@cloud:***@host/base",
        ),
        ("--storage=postgresql://ann:se:c/r@secret@host/base", "--storage=postgresql://ann:***@host/base"),
        ("--storage=redis://:secret@host", "--storage=redis://:***@host"),
        (
            "--storage=postgresql://host/b?user=ann&password=secret&port=1",
            "'--storage=postgresql://host/b?user=ann&password=***&port=1'",
        ),
        ("--storage=postgresql://ann@host:5432/base", "--storage=postgresql://ann@host:5432/base"),
        ("--dataset=a:b@c", "--dataset=a:b@c"),
    ],
)
def test_passwords_are_never_written(typed: str, written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["fab", "OptimizeHyperparameters", typed])
    origin = describe_origin(seed=7, data={}, started=now())
    shown = origin["command"].replace("'", "")
    assert shown == f"fab OptimizeHyperparameters {written}".replace("'", "")
    assert "secret" not in json.dumps(origin)
