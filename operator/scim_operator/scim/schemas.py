"""The resources we speak: User, Group (RFC 7643 section 4) and the enterprise extension (section 4.3).

The models are tables, not validators: nothing is ever parsed into them, since real clients send what no
strict model accepts. A new attribute is one line here, and /Schemas, filters, PATCH and the CRD know it.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from scim_operator.scim.attributes import Attr, Model, ResourceType, compile_schema, fold

__all__ = ["ENTERPRISE_URN", "GROUP", "GROUP_URN", "USER", "USER_URN", "ResourceType"]

USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_URN = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

_WORK_HOME = ("work", "home", "other")


class Meta(Model):
    """What the service keeps about a resource."""

    resource_type: Annotated[str | None, Attr(mutability="readOnly", case_exact=True)] = None
    created: Annotated[str | None, Attr(type="dateTime", mutability="readOnly")] = None
    last_modified: Annotated[str | None, Attr(type="dateTime", mutability="readOnly")] = None
    location: Annotated[str | None, Attr(type="reference", mutability="readOnly", case_exact=True)] = None
    version: Annotated[str | None, Attr(mutability="readOnly", case_exact=True)] = None


class Common(Model):
    """The attributes that every resource has (RFC 7643 section 3.1); in no schema of their own."""

    schemas: Annotated[
        list[str] | None, Attr(type="reference", mutability="readOnly", returned="always", case_exact=True)
    ] = None
    id: Annotated[str | None, Attr(mutability="readOnly", returned="always", case_exact=True)] = None
    external_id: Annotated[str | None, Attr(case_exact=True)] = None
    meta: Annotated[Meta | None, Attr(mutability="readOnly")] = None


class Name(Model):
    """The components of a person's name."""

    formatted: str | None = None
    family_name: str | None = None
    given_name: str | None = None
    middle_name: str | None = None
    honorific_prefix: str | None = None
    honorific_suffix: str | None = None


class Email(Model):
    """An e-mail address."""

    value: str | None = None
    display: str | None = None
    type: Annotated[str | None, Attr(canonical=_WORK_HOME)] = None
    primary: bool | None = None


class PhoneNumber(Model):
    """A phone number, kept as sent."""

    value: str | None = None
    display: str | None = None
    type: Annotated[str | None, Attr(canonical=("work", "home", "mobile", "fax", "pager", "other"))] = None
    primary: bool | None = None


class InstantMessage(Model):
    """An instant messaging address."""

    value: str | None = None
    display: str | None = None
    type: Annotated[
        str | None, Attr(canonical=("aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"))
    ] = None
    primary: bool | None = None


class Photo(Model):
    """A URL of a photo."""

    value: Annotated[str | None, Attr(type="reference", references=("external",), case_exact=True)] = None
    display: str | None = None
    type: Annotated[str | None, Attr(canonical=("photo", "thumbnail"))] = None
    primary: bool | None = None


class Address(Model):
    """A postal address."""

    formatted: str | None = None
    street_address: str | None = None
    locality: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str | None = None
    type: Annotated[str | None, Attr(canonical=_WORK_HOME)] = None
    primary: bool | None = None


class Role(Model):
    """A role or entitlement, as the provider names it."""

    value: str | None = None
    display: str | None = None
    type: str | None = None
    primary: bool | None = None


class Certificate(Model):
    """An X.509 certificate, base64."""

    value: Annotated[str | None, Attr(type="binary", case_exact=True)] = None
    display: str | None = None
    type: str | None = None
    primary: bool | None = None


class GroupOfUser(Model):
    """A group the user is in: derived from the groups' members."""

    value: Annotated[str | None, Attr(mutability="readOnly", case_exact=True)] = None
    ref: Annotated[str | None, Attr(type="reference", references=("Group",), mutability="readOnly")] = None
    display: Annotated[str | None, Attr(mutability="readOnly")] = None
    type: Annotated[str | None, Attr(canonical=("direct",), mutability="readOnly")] = None


class User(Model):
    """A person, as the identity provider knows them."""

    urn: ClassVar[str] = USER_URN

    user_name: Annotated[
        str, Attr(required=True, unique=True, description="The name a person signs in with; unique.")
    ]
    name: Name | None = None
    display_name: str | None = None
    nick_name: str | None = None
    profile_url: Annotated[str | None, Attr(type="reference", references=("external",))] = None
    title: str | None = None
    user_type: str | None = None
    preferred_language: str | None = None
    locale: str | None = None
    timezone: str | None = None
    active: Annotated[
        bool | None,
        Attr(
            default=True,
            description="False takes away every access; memberships are remembered. Unassigned means true.",
        ),
    ] = None
    password: Annotated[str | None, Attr(mutability="writeOnly", returned="never")] = None
    emails: list[Email] | None = None
    phone_numbers: list[PhoneNumber] | None = None
    ims: list[InstantMessage] | None = None
    photos: list[Photo] | None = None
    addresses: list[Address] | None = None
    groups: Annotated[list[GroupOfUser] | None, Attr(mutability="readOnly")] = None
    entitlements: list[Role] | None = None
    roles: list[Role] | None = None
    x509_certificates: list[Certificate] | None = None


class Manager(Model):
    """The person's manager; the id may name somebody we don't know (yet)."""

    value: Annotated[str | None, Attr(case_exact=True)] = None
    ref: Annotated[str | None, Attr(type="reference", references=("User",))] = None
    display_name: Annotated[str | None, Attr(mutability="readOnly")] = None


class EnterpriseUser(Model):
    """The enterprise extension of a user."""

    urn: ClassVar[str] = ENTERPRISE_URN
    schema_name: ClassVar[str] = "EnterpriseUser"

    employee_number: str | None = None
    cost_center: str | None = None
    organization: str | None = None
    division: str | None = None
    department: str | None = None
    manager: Manager | None = None


class Member(Model):
    """A member of a group; only the id is stored, the rest is derived."""

    value: Annotated[str | None, Attr(mutability="immutable", case_exact=True)] = None
    ref: Annotated[
        str | None, Attr(type="reference", references=("User", "Group"), mutability="immutable")
    ] = None
    # Ours to say, so a client that compares what it sent with what it gets must ask for it.
    display: Annotated[str | None, Attr(mutability="readOnly", returned="request")] = None
    type: Annotated[str | None, Attr(canonical=("User", "Group"), mutability="immutable")] = None


class Group(Model):
    """A group of people."""

    urn: ClassVar[str] = GROUP_URN

    display_name: Annotated[
        str, Attr(required=True, unique=True, description="The group's name; unique, what policies match.")
    ]
    members: Annotated[list[Member] | None, Attr(keyed=True)] = None


_COMMON = compile_schema(Common)
_ENTERPRISE = compile_schema(EnterpriseUser)

USER = ResourceType("User", "/Users", compile_schema(User), _COMMON, {fold(ENTERPRISE_URN): _ENTERPRISE})
GROUP = ResourceType("Group", "/Groups", compile_schema(Group), _COMMON)
