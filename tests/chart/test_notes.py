"""What people read after ``helm install``."""

from __future__ import annotations

from tests.chart.renderer import Renderer

DIRECTORY = "directories[0].name=corp"
NOT_READY = "NOT READY for Microsoft Entra ID"


def test_https_shows_the_url_to_paste(chart: Renderer) -> None:
    notes = chart.notes("--set", f"externalURL=https://scim.example.com/,{DIRECTORY}")
    assert "     https://scim.example.com/scim/v2/corp\n" in notes
    assert NOT_READY not in notes
    assert "     scim-operator token create corp -n scim-system\n" in notes


def test_http_is_never_ready_for_entra(chart: Renderer) -> None:
    notes = chart.notes("--set", f"externalURL=http://localhost:8080,{DIRECTORY}")
    assert f"{NOT_READY}: externalURL is http://localhost:8080" in notes
    assert "     http://localhost:8080/scim/v2/corp\n" in notes
    assert "--set externalURL=https://" in notes


def test_no_url_says_which_value_to_set(chart: Renderer) -> None:
    notes = chart.notes()
    assert f"{NOT_READY}: externalURL is empty, and Entra needs a public HTTPS URL" in notes
    assert "--set externalURL=https://" in notes
    assert "/scim/v2/" not in notes


def test_without_directories_says_how_to_make_one(chart: Renderer) -> None:
    assert "kind: ScimDirectory" in chart.notes()
    assert "kind: ScimDirectory" not in chart.notes("--set", DIRECTORY)


def test_two_directories_have_two_urls(chart: Renderer) -> None:
    notes = chart.notes(
        "--set", f"externalURL=https://a.example.com,{DIRECTORY},directories[1].name=partners"
    )
    assert "     https://a.example.com/scim/v2/corp\n     https://a.example.com/scim/v2/partners\n" in notes


def test_the_example_policy_names_grantable_roles(chart: Renderer) -> None:
    assert "role: [view, edit, admin]" in chart.notes()
    assert "role: [reader]" in chart.notes("--set-json", 'grantableClusterRoles=["reader","system:x"]')


def test_no_grantable_role_is_said_plainly(chart: Renderer) -> None:
    notes = chart.notes("--set-json", "grantableClusterRoles=[]")
    assert "Grantable ClusterRoles: none" in notes
