"""Every effect, whatever is drawn: as long as promised, finite, within full scale, and repeatable in any process."""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.audio.augment import EFFECTS
from src.audio.augment.contract import Choice, check_machine, find_effect
from src.audio.augment.sources import Sources
from src.audio.augment.steps import Step, apply_steps, make_step
from src.audio.io import save_waveform

ROOT = Path(__file__).resolve().parents[3]
RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000)
SOON = settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))


def had_here(name: str) -> bool:
    try:
        check_machine(name)
    except ValueError:
        return False
    return True


HERE = [name for name in EFFECTS if had_here(name)]
LENGTHS = {
    "speed": lambda n, step, _rate: round(n / step.parameters["factor"]),
    "stretch": lambda n, step, _rate: round(n / step.parameters["factor"]),
}
"""How long a waveform is after the effects that change its length, but for trimming."""


def speech_like(seed: int, rate: int, seconds: float, gain: float = 1.0) -> np.ndarray:
    """Return a buzz of a gliding pitch beside noise, louder and softer four times a second."""
    n = round(rate * seconds)
    time = np.arange(n) / rate
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 1.5 * time)) / rate
    voice = sum(np.cos(k * phase) / k for k in range(1, int(min(rate / 2, 5000) / 160)))
    envelope = 0.02 + np.sin(np.pi * 4 * time + seed) ** 2
    sound = envelope * (voice + 0.1 * np.random.default_rng(seed).standard_normal(n))
    return (gain * 0.5 * sound / np.abs(sound).max()).astype(np.float32)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """Return six people, one noise and one room response on a disk."""
    folder = tmp_path_factory.mktemp("sources")
    for kind in ("people", "noises/deep", "rooms"):
        (folder / kind).mkdir(parents=True)
    for number in range(6):
        save_waveform(folder / f"people/{number}.flac", speech_like(number, 16_000, 0.5 + number / 4))
    save_waveform(folder / "noises/deep/hum.flac", speech_like(9, 16_000, 3.0))
    fading = np.random.default_rng(0).standard_normal(3200) * np.exp(-np.arange(3200) / 400)
    fading[40] = 4.0
    save_waveform(folder / "rooms/hall.flac", (fading / 5).astype(np.float32))
    people = tuple(f"{number}.flac" for number in range(6))
    return Sources(folder / "people", people, folder / "noises", folder / "rooms")


@st.composite
def steps(draw: st.DrawFn, name: str) -> Step:
    """Draw any step of an effect: every parameter anywhere in its range."""
    drawn = {}
    for parameter, allowed in find_effect(name).parameters.items():
        if isinstance(allowed, Choice):
            drawn[parameter] = draw(st.sampled_from(allowed.allowed))
        elif allowed.whole:
            drawn[parameter] = draw(st.integers(int(allowed.low), int(allowed.high)))
        else:
            drawn[parameter] = draw(st.floats(allowed.low, allowed.high))
    if name == "room":  # a response takes long where it is long
        drawn |= {"rt60": draw(st.sampled_from([0.1, 0.17, 0.3])), "room": drawn["room"] % 3}
    return make_step(name, draw(st.integers(0, 2**32 - 1)), (), **drawn)


def with_files(step: Step, sources: Sources) -> Step:
    effect = find_effect(step.effect)
    if not effect.draws:
        return step
    count = int(step.parameters[effect.how_many]) if effect.how_many else 1
    files = sources.draw(effect.draws, count, np.random.default_rng(step.seed))
    return Step(step.effect, step.parameters, step.seed, files)


@pytest.mark.parametrize("name", HERE)
def test_whatever_is_drawn_the_result_is_finite_within_full_scale_and_as_long_as_promised(
    name: str, sources: Sources
) -> None:
    @SOON
    @given(steps(name), st.sampled_from(RATES), st.sampled_from([0.1, 0.137, 0.6]), st.sampled_from([1e-3, 0.5, 2.0]))
    def check(step: Step, rate: int, seconds: float, gain: float) -> None:
        step = with_files(step, sources)
        clean = speech_like(step.seed % 99, rate, seconds, gain)
        before = clean.copy()
        made = apply_steps([step], clean, rate, sources)
        assert made.dtype == np.float32
        assert np.isfinite(made).all()
        assert np.abs(made).max() <= 1
        np.testing.assert_array_equal(clean, before)
        if find_effect(name).keeps_length:
            assert made.size == clean.size
        elif name in LENGTHS:
            assert made.size == LENGTHS[name](clean.size, step, rate)
        else:
            assert 0 < made.size <= clean.size
        again = Step.from_json(json.loads(json.dumps(step.as_json())))
        assert again == step
        np.testing.assert_array_equal(apply_steps([again], clean, rate, sources), made)

    check()


@pytest.mark.parametrize("name", HERE)
def test_silence_and_a_single_click_are_no_special_case(name: str, sources: Sources) -> None:
    step = with_files(make_step(name), sources)
    for waveform in (np.zeros(1600, np.float32), np.eye(1, 1600, 800, dtype=np.float32)[0], np.ones(1, np.float32)):
        made = apply_steps([step], waveform, 16_000, sources)
        assert np.isfinite(made).all()
        assert np.abs(made).max(initial=0) <= 1
        assert made.size == waveform.size or not find_effect(name).keeps_length


@pytest.mark.parametrize("name", HERE)
def test_an_effect_touches_no_generator_that_all_share_and_its_seed_alone_decides(name: str, sources: Sources) -> None:
    clean = speech_like(1, 16_000, 0.4)
    states = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    step = with_files(make_step(name, seed=5), sources)
    made = apply_steps([step], clean, 16_000, sources)
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    other = apply_steps([Step(name, step.parameters, 6, step.files)], clean, 16_000, sources)
    drawn_by_seed = {"white", "pink", "babble", "noise", "microphone", "packet_loss", "pitch", "stretch"}
    if name in drawn_by_seed - {"pitch", "stretch"} or name.startswith("rawboost"):
        assert not np.array_equal(made, other)
    elif name not in drawn_by_seed:
        np.testing.assert_array_equal(made, other)


def test_another_process_makes_the_same_samples(tmp_path: Path, sources: Sources) -> None:
    clean = speech_like(3, 16_000, 0.5)
    np.save(tmp_path / "clean.npy", clean)
    made = [with_files(make_step(name, seed=11), sources) for name in HERE]
    (tmp_path / "steps.json").write_text(json.dumps([step.as_json() for step in made]), encoding="utf-8")
    code = f"""
import json, numpy as np
from pathlib import Path
from src.audio.augment.steps import Step, apply_steps
from src.audio.augment.sources import Sources
folder = Path({str(tmp_path)!r})
sources = Sources(*(Path(p) if isinstance(p, str) else p for p in {_told(sources)!r}))
clean = np.load(folder / "clean.npy")
for number, record in enumerate(json.loads((folder / "steps.json").read_text())[::-1]):
    np.save(folder / f"{{number}}.npy", apply_steps([Step.from_json(record)], clean, 16000, sources))
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    for number, step in enumerate(reversed(made)):
        here = apply_steps([step], clean, 16_000, sources)
        np.testing.assert_array_equal(np.load(tmp_path / f"{number}.npy"), here, err_msg=step.effect)


def _told(sources: Sources) -> tuple[object, ...]:
    return str(sources.corpus), sources.people, str(sources.noises), str(sources.rooms)
