"""Every alert fires when what it is about has happened, and every panel of the dashboard shows something.

One operator and one Prometheus for all of it, in this order: the demo is played first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.alerts.causes import CAUSES, Caused
from tests.alerts.shipped import queries, rules
from tests.alerts.watched import Watched
from tests.eventually import becomes, eventually

pytestmark = pytest.mark.long
# Scrape, evaluation, and a machine that has other things to do.
SECONDS = 30.0


@pytest.fixture(scope="module")
def watched(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with Watched.running(tmp_path_factory.mktemp("alerts")) as made:
        yield made


def without_data(watched: Watched) -> list[tuple[str, str]]:
    """Panels and their queries that give no number, over the time in which the demo was played."""
    filled = {"$namespace": ".*", "$directory": "entra", "$__rate_interval": "2m"}
    empty = []
    for panel, expression in queries():
        asked = expression
        for name, value in filled.items():
            asked = asked.replace(name, value)
        if not watched.prometheus.values(asked):
            empty.append((panel, expression))
    return empty


def test_no_panel_is_without_data_after_the_demo(watched: Watched) -> None:
    assert watched.play_the_demo() == []
    eventually(lambda: without_data(watched), lambda empty: empty == [], SECONDS)


def test_the_demo_alarms_nobody(watched: Watched) -> None:
    """But for its policy that names a role outside of the chart's list. Of the loop the machine decides."""
    expected = {"ScimOperatorNotReady", "ScimOperatorProviderSilent"}
    becomes(lambda: set(watched.prometheus.firing()) - {"ScimOperatorSlowLoop"}, expected, SECONDS)
    assert watched.prometheus.healthy() == []
    (unready,) = watched.prometheus.firing()["ScimOperatorNotReady"]
    assert unready["description"].endswith("kubectl describe accesspolicy break-glass")


@pytest.mark.parametrize("caused", CAUSES, ids=lambda caused: caused.alert)
def test_what_an_alert_is_about_makes_it_fire(watched: Watched, caused: Caused) -> None:
    with caused.cause(watched):
        eventually(
            lambda: watched.prometheus.firing().get(caused.alert, []),
            lambda alerts: any(re.search(caused.said, str(alert)) for alert in alerts),
            SECONDS,
        )
    assert not any("{{" in str(alert) or "no value" in str(alert) for alert in firing_now(watched))


def firing_now(watched: Watched) -> list[dict[str, str]]:
    """Whichever fire, in words."""
    return [alert for alerts in watched.prometheus.firing().values() for alert in alerts]


def test_every_alert_has_a_cause() -> None:
    assert {caused.alert for caused in CAUSES} == set(rules())
