import numpy as np
import pytest
from matplotlib.colors import to_rgb

from src.visualize.distributions import distributions_figure
from src.visualize.style import BLUE, VERMILION


def outlines(axes):
    """Vertices of each class's histogram, by colour."""
    return {patch.get_facecolor()[:3]: patch.get_path().vertices for patch in axes.patches}


def test_every_property_has_a_panel_with_both_classes_in_their_colours():
    figure = distributions_figure([1, 0, 0], {"a": [1, 2, 3], "b": [3, 2, 2], "c": [0, 0, 5]})
    figure.draw_without_rendering()
    assert [axes.get_xlabel() for axes in figure.axes] == ["a", "b", "c"]
    assert all(set(outlines(axes)) == {to_rgb(BLUE), to_rgb(VERMILION)} for axes in figure.axes)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["spoof (2)", "bona fide (1)"]


def test_classes_share_their_bins_and_fill_one_hundred_percent_each():
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 0], [400, 80])
    (axes,) = distributions_figure(labels, {"a": rng.normal(size=480) + labels}).axes
    bins = []
    for vertices in outlines(axes).values():
        edges = np.unique(vertices[:, 0])
        bins.append(edges)
        areas = np.abs(np.sum(vertices[:-1, 0] * vertices[1:, 1] - vertices[1:, 0] * vertices[:-1, 1])) / 2
        assert areas == pytest.approx(100 * np.diff(edges)[0])
    np.testing.assert_allclose(*bins)


def test_a_class_twice_as_large_looks_the_same():
    values = np.linspace(0, 1, 50)
    once = distributions_figure(np.repeat([1, 0], 50), {"a": np.tile(values, 2)})
    twice = distributions_figure(np.repeat([1, 0], [50, 450]), {"a": np.tile(values, 10)})
    for figure in (once, twice):
        bonafide, spoof = outlines(figure.axes[0]).values()
        np.testing.assert_allclose(bonafide, spoof, atol=1e-9)


def test_before_and_after_share_their_bins_on_one_scale():
    labels, before = [1, 0, 1, 0], [-30.0, -10.0, -28.0, -12.0]
    apart = distributions_figure(labels, {"before": before, "after": [-21.0, -21.1, -21.2, -21.0]})
    together = distributions_figure(labels, {"before": before, "after": [-21.0, -21.1, -21.2, -21.0]}, one_scale=True)
    assert apart.axes[0].get_xlim() != apart.axes[1].get_xlim()
    assert together.axes[0].get_xlim() == together.axes[1].get_xlim()
    for vertices in outlines(together.axes[1]).values():
        assert (vertices[:, 0].min(), vertices[:, 0].max()) == (-30, -10)
        assert vertices[:, 1].max() == 100  # all clips within one bin


def test_one_class_and_equal_values_are_drawn():
    figure = distributions_figure([0, 0], {"a": [0.0, 0.0]})
    figure.draw_without_rendering()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["spoof (2)"]


def test_it_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"got \(2,\) and {'a': \(3,\)}"):
        distributions_figure([1, 0], {"a": [1, 2, 3]})
    with pytest.raises(ValueError, match="must have the shape"):
        distributions_figure([], {"a": []})
    with pytest.raises(ValueError, match=r"got \[2\]"):
        distributions_figure([1, 2], {"a": [1, 2]})
    with pytest.raises(ValueError, match="1 of 2 duration are NaN"):
        distributions_figure([1, 0], {"duration": [1, np.nan]})
