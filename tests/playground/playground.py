"""Up, down, and people's tokens: what is there is found, what is broken is put right."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tests.cluster.build import say
from tests.cluster.cluster import Cluster, stop_processes
from tests.cluster.lock import locked
from tests.cluster.shell import write_env
from tests.cluster.waiting import ClusterError
from tests.demo.cast import DIRECTORY, TEAMS
from tests.playground import folder
from tests.playground.foreign import ForeignPlace
from tests.playground.hints import hints
from tests.playground.kind import KindPlace
from tests.playground.place import BROKEN, OwnPlace, Place
from tests.playground.record import Record

OWN = Record("own")
PLACES: dict[str, type[Place]] = {"own": OwnPlace, "kubeconfig": ForeignPlace, "kind": KindPlace}


def up(state: Path, asked: Record | None) -> str:
    """Everything runs and is ready afterwards. asked: None means wherever it is, or else here. -> hints."""
    with _alone(state):
        left = Record.load(state)
        if left and asked and left.is_complete and not left.same_place(asked):
            raise ClusterError(f"{_place(state, left).title} is in use; end that first: make down")
        complete = left if left and left.is_complete else None
        wanted = complete or asked or OWN
        place = _place(state, wanted)
        if complete and place.is_ready() and (state / "env").exists():
            say("already up: nothing to do")
        elif complete and place.mend():
            _write_env(place)
        else:
            if left:
                say(f"what an earlier run left is not whole: {_consequences(state, left)}")
                _place(state, left).stop()
                folder.remove(state)
            place = _begin(state, Record(wanted.place, wanted.kubeconfig))
        return hints(place)


def down(state: Path) -> list[str]:
    """Nothing runs afterwards, whatever state it was in. -> what was done."""
    with _alone(state):
        left = Record.load(state)
        done = _place(state, left).stop() if left else [f"stopped {name}" for name in stop_processes(state)]
        if not folder.is_ours(state):
            return ["nothing was up"]
        folder.remove(state)
        return [*done, f"removed {folder.short(state)}"]


def token_for(state: Path, user_name: str, groups: Sequence[str]) -> str:
    """What the identity provider would give this person to show to the API server."""
    left = Record.load(state)
    if left and left.place != "own":
        words = " ".join([f"--as {user_name}", *(f"--as-group {group}" for group in groups)])
        raise ClusterError(
            f"people's tokens for {_place(state, left).title} come from the issuer that its API server "
            f"trusts, and that isn't ours; as the admin you can act as them: kubectl {words} …"
        )
    with contextlib.suppress(ClusterError):
        cluster = Cluster.load(state)
        if cluster.is_up:
            return cluster.person_token(user_name, groups)
    raise ClusterError("nothing is up whose API server would take a token; start it: make up")


def _begin(state: Path, record: Record) -> Place:
    """From nothing, or from an empty cluster of ours; what fails is taken down again, but for its logs."""
    place = _place(state, record)
    place.prepare()
    try:
        installation = place.start()
        say("policy `teams`, a token")
        installation.cluster.kubectl("apply", "-f", "-", input=TEAMS)
        connection = installation.connection(DIRECTORY)
        place.record = replace(record, url=connection.url, token=connection.token)
        _write_env(place)
        # Last: from now on it counts as up.
        place.record.save(state)
    except BaseException:
        say(f"taking down what was started; logs stay in {state / 'logs'}")
        with contextlib.suppress(*BROKEN):
            place.stop()
        raise
    return place


def _consequences(state: Path, left: Record) -> str:
    """Of starting afresh; said before it is done."""
    if not left.is_complete:
        return "taking it down and starting afresh"
    return (
        f"taking it down and starting afresh; {_place(state, left).afresh}. URL and token change: "
        f"`. {folder.short(state / 'env')}` again in every shell"
    )


def _place(state: Path, record: Record) -> Place:
    return PLACES[record.place](state, record)


def _write_env(place: Place) -> None:
    client = place.client()
    programs = {name: client.programs[name] for name in ("kubectl", "helm")}
    programs["scim-operator"] = Path(sys.prefix) / "bin" / "scim-operator"
    settings = {**place.settings(), "SCIM_URL": place.record.url, "SCIM_TOKEN": place.record.token}
    write_env(place.state, programs, settings)


@contextlib.contextmanager
def _alone(state: Path) -> Iterator[None]:
    """By a lock on the folder around: the state folder itself comes and goes."""
    state.parent.mkdir(parents=True, exist_ok=True)
    with locked(state.parent, f"another `make up` or `make down` works on {state}", say):
        yield
