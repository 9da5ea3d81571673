"""When each alert fires, and when not yet or not at all: asked of promtool, whose clock is its own.

Series are in promtool's notation, a value a minute: `0+2x30` grows by 2, thirty times; `1x30` stays 1.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.shipped import ALERTS, rules
from tests.cluster.build import build

pytestmark = pytest.mark.long
# 14 and 2 days and ten minutes, in seconds.
_TWO_WEEKS, _TWO_DAYS = 14 * 86400 + 600, 2 * 86400 + 600


@dataclass(frozen=True)
class Case:
    """Series by name and labels, and the minutes in which the alert is quiet or fires."""

    alert: str
    series: dict[str, str]
    quiet: tuple[int, ...] = ()
    fires: tuple[int, ...] = field(default=())


def leader(**pods: str) -> dict[str, str]:
    return {f'leader{{pod="{pod}"}}': values for pod, values in pods.items()}


def condition(kind: str, values: str) -> dict[str, str]:
    return {f'condition{{kind="AccessPolicy",name="teams",type="{kind}"}}': values}


def requests(status: int, values: str) -> dict[str, str]:
    return {f'requests_total{{directory="entra",status="{status}"}}': values}


def refused(reason: str, values: str) -> dict[str, str]:
    return {f'authentications_refused_total{{reason="{reason}"}}': values}


def writes(resource: str, result: str, values: str) -> dict[str, str]:
    return {f'api_writes_total{{resource="{resource}",result="{result}"}}': values}


def ends(**secrets: int) -> dict[str, str]:
    name = "token_expiry_timestamp_seconds"
    return {f'{name}{{directory="entra",secret="{secret}"}}': f"{end}x30" for secret, end in secrets.items()}


def lag(late: str, whole: str) -> dict[str, str]:
    bounds = {"0.25": late, "0.5": whole, "+Inf": whole}
    return {
        f'event_loop_lag_seconds_bucket{{pod="a",le="{bound}"}}': values for bound, values in bounds.items()
    }


CASES = [
    Case("NobodyLeads", {}, quiet=(1,), fires=(2,)),
    Case("NobodyLeads", leader(a="0x9", b="0x9"), quiet=(1,), fires=(2, 9)),
    Case("NobodyLeads", leader(a="1 1 0 0 0x9", b="0 0 0 1 1x9"), quiet=(0, 2, 3, 9)),
    Case("SeveralLead", leader(a="1x9", b="1x9"), quiet=(4,), fires=(5,)),
    Case("SeveralLead", leader(a="1 1 0x9", b="0 1 1x9"), quiet=(1, 9)),
    Case(
        "ProviderSilent",
        {'last_request_timestamp_seconds{directory="entra"}': "0x99"},
        quiet=(90,),
        fires=(91,),
    ),
    Case("RequestsFail", requests(200, "0+8x30") | requests(503, "0+2x30"), quiet=(5,), fires=(6, 20)),
    Case("RequestsFail", requests(200, "0+95x30") | requests(503, "0+5x30"), quiet=(6, 20)),
    Case("RequestsFail", requests(200, "0+5x30") | requests(404, "0+5x30"), quiet=(6, 20)),
    Case("Throttled", {'requests_throttled_total{directory="entra"}': "0 50x30"}, quiet=(0, 17), fires=(2,)),
    Case("Throttled", {'requests_throttled_total{directory="entra"}': "0 5x30"}, quiet=(2,)),
    Case("WrongTokens", refused("expired", "0 0 1x30"), quiet=(1, 18), fires=(2, 9)),
    Case("WrongTokens", refused("missing", "0+9x30"), quiet=(2, 9)),
    Case("TokenExpiring", ends(a=_TWO_WEEKS), quiet=(10,), fires=(11,)),
    Case("LastTokenEnds", ends(a=600, b=_TWO_DAYS), quiet=(10,), fires=(11,)),
    Case("AccessWaits", {'queue_oldest_seconds{queue="places"}': "40x9"}, quiet=(1,), fires=(2,)),
    Case("AccessWaits", {'queue_failing{queue="places"}': "1x9"}, quiet=(1,), fires=(2,)),
    Case("AccessWaits", {'queue_oldest_seconds{queue="places"}': "40 0 40 0 40"}, quiet=(2, 4)),
    Case("AccessWaits", {'queue_oldest_seconds{queue="user_statuses"}': "99x9"}, quiet=(9,)),
    Case("NotReady", condition("Ready", "0x30"), quiet=(14,), fires=(15,)),
    Case("NotReady", condition("Ready", "0x30") | condition("GuardTripped", "1x30"), quiet=(15, 30)),
    Case(
        "GuardTripped",
        {
            'removals_held{directory="entra"}': "0 0 3x9",
            'additions_held{directory="entra"}': "0x9",
        },
        quiet=(1,),
        fires=(2,),
    ),
    Case("Frozen", {'frozen{directory="entra"}': "1x9"}, quiet=(4,), fires=(5,)),
    Case(
        "WritesFail",
        writes("rolebindings", "ok", "0+8x30") | writes("rolebindings", "500", "0+2x30"),
        quiet=(5,),
        fires=(6,),
    ),
    Case(
        "WritesFail",
        writes("scimusers", "ok", "0+5x30") | writes("scimusers", "409", "0+5x30"),
        quiet=(6, 20),
    ),
    Case("WritesFail", writes("leases", "unreachable", "0+5x30"), quiet=(6, 20)),
    Case("SlowLoop", lag("0+98x30", "0+100x30"), quiet=(10,), fires=(11,)),
    Case("SlowLoop", lag("0+995x30", "0+1000x30"), quiet=(11, 30)),
]


def _as_promtool_wants(case: Case) -> dict[str, Any]:
    def looked_at(minute: int, firing: int) -> dict[str, Any]:
        alerts = f'ALERTS{{alertname="ScimOperator{case.alert}",alertstate="firing"}}'
        samples = [{"labels": "{}", "value": firing}]
        return {
            "expr": f"count({alerts}) or vector(0)",
            "eval_time": f"{minute}m",
            "exp_samples": samples,
        }

    return {
        "name": case.alert,
        "interval": "1m",
        "input_series": [
            {"series": f"scim_operator_{series}", "values": values} for series, values in case.series.items()
        ],
        "promql_expr_test": [
            *(looked_at(minute, 0) for minute in case.quiet),
            *(looked_at(minute, 1) for minute in case.fires),
        ],
    }


def promtool(*arguments: str | Path) -> tuple[int, str]:
    """-> its exit code and what it says."""
    program = build(names=["promtool"])["promtool"]
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def test_alerts_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    wanted = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "1m",
        "tests": [_as_promtool_wants(case) for case in CASES],
    }
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump(wanted))
    code, said = promtool("test", "rules", tmp_path / "cases.yaml")
    assert code == 0, said


def test_the_rules_are_what_prometheus_takes() -> None:
    code, said = promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS)
    assert (code, f"SUCCESS: {len(rules())} rules found" in said) == (0, True), said


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    assert {f"ScimOperator{case.alert}" for case in CASES if case.fires} == set(rules())
