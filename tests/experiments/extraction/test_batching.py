from itertools import chain, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.experiments.extraction.batches import MOST_PADDED, Batch, Piece, Unit, cut, gather_batches
from src.experiments.extraction.requests import Share

LENGTHS = st.lists(st.integers(1, 60)).map(lambda lengths: {f"{place}.wav": n for place, n in enumerate(lengths)})
BATCH = st.integers(1, 200) | st.floats(0.5, 200)
WINDOW = st.integers(1, 70)
COUNTS = st.lists(st.integers(1, 5), max_size=3)


def length_of(piece: Piece, lengths: dict[str, int]) -> int:
    return piece.stop - piece.start if piece.stop else lengths[piece.file]


def batches_of(units: list[Unit]) -> list[Batch]:
    return [batch for unit in units for batch in unit]


def shares(counts: list[int]) -> list[Share]:
    """Return all the shares of work that is cut into so many parts, these into so many, and so on."""
    parts: list[tuple[tuple[int, int], ...]] = [()]
    for count in counts:
        parts = [(*coarser, (number, count)) for coarser in parts for number in range(count)]
    return [Share(each) for each in parts]


@settings(deadline=None)
@given(LENGTHS, BATCH, WINDOW)
def test_every_clip_stands_in_the_plan_once(lengths: dict[str, int], batch: float, window: int) -> None:
    units = gather_batches(lengths, batch_samples=batch, window_samples=window)
    seen = [{piece.file for each in unit for piece in each} for unit in units]
    assert sorted(chain.from_iterable(seen)) == sorted(lengths), "a unit's clips are in no other"
    pieces = [piece for each in batches_of(units) for piece in each]
    for file, n_samples in lengths.items():
        mine = [piece for piece in pieces if piece.file == file]
        assert mine == (cut(file, n_samples, window) if n_samples > window else [Piece(file)])
    assert all(batches_of(units)), "no batch is empty"


@settings(deadline=None)
@given(LENGTHS, BATCH, WINDOW)
def test_batches_are_as_full_as_their_padded_size_allows(lengths: dict[str, int], batch: float, window: int) -> None:
    units = gather_batches(lengths, batch_samples=batch, window_samples=window)
    short = [unit for unit in units if not unit[0][0].stop]
    assert units[: len(short)] == short, "long clips come last"
    assert all(len(unit) == 1 for unit in short)
    sizes = [[length_of(piece, lengths) for piece in each] for each in batches_of(units)]
    for place, each in enumerate(sizes):
        longest = max(each) - (place >= len(short))  # windows are equal to within a sample
        assert len(each) * longest <= batch or len(each) == 1
        assert len(each) * longest <= MOST_PADDED * sum(each)
    ascending = [size for each in sizes[: len(short)] for size in each]
    assert ascending == sorted(ascending)
    assert sorted(ascending) == sorted(n for n in lengths.values() if n <= window)
    for each, following in pairwise(sizes[: len(short)]):
        padded = (len(each) + 1) * following[0]
        assert padded > batch or padded > MOST_PADDED * (sum(each) + following[0]), "there was room"


@settings(deadline=None)
@given(LENGTHS, BATCH, WINDOW, st.data())
def test_what_is_left_of_a_plan_falls_into_the_same_batches(
    lengths: dict[str, int], batch: float, window: int, data: st.DataObject
) -> None:
    """A run that resumes computes clips in the same batches as an uninterrupted run."""
    units = gather_batches(lengths, batch_samples=batch, window_samples=window)
    left = [unit for unit in units if data.draw(st.booleans())]
    files = {piece.file for each in batches_of(left) for piece in each}
    waiting = {file: n_samples for file, n_samples in lengths.items() if file in files}
    assert gather_batches(waiting, batch_samples=batch, window_samples=window) == left


def test_a_plan_of_known_clips() -> None:
    lengths = {"d": 400, "a": 100, "long": 1000, "b": 100, "c": 102, "e": 109}
    assert gather_batches(lengths, batch_samples=450, window_samples=400) == [
        ((Piece("a"), Piece("b"), Piece("c")),),
        ((Piece("e"),),),  # there was room, but 3 x 7 + 2 x 9 samples of padding are more than 3 % of 411
        ((Piece("d"),),),
        ((Piece("long", 0, 333, 0, 3),), (Piece("long", 333, 666, 1, 3),), (Piece("long", 666, 1000, 2, 3),)),
    ]
    *_, windows = gather_batches(lengths, batch_samples=680, window_samples=400)
    assert [len(batch) for batch in windows] == [2, 1], "windows of one clip share batches, with nobody else"


def test_nothing_to_plan() -> None:
    assert gather_batches({}, batch_samples=10, window_samples=10) == []


@settings(deadline=None)
@given(st.integers(1, 5000), WINDOW)
def test_a_clip_is_cut_into_the_fewest_equal_windows(n_samples: int, window: int) -> None:
    pieces = cut("long.wav", n_samples, window)
    assert [piece.start for piece in pieces] == [0, *(piece.stop for piece in pieces[:-1])]
    assert pieces[-1].stop == n_samples
    sizes = [piece.stop - piece.start for piece in pieces]
    assert max(sizes) <= window
    assert max(sizes) - min(sizes) <= 1
    assert (len(pieces) - 1) * window < n_samples, "fewer would do"
    assert [(piece.file, piece.window, piece.n_windows) for piece in pieces] == [
        ("long.wav", number, len(pieces)) for number in range(len(pieces))
    ]


@settings(deadline=None)
@given(LENGTHS, COUNTS)
def test_shares_part_the_plan_among_them(lengths: dict[str, int], counts: list[int]) -> None:
    units = gather_batches(lengths, batch_samples=60, window_samples=40)
    parts = [share.of(units) for share in shares(counts)]
    assert sorted(chain.from_iterable(parts), key=units.index) == units
    for part in parts:
        assert part == [unit for unit in units if unit in part], "in the plan's order"
    assert max(map(len, parts)) - min(map(len, parts)) <= len(counts), "nobody has much more to do than others"


@settings(deadline=None)
@given(COUNTS)
def test_shares_of_the_same_work_differ_in_name(counts: list[int]) -> None:
    made = shares(counts)
    assert len({share.name for share in made}) == len(made)
    assert all(share.is_all == (len(made) == 1) for share in made)
    assert all("/" not in share.name for share in made)


def test_shares_are_named_from_the_coarsest_part_to_the_finest() -> None:
    assert Share(((1, 3), (0, 2))).name == "1-of-3-0-of-2"
    assert (Share().name, Share(((0, 1),)).name, Share(((0, 1), (2, 4))).name) == ("all", "all", "2-of-4")


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ((3, 3), "`shard` must lie in 0 to 2 for `num_shards=3`, not 3."),
        ((-1, 3), "`shard` must lie in 0 to 2 for `num_shards=3`, not -1."),
        ((0, 0), "`num_shards` must be 1 or more, not 0."),
        ((0, -2), "`num_shards` must be 1 or more, not -2."),
    ],
)
def test_a_share_that_cannot_be_is_refused(part: tuple[int, int], line: str) -> None:
    for parts in [(part,), ((1, 2), part)]:
        with pytest.raises(ValueError) as caught:
            Share(parts)
        assert str(caught.value) == line
