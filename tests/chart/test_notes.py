"""What people read after ``helm install``."""

from __future__ import annotations

import textwrap

import pytest

from tests.chart.release import Release
from tests.chart.renderer import Renderer

DIRECTORY = "directories[0].name=corp"
NOT_READY = "NOT READY for Microsoft Entra ID"
# Every field of Entra's form, and what is to be put there.
FORM = {
    "Authentication method": "Bearer authentication",
    "Tenant URL": "https://scim.example.com/scim/v2/corp",
    "Secret Token": "the token of step 2",
    "Test Connection": "must succeed; then Create",
    "Attribute mapping": "keep the defaults; `active` above all stays Switch([IsSoftDeleted], …)",
    "Scope": "Sync only assigned users and groups",
    "Provisioning Status": "On (Start provisioning)",
}


def test_every_field_to_paste(chart: Renderer) -> None:
    notes = chart.notes("--set", f"externalURL=https://scim.example.com/,{DIRECTORY}")
    assert NOT_READY not in notes
    assert "     scim-operator token create corp -n scim-system\n" in notes
    lines = [line.strip() for line in notes.splitlines()]
    for field, value in FORM.items():
        assert f"{field:<22}  {value}" in lines
    assert "curl -i https://scim.example.com/scim/v2/corp/Users" in lines


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "externalURL is empty"),
        ("http://scim.example.com", "which is not HTTPS"),
        ("http://localhost:8080", "which is not HTTPS"),
        ("https://localhost", "a name that means nothing outside of your network"),
        ("https://scim.corp.local", "a name that means nothing outside of your network"),
        ("https://scim.example.internal:8443", "a name that means nothing outside of your network"),
        ("https://10.1.2.3", "no trusted certificate is made for an address"),
        ("https://[::1]:8443", "no trusted certificate is made for an address"),
    ],
)
def test_what_entra_cannot_use_is_never_called_ready(chart: Renderer, url: str, why: str) -> None:
    notes = chart.notes("--set", f"externalURL={url},{DIRECTORY}")
    assert f"{NOT_READY}: externalURL is {url or 'empty'}" in notes
    assert why in notes
    assert "--set externalURL=https://scim.example.com" in notes
    # For tries with a client of one's own.
    assert f"     Tenant URL              {url or 'https://YOUR-HOST'}/scim/v2/corp\n" in notes
    assert "curl" not in notes


@pytest.mark.parametrize("url", ["https://scim.example.com", "https://local.example.com:8443/base"])
def test_a_public_name_is_taken_as_ready(chart: Renderer, url: str) -> None:
    assert NOT_READY not in chart.notes("--set", f"externalURL={url},{DIRECTORY}")


def test_an_ingress_with_tls_is_a_url(chart: Renderer) -> None:
    notes = chart.notes("--set", f"ingress.enabled=true,ingress.host=scim.example.com,{DIRECTORY}")
    assert NOT_READY not in notes
    assert "https://scim.example.com/scim/v2/corp\n" in notes
    assert "as Ingress scim-scim-operator says" in notes


def test_an_ingress_without_tls_is_none(chart: Renderer) -> None:
    values = "ingress.enabled=true,ingress.host=scim.example.com,ingress.tls.enabled=false"
    assert f"{NOT_READY}: externalURL is empty" in chart.notes("--set", values)


def test_object_ids_as_names_need_another_mapping(chart: Renderer) -> None:
    """Entra's default sends mailNickname as externalId."""
    advice = "map externalId from objectId instead of mailNickname"
    assert advice not in chart.notes("--set", DIRECTORY)
    directories = '[{"name": "corp", "subjects": {"user": "oid:{externalId}"}}]'
    assert advice in chart.notes("--set-json", f"directories={directories}")


def test_okta_has_its_line(chart: Renderer) -> None:
    assert "Okta: the same URL as SCIM connector base URL" in chart.notes()


def test_without_directories_says_how_to_make_one(chart: Renderer) -> None:
    assert "kind: ScimDirectory" in chart.notes()
    assert "kind: ScimDirectory" not in chart.notes("--set", DIRECTORY)


def test_two_directories_have_two_urls_and_tokens(chart: Renderer) -> None:
    notes = chart.notes(
        "--set", f"externalURL=https://a.example.com,{DIRECTORY},directories[1].name=partners"
    )
    for name in ("corp", "partners"):
        assert f"https://a.example.com/scim/v2/{name}\n" in notes
        assert f"scim-operator token create {name} -n scim-system\n" in notes


def test_the_example_policy_names_grantable_roles(chart: Renderer) -> None:
    assert "role: [view, edit, admin]" in chart.notes()
    assert "role: [reader]" in chart.notes("--set-json", 'grantableClusterRoles=["reader","system:x"]')


def test_no_grantable_role_is_said_plainly(chart: Renderer) -> None:
    notes = chart.notes("--set-json", "grantableClusterRoles=[]")
    assert "Grantable ClusterRoles: none" in notes


def test_what_is_to_be_applied_can_be(chart: Renderer, release: Release) -> None:
    """The notes' own text, taken by the real API server."""
    notes = chart.notes()
    commands = [part.split("EOF\n", 1)[1].split("     EOF", 1)[0] for part in notes.split("<<")[1:]]
    assert len(commands) == 2
    for text in commands:
        release.cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=textwrap.dedent(text))
