"""Where a kind lives in the API server's URLs, and what its refusals mean. No server needed."""

from __future__ import annotations

import pytest

from scim_operator.kube.client import _error, _status_object
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import CLUSTER_ROLES, NAMESPACES, ROLE_BINDINGS, SECRETS


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (NAMESPACES.path(), "/api/v1/namespaces"),
        (NAMESPACES.path(name="team-red"), "/api/v1/namespaces/team-red"),
        (SECRETS.path("ns"), "/api/v1/namespaces/ns/secrets"),
        (SECRETS.path("ns", "a"), "/api/v1/namespaces/ns/secrets/a"),
        (ROLE_BINDINGS.path(), "/apis/rbac.authorization.k8s.io/v1/rolebindings"),
        (
            ROLE_BINDINGS.path("a", "b", "status"),
            "/apis/rbac.authorization.k8s.io/v1/namespaces/a/rolebindings/b/status",
        ),
        # a cluster-scoped kind has no namespace, whatever is said
        (CLUSTER_ROLES.path("ns", "x"), "/apis/rbac.authorization.k8s.io/v1/clusterroles/x"),
        # names of roles may hold what means something in a URL
        (
            CLUSTER_ROLES.path(name="a/../b?c"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/a%2F..%2Fb%3Fc",
        ),
    ],
)
def test_path(path: str, expected: str) -> None:
    assert path == expected


@pytest.mark.parametrize("status", [0, 408, 425, 429, 500, 502, 503, 504])
def test_the_same_request_may_succeed_later(status: int) -> None:
    assert ApiError(status, "", "").unavailable


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 422])
def test_the_same_request_will_not(status: int) -> None:
    assert not ApiError(status, "", "").unavailable


def test_two_kinds_of_409() -> None:
    exists, moved = ApiError(409, "AlreadyExists", ""), ApiError(409, "Conflict", "")
    assert (exists.already_exists, exists.conflict) == (True, False)
    assert (moved.already_exists, moved.conflict) == (False, True)


@pytest.mark.parametrize(
    ("status", "message", "refused"),
    [
        (403, 'user "x" is attempting to grant RBAC permissions not currently held', True),
        (403, "rolebindings is forbidden", False),
        (500, "attempting to grant RBAC permissions", False),
    ],
)
def test_refused_role(status: int, message: str, refused: bool) -> None:
    assert ApiError(status, "Forbidden", message).role_refused is refused


@pytest.mark.parametrize("text", [b"<html>bad gateway</html>", b"", b"[]", b"null", b"\xff"])
def test_refusal_of_somebody_in_between(text: bytes) -> None:
    error = _error(502, _status_object(text))
    assert error.unavailable
    assert str(error)


def test_message_is_one_line() -> None:
    error = _error(403, {"reason": "Forbidden", "message": "first" + "x" * 900 + "\n{rules}"})
    assert error.message.startswith("first")
    assert len(error.message) == 500
    assert "\n" not in str(error)
