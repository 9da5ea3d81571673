"""Random words, as Microsoft's suites fill attributes with them: locale and profileUrl included."""

from __future__ import annotations

import random
import string

from tests.entra import ENTERPRISE, Json


def word() -> str:
    """Twelve capitals, such as the validator's GFZMFOVZMHIV."""
    return "".join(random.choices(string.ascii_uppercase, k=12))


def verbose_changes() -> Json:
    """Every attribute of Entra's mapping but the name and the manager, by path: the "Verbose Request"."""
    return {
        **{path: word() for path in _SIMPLE},
        **{f"{ENTERPRISE}:{name}": word() for name in _ENTERPRISE},
        'emails[type eq "work"].value': f"{word()}@testuser.com",
        'emails[type eq "work"].primary': "True",
        **{f'addresses[type eq "work"].{name}': word() for name in _ADDRESS},
        **{f'phoneNumbers[type eq "{kind}"].value': word() for kind in _PHONES},
        'phoneNumbers[type eq "work"].primary': "True",
        **{f'phoneNumbers[type eq "{kind}"].primary': "False" for kind in _PHONES[1:]},
        **{f'roles[primary eq "True"].{name}': word() for name in ("display", "value", "type")},
    }


_SIMPLE = (
    *(
        "displayName",
        "title",
        "preferredLanguage",
        "nickName",
        "locale",
        "timezone",
        "userType",
        "profileUrl",
    ),
    *("name.givenName", "name.familyName", "name.formatted", "name.middleName"),
    *("name.honorificPrefix", "name.honorificSuffix"),
)
_ENTERPRISE = ("employeeNumber", "department", "costCenter", "organization", "division")
_ADDRESS = ("formatted", "streetAddress", "locality", "region", "postalCode", "country")
_PHONES = ("work", "mobile", "fax")


def user_body(user_name: str) -> Json:
    """A POST with everything, string booleans and a manager that nobody knows."""
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "userName": user_name,
        "externalId": word(),
        "active": "True",
        "displayName": word(),
        "title": word(),
        "locale": word(),
        "profileUrl": word(),
        "emails": [{"type": "work", "value": f"{word()}@testuser.com", "primary": "True"}],
        "phoneNumbers": [
            {"type": "work", "value": word(), "primary": "True"},
            {"type": "fax", "value": word()},
        ],
        "addresses": [{"type": "work", "formatted": word(), "primary": "True"}],
        "name": {"givenName": word(), "familyName": word(), "formatted": word()},
        "roles": [{"primary": "True", "display": word(), "value": word(), "type": word()}],
        ENTERPRISE: {"department": word(), "manager": {"value": word()}},
    }
