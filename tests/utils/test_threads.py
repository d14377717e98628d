"""Threads are limited inside the block and restored after it, for torch and for matrix products alike."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
import torch

from src.utils.threads import count_threads, limited_threads

REPOSITORY = Path(__file__).resolve().parents[2]


def matrix_threads() -> set[int]:
    """Return the numbers of threads of the libraries that multiply matrices in this process."""
    assert np.ones((2, 2)) @ np.ones(2) is not None  # loads them
    return {library["num_threads"] for library in threadpoolctl.threadpool_info()}


def test_torch_and_matrix_products_are_limited_together_and_restored() -> None:
    before = torch.get_num_threads(), matrix_threads()
    with limited_threads(2):
        assert count_threads() == torch.get_num_threads() == 2
        with limited_threads(1):
            assert count_threads() == torch.get_num_threads() == 1
            assert matrix_threads() == {1}
        assert count_threads() == 2
    assert (torch.get_num_threads(), matrix_threads()) == before


def test_an_error_inside_leaves_the_threads_as_they_were() -> None:
    before = torch.get_num_threads(), matrix_threads()
    with pytest.raises(ValueError, match="inside"), limited_threads(before[0] + 1):
        raise ValueError("inside")
    assert (torch.get_num_threads(), matrix_threads()) == before


def test_without_torch_the_matrix_products_are_counted() -> None:
    """A limit of the environment is what a process reports, with numpy and before it."""
    program = (
        "import sys; from src.utils.threads import count_threads; before = count_threads(); import numpy; "
        "print(before, count_threads(), 'torch' in sys.modules)"
    )
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **limits},
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout.split() == ["1", "1", "False"]
