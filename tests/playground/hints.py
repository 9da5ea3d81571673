"""What `make up` prints when it is done: what is there, and what to try, in lines to copy."""

from __future__ import annotations

from tests.demo.cast import DIRECTORY
from tests.playground.folder import short
from tests.playground.place import Place

_HINTS = """\
Up: {title}; the operator{pid}.
{people} Policy `teams`: group k8s-TEAM-ROLE gives ROLE in namespace TEAM.

Try it, line by line (the README's "By hand" goes further):

  . {env}
  kubectl get scim
  curl -sS "$SCIM_URL/Users" -H "Authorization: Bearer $SCIM_TOKEN" \\
    -H "Content-Type: application/scim+json" \\
    -d '{{"userName": "alice@example.com", "externalId": "alice-1", "active": true}}'
  ALICE=$(kubectl get scimusers -o jsonpath='{{.items[?(@.spec.userName=="alice@example.com")].spec.id}}')
  curl -sS "$SCIM_URL/Groups" -H "Authorization: Bearer $SCIM_TOKEN" \\
    -H "Content-Type: application/scim+json" \\
    -d "{{\\"displayName\\": \\"k8s-payments-edit\\", \\"members\\": [{{\\"value\\": \\"$ALICE\\"}}]}}"
  kubectl get scim
{person}
  curl -sS "$METRICS_URL"; curl -sS "$HEALTH_URL/readyz"

Logs: {logs}. The end: make down (stops all, removes {state} with the logs)."""

_OWN = """\
  TOKEN=$(make -s token-for USER=alice@example.com)
  kubectl --token "$TOKEN" auth whoami
  kubectl --token "$TOKEN" get pods -n payments"""
# Elsewhere people's tokens come from an issuer that isn't ours.
_ELSEWHERE = """\
  kubectl --as alice@example.com get pods -n payments"""

_OF_THE_DIRECTORY = f'jsonpath={{.items[?(@.spec.directory=="{DIRECTORY}")].metadata.name}}'
_PEOPLE = {
    0: f"Directory `{DIRECTORY}` has no people yet.",
    1: f"Directory `{DIRECTORY}` has one person.",
}


def hints(place: Place) -> str:
    """For the place as it runs."""
    pid = place.settings()["OPERATOR_PID"]
    known = place.client().kubectl("get", "scimusers", "-o", _OF_THE_DIRECTORY).split()
    return _HINTS.format(
        title=place.title,
        people=_PEOPLE.get(len(known), f"Directory `{DIRECTORY}` has {len(known)} people."),
        pid=f" runs as process {pid}" if pid else " runs in a pod",
        env=short(place.state / "env"),
        logs=short(place.state / "logs"),
        state=short(place.state),
        person=_OWN if place.record.place == "own" else _ELSEWHERE,
    )
