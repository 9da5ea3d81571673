"""How a person is named in bindings, and who can't be named at all (rule 11)."""

from __future__ import annotations

from typing import Any

import pytest

from scim_operator.access.subjects import Refused, group_subject, user_subject
from scim_operator.api.directory import SubjectTemplate, attribute_of


def named(document: dict[str, Any], user: str = "{userName}", lowercase: bool = False) -> str | Refused:
    return user_subject(SubjectTemplate(user=user, lowercase=lowercase), document)


@pytest.mark.parametrize(
    ("template", "document", "name"),
    [
        ("{userName}", {"userName": "Ada@Example.com"}, "Ada@Example.com"),
        ("entra:{externalId}", {"userName": "a", "externalId": "0A-b"}, "entra:0A-b"),
        ("{userName}#x", {"userName": "a"}, "a#x"),
        ("{emails.work}", {"emails": [{"type": "home", "value": "h"}, {"type": "Work", "value": "w"}]}, "w"),
        # nothing is trimmed or normalised: the authenticator doesn't either
        ("{userName}", {"userName": " \uff26ull "}, " \uff26ull "),
        ("{userName}", {"userName": r"a\1\g<0>"}, r"a\1\g<0>"),
        ("{userName}", {"userName": "{externalId}"}, "{externalId}"),
    ],
)
def test_name_is_exactly_what_the_template_says(template: str, document: dict[str, Any], name: str) -> None:
    assert named(document, template) == name


def test_lowercase_takes_the_whole_name() -> None:
    assert named({"userName": "ADA"}, "Entra:{userName}", lowercase=True) == "entra:ada"


@pytest.mark.parametrize(
    ("template", "document"),
    [
        ("{externalId}", {"userName": "a"}),
        ("{externalId}", {"userName": "a", "externalId": ""}),
        ("entra:{externalId}", {"userName": "a", "externalId": " \t\u00a0"}),
        ("{emails.work}", {"userName": "a"}),
        ("{emails.work}", {"userName": "a", "emails": []}),
        ("{emails.work}", {"userName": "a", "emails": [{"value": "a@b"}]}),
        ("{emails.work}", {"userName": "a", "emails": [{"type": "work"}]}),
    ],
)
def test_person_without_the_attribute_is_refused(template: str, document: dict[str, Any]) -> None:
    refused = named(document, template)
    assert isinstance(refused, Refused)
    assert refused.reason == "NoValue"
    assert template[template.index("{") + 1 : -1] in refused.message


@pytest.mark.parametrize(
    "user_name",
    [
        *("system:masters", "System:Masters", "SYSTEM:admin", " system:masters", "\tsystem:masters"),
        *("\u00a0system:masters", "\nsystem:masters", "system:", "\u017fystem:masters"),
    ],
)
@pytest.mark.parametrize("lowercase", [True, False])
def test_reserved_name_is_refused_in_any_disguise(user_name: str, lowercase: bool) -> None:
    refused = named({"userName": user_name}, lowercase=lowercase)
    assert isinstance(refused, Refused)
    assert refused.reason == "Reserved"


def test_reserved_name_that_only_the_template_makes() -> None:
    assert isinstance(named({"userName": "masters"}, "system:{userName}"), Refused)
    assert isinstance(named({"userName": ":masters"}, "system{userName}"), Refused)
    assert isinstance(named({"userName": "masters"}, "SYSTEM:{userName}", lowercase=True), Refused)


@pytest.mark.parametrize("user_name", ["systems:a", "my-system:a", "system", "a system:b"])
def test_names_that_only_look_reserved(user_name: str) -> None:
    assert named({"userName": user_name}) == user_name


def test_prefix_of_the_directory_makes_a_reserved_name_harmless() -> None:
    assert named({"userName": "system:masters"}, "entra:{userName}") == "entra:system:masters"


@pytest.mark.parametrize(
    "user", ["", "plain", "{userName}{userName}", "{displayName}", "{userName", "{{userName}}"]
)
def test_template_holds_exactly_one_placeholder(user: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        SubjectTemplate(user=user)


@pytest.mark.parametrize("attribute", ["userName", "externalId", "emails.work", "displayName"])
def test_attribute_of_a_template(attribute: str) -> None:
    assert attribute_of(f"a:{{{attribute}}}") == attribute


@pytest.mark.parametrize(
    ("template", "name"),
    [("{externalId}", "0A-b"), ("oidc:{displayName}", "oidc:Red Team"), ("g/{externalId}", "g/0A-b")],
)
def test_name_of_a_group(template: str, name: str) -> None:
    document = {"displayName": "Red Team", "externalId": "0A-b"}
    assert group_subject(SubjectTemplate(group=template), document) == name
    assert group_subject(SubjectTemplate(group=template, lowercase=True), document) == name.lower()


@pytest.mark.parametrize("group", ["{userName}", "{externalId}{displayName}", "plain", "{emails.work}"])
def test_template_of_groups_holds_exactly_one_of_their_placeholders(group: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        SubjectTemplate(group=group)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"displayName": "g"}, "NoValue"),
        ({"externalId": " "}, "NoValue"),
        ({"externalId": "system:x"}, "Reserved"),
    ],
)
def test_group_that_cannot_be_named(document: dict[str, Any], reason: str) -> None:
    refused = group_subject(SubjectTemplate(), document)
    assert isinstance(refused, Refused)
    assert refused.reason == reason


@pytest.mark.parametrize("value", ["a\x00b", "a\x1b[31m", "a\nb", "a\x7f"])
def test_control_characters_are_refused(value: str) -> None:
    refused = named({"userName": value})
    assert isinstance(refused, Refused)
    assert refused.reason == "ControlCharacter"
