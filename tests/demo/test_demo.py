"""The demo works, and would say so if it didn't."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cluster.build import build
from tests.demo.page import PAGE, RENEW, reduced, shown
from tests.demo.performance import INTERRUPTED, perform
from tests.demo.scene import Scene
from tests.demo.screen import WIDTH, Screen
from tests.demo.stage import Stage
from tests.demo.table import narrowed
from tests.eventually import becomes
from tests.leftovers import processes_that_know

ROOT = Path(__file__).parents[2]


def start(temporary: Path) -> subprocess.Popen[str]:
    """The demo, with its temporary folder in ours, so that what it leaves can be found."""
    # The first build of the programs has a time of its own.
    build()
    return subprocess.Popen(
        [sys.executable, "-m", "tests.demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def left_of(temporary: Path) -> list[str]:
    """Files and processes that still know the folder."""
    return [str(path) for path in temporary.iterdir()] + processes_that_know(temporary)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """By one run for all who read it; nothing is left of that."""
    temporary = tmp_path_factory.mktemp("demo")
    demo = start(temporary)
    said, _ = demo.communicate(timeout=180)
    assert demo.returncode == 0, said
    assert left_of(temporary) == []
    return said


def test_all_expectations_hold_and_nothing_is_left(printed: str) -> None:
    assert re.search(r"^\d+ expectations checked, all held", printed, re.MULTILINE), printed
    taken = re.search(r"^ +leaver: (\d+) ms", printed, re.MULTILINE)
    assert taken and int(taken[1]) < 5000, printed
    assert "FAILED" not in printed
    assert "\x1b" not in printed
    assert [line for line in printed.splitlines() if len(line) > WIDTH] == []


def test_the_page_shows_such_a_run(printed: str) -> None:
    assert reduced(shown(PAGE.read_text())) == reduced(printed), (
        f"the demo prints something else than docs/demo.md; if that is meant, run `{RENEW}` and commit it"
    )


def test_the_readme_shows_a_part_of_the_page() -> None:
    part = reduced(shown((ROOT / "README.md").read_text().split("(docs/demo.md)", 1)[1]))
    whole = reduced(shown(PAGE.read_text()))
    assert part[0] in whole, f"the README shows a step that docs/demo.md hasn't: {part[0]}"
    begin = whole.index(part[0])
    assert part == whole[begin : begin + len(part)], "copy the step from docs/demo.md into the README"


@pytest.mark.parametrize(
    ("line", "other", "same"),
    [
        ("--set ports.scim=21155 --scim-port=1", "--set ports.scim=28019 --scim-port=22", True),
        ('{id: "56c3…"}  http://127.0.0.1:1/x', '{id: "e05b…"} http://127.0.0.1:22/x', True),
        (
            "scimop_entra_LeYe… scim-token-entra-47742522",
            "scimop_entra_9-_i… scim-token-entra-ee33c0d7",
            True,
        ),
        ("403, 31 ms after (bound: 5 s)", "403, 9 ms after (bound: 5 s)", True),
        ("403, 31 ms after (bound: 5 s)", "403, 31 ms after (bound: 9 s)", False),
        ("55 expectations checked, all held; 10 s", "54 expectations checked, all held; 10 s", False),
        ("scim-teams-223aa6af51  1s", "scim-teams-3ca46d8599  1s", False),
        ("Kubernetes v1.37.2; up in 3.8 s", "Kubernetes v1.38.0; up in 3.8 s", False),
    ],
)
def test_what_varies_is_told_from_what_changed(line: str, other: str, same: bool) -> None:
    assert (reduced(line) == reduced(other)) is same


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    demo = start(tmp_path)
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("2. "):
            break
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=60)
    assert demo.returncode == INTERRUPTED
    # A command that was just being started when the interrupt came isn't known yet to who started it.
    becomes(lambda: left_of(tmp_path), [], 20)


class Rehearsal(Stage):
    """A stage without a cluster."""

    def set(self) -> Any:
        return SimpleNamespace(cluster=SimpleNamespace(person_token=str))


@pytest.fixture
def rehearse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Runs something in place of the script. -> exit code, what was printed."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def run(play: Callable[[Scene], None]) -> tuple[int, str]:
        out = io.StringIO()
        screen = Screen(out, colour=False)
        return perform(Rehearsal(screen), screen, play), out.getvalue()

    return run


def test_a_failed_expectation_is_exit_code_1(
    rehearse: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    def play(scene: Scene) -> None:
        scene.expect.equal("it rains", "sun", "rain")
        scene.expect.becomes("it will rain", lambda: "sun", "rain", seconds=0.01)
        scene.expect.equal("still played", 1, 1)

    code, printed = rehearse(play)
    assert code == 1
    assert "FAILED   it rains: wanted 'rain', saw 'sun'" in printed
    assert "ok       still played" in printed
    assert "3 expectations checked, 2 FAILED: it rains; it will rain" in printed
    (folder,) = tmp_path.iterdir()
    assert f"logs: {folder}" in printed


def test_all_held_is_exit_code_0(rehearse: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    code, printed = rehearse(lambda scene: scene.expect.equal("one is one", 1, 1))
    assert code == 0
    assert "1 expectations checked, all held" in printed
    assert list(tmp_path.iterdir()) == []


def test_an_exception_names_the_logs(
    rehearse: Callable[..., tuple[int, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def play(scene: Scene) -> None:
        raise ValueError("the scenery fell down")

    code, _ = rehearse(play)
    (folder,) = tmp_path.iterdir()
    said = capsys.readouterr().err
    assert (code, "the scenery fell down" in said, f"logs: {folder}" in said) == (1, True, True)


def test_a_table_loses_whole_columns_alone() -> None:
    table = (
        "NAME   LAST REQUEST   READY   AGE\n"
        "red    a b            True    3s\n"
        "blue                  False   4s\n"
    )
    assert narrowed(table, ["AGE"]) == (
        "NAME  LAST REQUEST  READY\nred   a b           True\nblue                False"
    )
