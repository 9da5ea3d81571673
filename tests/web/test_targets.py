"""What a URL means, in every spelling that admins paste and clients make of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_operator.web.targets import PREFIX, Target, rerouted, target


@pytest.mark.parametrize(
    "path",
    [
        "/entra/Users",
        "/entra/Users/",
        "/entra//Users",
        "//entra//Users//",
        "/entra/users",
        "/entra/USERS",
        "/entra/aadOptscim062020/Users",
        "/entra/AADOPTSCIM062020//Users",
        "/entra/Users/aadOptscim062020",
        "/entra/AzureAdScimPatch062020/Users",
        "/%65ntra/%55sers",
    ],
)
def test_spellings_of_the_users(path: str) -> None:
    assert target(PREFIX + path) == Target("entra", "users", None)


@pytest.mark.parametrize("path", ["", "/", "//"])
def test_no_directory(path: str) -> None:
    assert target(PREFIX + path) == Target("", "", None)


@pytest.mark.parametrize("path", ["/entra", "/entra/", "/entra/aadOptscim062020"])
def test_tenant_url_itself(path: str) -> None:
    assert target(PREFIX + path) == Target("entra", "", None)


@pytest.mark.parametrize(
    ("path", "identifier"),
    [
        ("/entra/Groups/id-1", "id-1"),
        ("/entra//Groups//id-1/", "id-1"),
        ("/entra/Groups/a%2Fb", "a/b"),
        ("/entra/Groups/A%20b", "A b"),
        ("/entra/aadOptscim062020/Groups/ID", "ID"),
    ],
)
def test_one_resource(path: str, identifier: str) -> None:
    assert target(PREFIX + path) == Target("entra", "groups", identifier)


def test_too_much_is_kept_to_be_refused() -> None:
    assert target(PREFIX + "/entra/Users/1/members/2").rest == ("members", "2")


def test_directory_keeps_its_case() -> None:
    assert target(PREFIX + "/Entra/Users").directory == "Entra"


def test_encoded_slash_does_not_reach_another_directory() -> None:
    assert target(PREFIX + "/entra%2F..%2Fokta/Users").directory == "entra/../okta"


@given(st.text(max_size=30))
def test_any_path_means_something(path: str) -> None:
    assert isinstance(target(PREFIX + "/" + path), Target)


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("aadOptscim062020/Users?filter=x", "/scim/v2/entra/Users?filter=x"),
        ("aadOptScim062020/Groups/1", "/scim/v2/entra/Groups/1"),
        ("aadOptscim062020=true/Users", "/scim/v2/entra/Users"),
        ("AzureAdScimPatch062020/Users", "/scim/v2/entra/Users"),
        ("aadOptscim062020", None),
        ("filter=a/b", None),
        ("", None),
    ],
)
def test_path_behind_the_flag(query: str, meant: str | None) -> None:
    assert rerouted(PREFIX + "/entra", query) == meant
    assert rerouted(PREFIX + "/entra/", query) == meant


@pytest.mark.parametrize(
    "query",
    [
        'aadOptscim062020=true&filter=displayName+eq+"a/b"',
        'aadOptscim062020=&filter=displayName+eq+"a/b"',
        'AzureAdScimPatch062020=true&excludedAttributes=members&filter=displayName eq "R/D"',
    ],
)
def test_slash_in_a_filter_behind_the_flag_is_no_path(query: str) -> None:
    assert rerouted("/scim/v2/entra/Groups", query) is None
