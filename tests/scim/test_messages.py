from scim_operator.scim.errors import ScimError, not_found, uniqueness
from scim_operator.scim.messages import list_response, render
from scim_operator.scim.project import projection
from scim_operator.scim.schemas import ENTERPRISE_URN, GROUP, GROUP_URN, USER, USER_URN
from tests.scim.tables import CUSTOM_URN

META = {"created": "c", "lastModified": "m", "version": 'W/"1"'}


def test_user_is_shown_whole() -> None:
    document = {"userName": "a", "active": True, ENTERPRISE_URN: {"department": "d"}, CUSTOM_URN: {"x": 1}}
    everything = projection(USER, None, None)
    shown = render(
        USER,
        document,
        id="1",
        meta=META,
        location="https://h/Users/1",
        projection=everything,
        groups=[{"value": "g"}],
    )
    assert shown == {
        "schemas": [USER_URN, ENTERPRISE_URN, CUSTOM_URN],
        "id": "1",
        **document,
        "groups": [{"value": "g"}],
        "meta": {"resourceType": "User", **META, "location": "https://h/Users/1"},
    }
    assert list(shown)[:3] == ["schemas", "id", "userName"]


def test_group_without_members_asked() -> None:
    less = projection(GROUP, None, "members")
    shown = render(GROUP, {"displayName": "g"}, id="1", meta=META, location="l", projection=less)
    assert shown["schemas"] == [GROUP_URN]
    assert "members" not in shown
    assert "groups" not in shown


def test_empty_members_are_shown() -> None:
    everything = projection(GROUP, None, None)
    shown = render(
        GROUP, {"displayName": "g"}, id="1", meta=META, location="l", projection=everything, members=[]
    )
    assert shown["members"] == []


def test_list() -> None:
    assert list_response([{"id": "1"}], 7, start_index=3) == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 7,
        "startIndex": 3,
        "itemsPerPage": 1,
        "Resources": [{"id": "1"}],
    }


def test_error_body() -> None:
    assert uniqueness("userName is taken").body() == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": "409",
        "scimType": "uniqueness",
        "detail": "userName is taken",
    }
    assert "scimType" not in not_found("no such user").body()
    assert str(ScimError(503, "away")) == "away"
