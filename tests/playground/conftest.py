"""A checkout whose system is taken down at the end, whatever happened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.build import build
from tests.playground.checkout import Checkout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Nothing is up in it at first."""
    # The first build of the programs has a time of its own.
    build()
    made = Checkout(tmp_path_factory.mktemp("checkout"))
    yield made
    made.make("down")


@pytest.fixture(scope="module")
def up(checkout: Checkout) -> Checkout:
    """After `make up`."""
    done = checkout.make("up")
    assert done.returncode == 0, done.stdout + done.stderr
    return checkout
