"""The search for secrets finds them: otherwise it would always be content."""

from __future__ import annotations

import pytest

from scim_operator.directory.tokens import new_token
from tests.leaks import BEARER, PASSWORD, found_in


@pytest.mark.parametrize(
    "text",
    [
        f"wrong token {new_token('entra', bytes(range(32)))}",
        f"{{'Authorization': 'Bearer {BEARER}'}}",
        f'"token=…{BEARER}"',
        f'{{"password": "{PASSWORD}"}}',
        "kubeconfig: eyJhbGciOiJSUzI1NiIsImtpZCI6.eyJhdWQiOlsiaHR0cHM6Ly9r.c2ln",
    ],
)
def test_secret_is_found(text: str) -> None:
    assert found_in(text, "the log")


def test_what_is_none_is_not() -> None:
    assert (
        found_in('Secret scim-token-entra-bec7ebf3: the bearer token is missing; Bearer realm="scim"', "")
        == []
    )
