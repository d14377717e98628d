"""Recipes draw what they say, refuse what cannot be, and survive JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.audio.augment import contract
from src.audio.augment.built_in import RECIPES
from src.audio.augment.contract import EFFECTS, check_machine, find_effect
from src.audio.augment.recipes import Entry, Option, Recipe, read_recipe, recipe_from_json
from src.audio.augment.sources import NO_SOURCES, Sources
from src.audio.augment.steps import Step, apply_steps, keep_length, make_step

PEOPLE = Sources(Path("corpus"), tuple(f"{number}.flac" for number in range(9)))


@pytest.mark.parametrize("name", EFFECTS)
def test_every_effect_of_the_table_is_whole(name: str) -> None:
    effect = find_effect(name)
    assert effect.imitates
    assert effect.strengths
    for strength in effect.strengths:
        make_step(name, 0, (), **strength)
    assert not effect.how_many or effect.how_many in effect.parameters


@pytest.mark.parametrize("name", RECIPES)
def test_built_in_recipes_keep_the_length_and_come_back_from_json(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.keeps_length
    again = recipe_from_json(name, json.loads(json.dumps(recipe.as_json())))
    assert again == recipe
    assert again.digest == recipe.digest
    assert len({read_recipe(other).digest for other in RECIPES}) == len(RECIPES)


@settings(deadline=None)
@given(st.sampled_from(list(RECIPES)), st.integers(0, 2**63))
def test_the_same_generator_draws_the_same_steps(name: str, seed: int) -> None:
    first, again = (read_recipe(name).draw(np.random.default_rng(seed), PEOPLE) for _ in range(2))
    assert first == again
    assert keep_length(first)
    for step in first:
        assert Step.from_json(json.loads(json.dumps(step.as_json()))) == step


def test_entries_happen_as_often_as_they_say_and_ranges_are_filled() -> None:
    options = (Option("white", {"snr": {"from": 5, "to": 15}}), Option("level", {"dbfs": [-20, -30]}))
    recipe = Recipe("mine", (Entry(0.25, options),))
    rng = np.random.default_rng(0)
    drawn = [step for _ in range(4000) for step in recipe.draw(rng)]
    assert len(drawn) == pytest.approx(1000, abs=100)
    ratios = [step.parameters["snr"] for step in drawn if step.effect == "white"]
    assert len(ratios) == pytest.approx(len(drawn) / 2, abs=60)
    assert min(ratios) == pytest.approx(5, abs=0.2)
    assert max(ratios) == pytest.approx(15, abs=0.2)
    assert {step.parameters["dbfs"] for step in drawn if step.effect == "level"} == {-20, -30}
    assert len({step.seed for step in drawn}) == len(drawn)


def test_babble_takes_as_many_people_as_it_has_talkers_each_once() -> None:
    recipe = Recipe("babble", (Entry(1, (Option("babble", {"talkers": [5]}),)),))
    (step,) = recipe.draw(np.random.default_rng(0), PEOPLE)
    assert len(set(step.files)) == 5
    with pytest.raises(ValueError, match=r"mixes in recordings \(people\) needs recordings of other people"):
        recipe.draw(np.random.default_rng(0))


REFUSED = [
    ({}, "A recipe is a list of entries"),
    ([3], "An entry of a recipe is an object of probability and one_of"),
    ([{"probability": 2, "one_of": [{"effect": "white"}]}], "must lie between 0 and 1, not 2"),
    ([{"probability": "often", "one_of": [{"effect": "white"}]}], "must be a number, not 'often'"),
    ([{"probability": 1, "one_of": []}], "needs at least one effect"),
    ([{"probability": 1, "one_of": [{"effect": "thunder"}]}], "Unknown effect 'thunder'; allowed: white, pink"),
    ([{"probability": 1, "one_of": [{"effect": ["white"]}]}], "Unknown effect '\\['white'\\]'; allowed: white, pink"),
    ([{"probability": 1, "one_of": [{"effect": {}}]}], "Unknown effect '{}'; allowed: white, pink"),
    ([{"probability": 1, "one_of": [{"effect": "white", "parameters": {"snr": 99}}]}], "between -20 and 60 dB, not 99"),
    ([{"probability": 1, "one_of": [{"effect": "white", "parameters": {"db": 9}}]}], "has no `db`; allowed: snr"),
    ([{"probability": 1, "one_of": [{"effect": "white", "parameters": {"snr": {"from": 9, "to": 1}}}]}], "be a value"),
    ([{"probability": 1, "one_of": [{"effect": "mu_law", "parameters": {"band": "wide"}}]}], "one of: line, open"),
    ([{"probability": 1, "one_of": [{"effect": "amr", "parameters": {"kbps": {"from": 4.75, "to": 12.2}}}]}], "range"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "said"), REFUSED)
def test_a_recipe_that_cannot_be_is_refused_in_one_line(content: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=said) as caught:
        read_recipe(str(path))
    assert "\n" not in str(caught.value)
    assert "mine.json" in str(caught.value)


def test_a_recipe_that_is_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Unknown recipe 'fields'; allowed: field, noise"):
        read_recipe("fields")
    with pytest.raises(FileNotFoundError, match=r"There is no recipe .*gone\.json"):
        read_recipe(str(tmp_path / "gone.json"))
    (tmp_path / "torn.json").write_text("[{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"torn\.json is no JSON"):
        read_recipe(str(tmp_path / "torn.json"))


def test_a_package_or_an_encoder_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="needs the package pyroomacoustics, which is not installed: pip install"):
        check_machine("room")
    monkeypatch.setattr("src.audio.augment.coding.has_encoder", lambda name: False)
    with pytest.raises(ValueError, match="needs FFmpeg's encoder libmp3lame"):
        apply_steps([make_step("mp3")], np.ones(99, np.float32), 16_000)
    with pytest.raises(ValueError, match="needs FFmpeg's encoder"):
        read_recipe("codecs").check(NO_SOURCES)


@pytest.mark.parametrize("waveform", [np.zeros(0), np.zeros((2, 9)), np.array([0.1, np.nan])])
def test_what_is_no_waveform_is_refused(waveform: np.ndarray) -> None:
    with pytest.raises(ValueError, match="`waveform` must be finite samples"):
        apply_steps([make_step("level")], waveform, 16_000)


@pytest.mark.parametrize("record", [{}, 3, {"effect": "white", "parameters": {}, "seed": -1, "files": []}])
def test_what_is_no_step_is_refused(record: object) -> None:
    with pytest.raises(ValueError, match=r"A step is a JSON object|seed of a step"):
        Step.from_json(record)


def test_recordings_are_found_in_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b/2.wav", "a.flac", ".hidden.wav", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert Sources(noises=tmp_path).names("noises") == ("a.flac", "b/2.wav")
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        Sources(noises=tmp_path / "gone").names("noises")
