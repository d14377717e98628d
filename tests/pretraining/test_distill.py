"""Distillation: loss and signs against a plain loop over frames, and a student that learns to follow its teacher."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from src.backbones.pretrained import model_digest
from src.pretraining.contract import PretrainingConfig
from src.pretraining.distill import LOOKED_AT, Distill, thirds_of
from src.pretraining.health import Health
from src.pretraining.onwards import save_pretrained
from tests.detectors.small_models import save_small, save_small_whisper
from tests.pretraining.tiny import crops, masks_of, tiny_encoder, tiny_objective

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a Whisper encoder of three layers of 16 numbers."""
    return save_small_whisper(tmp_path_factory.mktemp("teacher"))


def student(teacher: Path, front_end: str = "mel", **settings: object) -> Distill:
    objective = tiny_objective(front_end, objective="distill", teacher=str(teacher), **settings)
    objective.start(crops().numpy())
    assert isinstance(objective, Distill)
    return objective


def test_the_loss_is_that_of_the_paper_frame_by_frame(teacher: Path) -> None:
    objective = student(teacher)
    found = objective(crops(), crops(), masks_of(objective, crops()))
    answers = objective.heads(found["hidden"]).detach().double().numpy()
    wanted = objective.targets(crops(), answers.shape[1]).double().numpy()
    answers = answers.reshape(wanted.shape)
    losses, cosines = [], []
    for place in np.ndindex(*wanted.shape[:3]):
        answer, target = answers[place], wanted[place]
        cosine = answer @ target / np.linalg.norm(answer) / np.linalg.norm(target)
        losses.append(np.abs(answer - target).mean() - np.log(1 / (1 + np.exp(-cosine))))
        cosines.append(cosine)
    assert float(found["loss"].detach()) == pytest.approx(np.mean(losses), abs=1e-5)
    by_layer = np.reshape(cosines, wanted.shape[:3]).mean(axis=(0, 1))
    assert [float(found["signs"][f"cosine_{number}"]) for number in (1, 2, 3)] == pytest.approx(by_layer, abs=1e-5)
    assert float(found["signs"]["cosine"]) == pytest.approx(np.mean(cosines), abs=1e-5)


def test_targets_are_the_teachers_layers_standardised(teacher: Path) -> None:
    """The backbone that GenerateEmbeddings loads gives the same frames for the same window."""
    from src.backbones import load_backbone

    objective = student(teacher)
    assert objective.layers == [1, 2, 3]
    wanted = objective.targets(crops(), 100)
    assert wanted.shape == (8, 100, 3, 16)
    assert wanted.mean(dim=(0, 1)).abs().max() < 1e-4
    assert wanted.std(dim=(0, 1), correction=0) == pytest.approx(torch.ones(3, 16), abs=1e-3)
    frames = load_backbone("whisper", str(teacher), window="own", precision="fp32").frames(crops()[0].numpy())
    side_by_side = torch.from_numpy(np.concatenate(list(frames[1:]), axis=1))
    torch.testing.assert_close(wanted[0].flatten(1), objective.standardised(side_by_side), atol=2e-3, rtol=2e-3)


def test_layers_lie_at_thirds_of_the_depth_or_where_one_is_named(teacher: Path) -> None:
    assert (thirds_of(12), thirds_of(24), thirds_of(1)) == ([4, 8, 12], [8, 16, 24], [1])
    assert student(teacher, teacher_layer=2).layers == [2]


def test_a_student_learns_to_follow_its_teacher(teacher: Path) -> None:
    objective = student(teacher)
    optimizer = torch.optim.Adam([each for each in objective.parameters() if each.requires_grad], lr=0.01)
    masks = masks_of(objective, crops())
    signs = []
    for _ in range(40):
        found = objective(crops(), crops(), masks)
        optimizer.zero_grad()
        found["loss"].backward()
        optimizer.step()
        signs.append(found["signs"])
    assert float(signs[0]["cosine"]) < 0.2
    assert float(signs[-1]["cosine"]) > max(0.35, 2 * float(signs[-1]["cosine_of_mean"]))


def test_the_teacher_hears_what_was_recorded_and_the_student_what_is_augmented(teacher: Path) -> None:
    objective = student(teacher)
    masks = masks_of(objective, crops())
    plain, augmented = (objective(heard, crops(), masks) for heard in (crops(), 0.3 * crops().flip(0)))
    assert plain["signs"]["cosine_of_mean"] == augmented["signs"]["cosine_of_mean"]
    assert plain["loss"] != augmented["loss"]


def test_masks_count_only_where_they_are_asked_for(teacher: Path) -> None:
    def losses(**settings: object) -> list[torch.Tensor]:
        objective = student(teacher, **settings)
        masks = masks_of(objective, crops())
        return [objective(crops(), crops(), each)["loss"] for each in (masks, ~masks)]

    first, second = losses()
    assert torch.equal(first, second)
    first, second = losses(mask_share=0.5)
    assert not torch.equal(first, second)


def test_a_student_of_one_front_end_follows_a_teacher_of_the_other(tmp_path: Path) -> None:
    """Convolutions give a frame less than log-mel."""
    objective = student(save_small(tmp_path / "wavlm", "wavlm", num_hidden_layers=2), "mel")
    found = objective(crops(), crops(), masks_of(objective, crops()))
    assert found["hidden"].shape[:2] == (8, 100)
    assert found["loss"].isfinite()


def test_the_teacher_is_named_and_its_weights_are_not_saved_or_trained(teacher: Path, tmp_path: Path) -> None:
    objective = student(teacher)
    assert objective.describe() == {
        "distilled_from": teacher.name,
        "teacher_digest": model_digest(str(teacher)),
        "teacher_layers": [1, 2, 3],
    }
    save_pretrained(objective, tmp_path, {"steps": 3})
    noted = json.loads((tmp_path / "pretraining.json").read_text())
    assert (noted["distilled_from"], noted["steps"]) == (teacher.name, 3)
    own = {name for name in objective.state_dict() if not name.startswith("encoder.")}
    assert own == {"standardised.mean", "standardised.deviation", "heads.weight", "heads.bias"}
    again = student(teacher, seed=8)
    again.load_state_dict(objective.state_dict())
    torch.testing.assert_close(again.targets(crops(), 100), objective.targets(crops(), 100))


def test_only_so_much_speech_is_looked_at_beforehand(teacher: Path) -> None:
    seen = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal seen
        while True:
            seen += 1
            yield np.tile(crops()[0].numpy(), 50)

    objective = tiny_objective(objective="distill", teacher=str(teacher), teacher_layer=1)
    assert isinstance(objective, Distill)
    objective.teacher.hidden = lambda waveforms, n: [torch.zeros(1, n, 16)] * 4  # type: ignore[method-assign]
    objective.start(endless())
    assert seen == LOOKED_AT / 100


def test_a_distillation_without_a_teacher_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a `teacher`"):
        Distill(tiny_encoder("mel"), PretrainingConfig(objective="distill"))


def test_signs_are_judged_against_always_answering_with_the_mean() -> None:
    health = Health(0)
    for cosine, words in ((0.1, "no better than the mean, cosine 0.100 (mean 0.100)"), (0.5, "learning, cosine 0.500")):
        health.add({"loss": 1.0, "cosine": cosine, "cosine_of_mean": 0.1})
        assert words in health.end_row(1, 0.1).replace("loss 1, ", "")
    for _ in range(2):
        health.add({"loss": 1.0, "cosine": 0.999, "cosine_of_mean": 0.999})
        health.end_row(1, 0.1)
    health.add({"loss": 1.0, "cosine": 0.999, "cosine_of_mean": 0.999})
    with pytest.raises(ValueError, match="the teacher's answers do not vary"):
        health.end_row(1, 0.1)


def test_silence_has_targets_that_do_not_vary(teacher: Path) -> None:
    objective = student(teacher)
    wanted = objective.targets(torch.zeros(2, 32_000), 100)
    assert cosine_similarity(wanted[:, 50], wanted[:, 51], dim=-1).min() > 0.9
