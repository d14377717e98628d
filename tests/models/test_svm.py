from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from src.models.svm import Svm, SvmConfig, svm_model
from src.models.svm.kernels import Products, rbf_kernel, squared_lengths
from src.utils.embeddings import EmbeddingTable

DrawTable = Callable[..., EmbeddingTable]
RBF = [{"kernel": "rbf"}, {"kernel": "rbf", "gamma": 0.05, "C": 300.0}]
KERNELS = [*RBF, {"kernel": "linear", "C": 0.1}]


def draw_wide(draw_table: DrawTable, n: int = 300, **options: Any) -> EmbeddingTable:
    """Return vectors whose features differ in mean and deviation."""
    table = draw_table(n, dimension=40, **options)
    vectors = table.vectors * np.linspace(0.1, 20, 40) + np.linspace(-50, 50, 40)
    return replace(table, vectors=vectors.astype(np.float32))


def fitted(train: EmbeddingTable, val: EmbeddingTable, **values: Any) -> Svm:
    classifier = Svm(SvmConfig(**values))
    classifier.fit(train, val)
    return classifier


@pytest.mark.parametrize("values", RBF)
@pytest.mark.parametrize("bonafide", [0.5, 0.2])
def test_scores_are_those_of_scikit_learns_own_pipeline(
    draw_table: DrawTable, values: dict[str, Any], bonafide: float
) -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    train, val = draw_wide(draw_table, bonafide=bonafide), draw_wide(draw_table, seed=1)
    config = SvmConfig(**values)
    gamma = config.gamma / 40
    svc = SVC(C=config.C, kernel=config.kernel, gamma=gamma, class_weight="balanced", random_state=0)
    reference = make_pipeline(StandardScaler(), svc).fit(train.vectors.astype(float), train.labels)
    expected = reference.decision_function(val.vectors.astype(float))
    classifier = fitted(train, val, **values)
    np.testing.assert_allclose(classifier.scores(val.vectors), expected, rtol=1e-6, atol=1e-6)
    assert len(classifier.arrays["support_vectors"]) == len(svc.support_)


def test_the_linear_machine_is_scikit_learns(draw_table: DrawTable) -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler
    from sklearn.svm import LinearSVC

    train, val = draw_wide(draw_table, bonafide=0.2), draw_wide(draw_table, seed=1)
    svc = LinearSVC(C=0.1, class_weight="balanced", dual=False, random_state=0)
    to_unit = FunctionTransformer(lambda x: x / 40**0.5)  # a clip's kernel with itself is then about 1
    reference = make_pipeline(StandardScaler(), to_unit, svc).fit(train.vectors.astype(float), train.labels)
    found = fitted(train, val, kernel="linear", C=0.1).scores(val.vectors)
    expected = reference.decision_function(val.vectors.astype(float))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("values", [*KERNELS, {"kernel": "nystroem", "landmarks": 30}])
@pytest.mark.parametrize("scaling", ["standard", "unit", "none"])
def test_scores_follow_from_the_arrays_that_were_saved(
    draw_table: DrawTable, tmp_path: Path, values: dict[str, Any], scaling: str
) -> None:
    """Against the sum over support vectors in plain numpy."""
    from safetensors.numpy import load_file

    train, val = draw_wide(draw_table), draw_wide(draw_table, seed=1)
    classifier = fitted(train, val, scaling=scaling, **values)
    classifier.save(tmp_path)
    arrays = load_file(tmp_path / "model.safetensors")

    def scaled(vectors: np.ndarray) -> np.ndarray:
        result = (vectors - arrays["mean"]) / arrays["deviation"]
        return result / np.linalg.norm(result, axis=1, keepdims=True) * 40**0.5 if scaling == "unit" else result

    x, support = scaled(val.vectors), scaled(arrays["support_vectors"])
    if values["kernel"] == "linear":
        kernel = x
    else:
        gamma = values.get("gamma", 1.0) / (40 * scaled(train.vectors).var())
        kernel = np.exp(-gamma * ((x[:, None] - support[None]) ** 2).sum(axis=2))
    expected = kernel @ arrays["coefficients"] + arrays["intercept"]
    np.testing.assert_allclose(classifier.scores(val.vectors), expected, rtol=1e-6, atol=1e-6)
    loaded = Svm.load(tmp_path, classifier.config)
    assert loaded.scores(val.vectors).tobytes() == classifier.scores(val.vectors).tobytes()


@pytest.mark.parametrize("values", [*KERNELS, {"kernel": "nystroem", "landmarks": 30}])
def test_losses_are_the_mean_hinge_losses_of_the_scores(draw_table: DrawTable, values: dict[str, Any]) -> None:
    train, val = draw_table(), draw_table(seed=1)
    classifier = Svm(SvmConfig(**values))
    history = classifier.fit(train, val)
    for table, found in ((train, history.train_losses), (val, history.val_losses)):
        scores = classifier.scores(table.vectors)
        losses = [max(0.0, 1 - (1 if y == 1 else -1) * s) for y, s in zip(table.labels, scores, strict=True)]
        assert found[0] == pytest.approx(sum(losses) / len(losses), rel=1e-6)


def test_the_price_caps_every_clips_weight(draw_table: DrawTable) -> None:
    classifier = fitted(draw_table(), draw_table(seed=1), C=2.0)
    assert np.abs(classifier.arrays["coefficients"]).max() <= 2.0 + 1e-9, "classes are equal in number"


def test_features_of_all_landmarks_have_the_kernel_as_their_products(draw_table: DrawTable) -> None:
    """The machine's penalty is then that of the kernel: |w|^2 = a' K a, which a linear machine minimises."""
    from sklearn.svm import LinearSVC

    train = draw_table(60)
    classifier = fitted(train, train, kernel="nystroem", landmarks=999)  # no more landmarks than clips
    x = (train.vectors - train.vectors.mean(axis=0)) / train.vectors.std(axis=0)
    kernel = np.exp(-((x[:, None] - x[None]) ** 2).sum(axis=2) / 6)
    strengths, directions = np.linalg.eigh(kernel)
    root = directions * np.sqrt(strengths) @ directions.T  # another root of the same kernel
    reference = LinearSVC(C=10.0, class_weight="balanced", dual=False, random_state=0).fit(root, train.labels)
    expected = reference.decision_function(root)
    np.testing.assert_allclose(classifier.scores(train.vectors), expected, rtol=0.02, atol=0.02)


def test_the_seed_draws_the_landmarks(draw_table: DrawTable) -> None:
    train, drawn = draw_table(), []
    for seed in (1, 1, 2):
        classifier = Svm(SvmConfig(kernel="nystroem", landmarks=20), seed=seed)
        classifier.fit(train, train)
        drawn.append(classifier.arrays["support_vectors"].tobytes())
    assert drawn[0] == drawn[1] != drawn[2]


def test_many_vectors_are_scored_in_parts(draw_table: DrawTable, monkeypatch: pytest.MonkeyPatch) -> None:
    val = draw_table(seed=1)
    classifier = fitted(draw_table(), val)
    whole = classifier.scores(val.vectors)
    monkeypatch.setattr(svm_model, "SCORING_NUMBERS", 1000)
    np.testing.assert_allclose(classifier.scores(val.vectors), whole, rtol=1e-9, atol=1e-9)


def test_the_kernel_is_that_of_the_distances(draw_table: DrawTable) -> None:
    x, y = draw_table(50, dimension=9).vectors.astype(float), draw_table(30, dimension=9, seed=1).vectors.astype(float)
    expected = np.exp(-0.3 * ((x[:, None] - y[None]) ** 2).sum(axis=2))
    found = rbf_kernel(x @ y.T, squared_lengths(x), squared_lengths(y), 0.3)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that sets how many bytes of memory are available."""

    def say(n_bytes: float) -> None:
        monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=n_bytes))

    return say


def test_products_of_the_same_vectors_are_computed_once(free: Callable[[float], None]) -> None:
    free(1e9)
    products, rng = Products(), np.random.default_rng(0)
    x = rng.standard_normal((20, 3))
    first = products.of(x)
    np.testing.assert_allclose(first, x @ x.T)
    assert products.of(x.copy()) is first, "the content counts"
    assert not first.flags.writeable, "products that are kept must not change"
    x[3, 1] += 1e-9
    assert products.of(x) is not first


def test_the_products_longest_unused_make_room(free: Callable[[float], None]) -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.standard_normal((3, 20, 3))
    products = Products()
    free(4 * 2 * 3200)  # a quarter holds two of 20 x 20 numbers
    of_a, of_b = products.of(a), products.of(b)
    free(4 * 2 * 3200 - 2 * 3200)  # what is kept is not available, yet could be
    assert products.of(a) is of_a
    products.of(c)
    assert products.of(a) is of_a
    assert products.of(b) is not of_b


def test_products_that_fit_once_are_not_kept(free: Callable[[float], None]) -> None:
    free(2 * 3200)
    x = np.random.default_rng(0).standard_normal((20, 3))
    products = Products()
    first = products.of(x)
    assert first.flags.writeable, "the kernel may take their place"
    assert products.of(x) is not first


def test_a_kernel_too_large_for_memory_is_refused_with_the_way_out(
    free: Callable[[float], None], draw_table: DrawTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(svm_model, "PRODUCTS", Products())
    free(3e5)
    with pytest.raises(ValueError, match=r"The exact kernel of 160 training clips needs 0\.0 GB .* kernel=nystroem"):
        fitted(draw_table(), draw_table(seed=1))
    fitted(draw_table(), draw_table(seed=1), kernel="nystroem")


@pytest.mark.parametrize("kernel", ["rbf", "linear", "nystroem"])
def test_the_svm_uses_no_global_generator(draw_table: DrawTable, kernel: str) -> None:
    before = np.random.get_state()[1].tobytes(), np.random.get_state()[2:]  # noqa: NPY002
    fitted(draw_table(), draw_table(seed=1), kernel=kernel)
    assert (np.random.get_state()[1].tobytes(), np.random.get_state()[2:]) == before  # noqa: NPY002
