"""What the watches are still to tell of our own writes."""

from __future__ import annotations

from typing import Any

import pytest

from scim_operator.directory.echoes import Echoes
from tests.directory.people import group, user


class Scene:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.echoes = Echoes(lambda: self.now)

    def missing(self, after: float) -> float:
        self.now += after
        return self.echoes.missing_for()


def changed(obj: dict[str, Any], version: int) -> dict[str, Any]:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(version)}}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_nothing_is_missing_of_what_nobody_wrote(scene: Scene) -> None:
    scene.echoes.heard(user(version=3), gone=False)
    assert scene.missing(9) == 0


@pytest.mark.parametrize("heard", [4, 5, 6])
def test_an_event_of_the_write_or_of_a_later_one_is_its_echo(scene: Scene, heard: int) -> None:
    scene.echoes.wrote(user(version=5))
    assert scene.missing(2) == 2
    scene.echoes.heard(user(version=heard), gone=False)
    assert scene.missing(3) == (3 if heard < 5 else 0), "an earlier one shows that it's alive"


def test_an_event_may_be_here_before_the_answer(scene: Scene) -> None:
    scene.echoes.heard(user(version=5), gone=False)
    scene.echoes.wrote(user(version=5))
    assert scene.missing(9) == 0
    scene.echoes.wrote(group(version=5))  # by another watch
    assert scene.missing(9) == 9


def test_the_oldest_counts(scene: Scene) -> None:
    scene.echoes.wrote(user("ada", version=5))
    assert scene.missing(2) == 2
    for version in (6, 7, 8):
        scene.echoes.wrote(user("bob", version=version))
        scene.echoes.wrote(user("ada", version=version + 10))
        assert scene.missing(1) > 2


def test_of_a_deletion_only_a_deletion_tells(scene: Scene) -> None:
    scene.echoes.wrote(user(version=5))
    scene.echoes.deleted("uid-ada")
    scene.echoes.heard(user(version=5), gone=False)
    assert scene.missing(1) == 1
    scene.echoes.heard(user(version=9), gone=True)
    assert scene.missing(1) == 0


def test_a_list_tells_of_what_was_written_before_it_began(scene: Scene) -> None:
    scene.echoes.wrote(user("ada", version=5))
    scene.echoes.wrote(user("eve", version=6))
    scene.missing(6)
    with scene.echoes.listing():
        scene.missing(1)
        scene.echoes.wrote(user("bob", version=8))
        scene.echoes.wrote(user("eve", version=9))
    assert scene.missing(1) == 8, "eve was written again since"
    with scene.echoes.listing():
        pass
    assert scene.missing(1) == 0


def test_one_that_failed_tells_nothing(scene: Scene) -> None:
    scene.echoes.wrote(user(version=5))
    with pytest.raises(OSError), scene.echoes.listing():
        raise OSError
    assert scene.missing(1) == 1
