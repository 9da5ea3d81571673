"""What people read after ``helm install``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chart.renderer import Renderer
from tests.installation import CHART

DIRECTORY = "directories[0].name=corp"
NOT_READY = "NOT READY for Microsoft Entra ID"
# Every field of Entra's form, in its order, and what is to be put there.
FORM = {
    "Authentication method": "Bearer authentication",
    "Tenant URL": "https://scim.example.com/scim/v2/corp",
    "Secret Token": "the token of step 2",
    "Test Connection": "must succeed; then Create",
    "Notification email": "whoever should know when provisioning stops (quarantine)",
    "Prevent accidental deletion": "on, with a low threshold such as 20: this release has no guard yet,",
    "Attribute mapping": "works with the defaults. `active` of users must stay",
    "  externalId of users": "recommended: change the source from mailNickname to objectId before",
    "Scope": "Sync only assigned users and groups",
    "Provision on demand": "try one person first, then a group with that person",
    "Provisioning Status": "On (Start provisioning)",
}


def test_every_field_to_paste(chart: Renderer) -> None:
    notes = chart.notes("--set", f"externalURL=https://scim.example.com/,{DIRECTORY}")
    assert NOT_READY not in notes
    assert "     scim-operator token create corp -n scim-system\n" in notes
    lines = notes.splitlines()
    rows = [f"     {field:<28}  {value}" for field, value in FORM.items()]
    assert [line for line in lines if line in rows] == rows
    assert "     curl -i https://scim.example.com/scim/v2/corp/Users" in lines


def test_where_to_begin_and_where_the_command_is_from(chart: Renderer) -> None:
    notes = " ".join(chart.notes().split())
    assert "Integrate any other application you don't find in the gallery" in notes
    assert "assign users and groups" in notes
    assert "`make install` puts it into .venv/bin" in notes


def test_notes_and_readme_give_the_same_advice(root: Path) -> None:
    """An identity admin reads one, the platform team the other."""
    notes = (CHART / "templates" / "NOTES.txt").read_text()
    readme = (root / "README.md").read_text()
    section = readme.split("\n## On a real cluster\n", 1)[1].split("\n## ", 1)[0]
    fields = [field.strip().removesuffix(" of users") for field in FORM]
    for word in (
        *fields,
        '"False", "True", "True", "False"',
        "recommended",
        "needed",
        "threshold such as 20",
    ):
        assert word in notes
        assert word.lower() in section.lower()


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
    assert f"     {'Tenant URL':<28}  {url or 'https://YOUR-HOST'}/scim/v2/corp\n" in notes
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
    notes = chart.notes("--set", values)
    assert (
        f"{NOT_READY}: the Ingress has no TLS (ingress.tls.enabled is false), and externalURL is empty"
        in notes
    )
    assert "--reset-then-reuse-values --set ingress.tls.enabled=true\n" in notes


def test_object_ids_as_names_need_another_mapping(chart: Renderer) -> None:
    """Entra's default sends mailNickname as externalId."""
    advice = "needed, as subjects.user asks for it: change the source from mailNickname to objectId"
    assert advice not in chart.notes("--set", DIRECTORY)
    directories = '[{"name": "corp", "subjects": {"user": "oid:{externalId}"}}]'
    assert advice in chart.notes("--set-json", f"directories={directories}")


def test_who_leads_is_found(chart: Renderer) -> None:
    said = "Replicas: {}. Which one leads: kubectl get lease scim-scim-operator -n scim-system\n"
    assert said.format(2) in chart.notes()
    assert said.format(1) in chart.notes("--set", "replicas=1")


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
