"""Names as somebody would choose them who wants what no policy's author meant, and what must come of each.

The same tables are tried on the planner alone (test_hostile.py) and through SCIM on a real API server
(tests/e2e/test_hostile.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

# One policy over teams, with two grants: the role that the group's name says, in two namespaces.
PATTERN = "k8s-{team}-{role}"
WHERE = {"role": ["admin", "edit", "view"]}

Expected = set[tuple[str, str]]


class Group(NamedTuple):
    """A group's name, the (namespace, role) that it opens, and words that explain why it opens no more."""

    name: str
    opens: Expected
    said: str = ""


def _nothing(name: str, said: str) -> Group:
    return Group(name, set(), said)


_LOOK_ALIKES = {
    "Cyrillic a": "k8s-t\u0435am-\u0430dmin",
    "Cyrillic capital": "\u041a8s-team-admin",
    "Greek omicron": "k8s-t\u03bfm-admin",
    "Turkish dotless i": "k8s-team-adm\u0131n",
    "Turkish capital I with a dot": "K8S-TEAM-ADM\u0130N",
    "combining acute": "k8s-te\u0301am-admin",
    "composed acute": "k8s-t\u00e9am-admin",
    "combining dot below the dash": "k8s-\u0323team-admin",
    "sharp s": "k8s-stra\u00dfe-admin",
    "soft hyphen": "k8s-te\u00adam-admin",
    "true hyphen": "k8s\u2010team\u2010admin",
    "non-breaking hyphen": "k8s\u2011team\u2011admin",
    "minus sign": "k8s\u2212team\u2212admin",
    "zero-width space": "k8s-te\u200bam-admin",
    "zero-width joiner": "k8s-team\u200d-admin",
    "byte order mark in front": "\ufeffk8s-team-admin",
    "word joiner": "k8s-team-adm\u2060in",
    "right-to-left override": "k8s-\u202emaet\u202c-admin",
    "right-to-left mark at the end": "k8s-team-admin\u200f",
    "left-to-right isolate": "k8s-\u2066team\u2069-admin",
    "variation selector": "k8s-team\ufe0f-admin",
    "tag characters": "k8s-team\U000e0061-admin",
}
# What NFKC and lower case make the same is the same name, as the documentation says.
_SAME = {
    "upper case": "K8S-TEAM-ADMIN",
    "fullwidth": "\uff4b\uff18\uff53\uff0d\uff54\uff45\uff41\uff4d\uff0d\uff41\uff44\uff4d\uff49\uff4e",
    "Kelvin sign": "\u212a8s-team-admin",
    "long s": "k8\u017f-team-admin",
    "mathematical bold": "k8s-\U0001d42d\U0001d41e\U0001d41a\U0001d426-admin",
    "small hyphen": "k8s\ufe63team\ufe63admin",
}
_TRICKS = {
    "empty team": ("k8s--admin", "{team} would be empty"),
    "no team at all": ("k8s-admin", ""),
    "soft hyphens for dashes": ("k8s\u00adteam\u00adadmin", ""),
    "empty role": ("k8s-team-", "{role} would be empty"),
    "dash in front": ("k8s--team-admin", "a dash at an end"),
    "dash behind": ("k8s-team--admin", "a dash at an end"),
    "only dashes": ("k8s-----admin", "a dash at an end"),
    "dot": ("k8s-a.b-admin", "FULL STOP"),
    "path upwards": ("k8s-../../kube-system-admin", "FULL STOP"),
    "slash": ("k8s-kube-system/x-admin", "SOLIDUS"),
    "backslash": ("k8s-a\\b-admin", "REVERSE SOLIDUS"),
    "wildcard as team": ("k8s-*-admin", "ASTERISK"),
    "wildcard as role": ("k8s-team-*", "ASTERISK"),
    "question mark": ("k8s-te?m-admin", "QUESTION MARK"),
    "braces": ("k8s-{team}-{role}", "LEFT CURLY BRACKET"),
    "braces in the team": ("k8s-{role}-admin", "LEFT CURLY BRACKET"),
    "comma": ("k8s-a,kube-system-admin", "COMMA"),
    "colon": ("k8s-system:masters-admin", "COLON"),
    "quote": ('k8s-a"b-admin', "QUOTATION MARK"),
    "dollar": ("k8s-$(id)-admin", "DOLLAR SIGN"),
    "percent-encoded letter": ("k8s-%74eam-admin", "PERCENT SIGN"),
    "percent-encoded dash": ("k8s-kube%2Dsystem-admin", "PERCENT SIGN"),
    "plus for a blank": ("k8s-a+b-admin", "PLUS SIGN"),
    "HTML": ("k8s-<b>a</b>-admin", "LESS-THAN SIGN"),
    "underscore": ("k8s-a_b-admin", "LOW LINE"),
    "blank in front": (" k8s-team-admin", "U+0020 (SPACE)"),
    "blank behind": ("k8s-team-admin ", "U+0020 (SPACE)"),
    "blank inside": ("k8s-te am-admin", "SPACE"),
    "newline behind": ("k8s-team-admin\n", "U+000A"),
    "newline inside": ("k8s-te\nam-admin", "U+000A (a control character)"),
    "two lines": ("k8s-team-admin\nk8s-kube-system-admin", "U+000A"),
    "line separator": ("k8s-te\u2028am-admin", "LINE SEPARATOR"),
    "tab": ("k8s-\tteam-admin", "U+0009"),
    "NUL inside": ("k8s-te\x00am-admin", "U+0000"),
    "NUL behind": ("k8s-team-admin\x00", "U+0000"),
    "escape sequence": ("k8s-\x1b[31mteam-admin", "U+001B"),
    "backspace": ("k8s-teamx\x08-admin", "U+0008"),
    "DEL": ("k8s-team\x7f-admin", "U+007F"),
    "role in another case is another role": ("k8s-team-cluster-Admin", None),
    "role that nobody listed": ("k8s-team-cluster-owner", "doesn't list"),
    "text in front": ("x-k8s-team-admin", ""),
    "text behind": ("k8s-team-admin-old", "doesn't list"),
    "64 characters": (f"k8s-{'a' * 64}-admin", "64 characters long, of 63 at most"),
    "500 characters": (f"k8s-{'a' * 490}-admin", "it has 500 characters, and at most 256 are read"),
    "500 characters of dashes": (f"k8s-{'a-' * 245}-admin", "at most 256 are read"),
    "a ligature that becomes eighteen letters": (f"k8s-{chr(0xFDFA) * 20}-admin", ""),
}

GROUPS: dict[str, Group] = {
    **{title: _nothing(name, "holds U+") for title, name in _LOOK_ALIKES.items()},
    **{title: Group(name, {("team", "admin")}) for title, name in _SAME.items()},
    **{title: _nothing(name, said) for title, (name, said) in _TRICKS.items() if said is not None},
    "role in another case": Group("k8s-team-cluster-Admin", {("team-cluster", "admin")}),
    "dashes inside": Group("k8s-a--b-admin", {("a--b", "admin")}),
    "a role's name as team": Group("k8s-admin-view", {("admin", "view")}),
    **{
        f"protected: {name}": _nothing(f"k8s-{name}-admin", "protected namespace")
        for name in (
            *("kube-system", "KUBE-SYSTEM", "kube-public", "kube-node-lease", "kube-", "kube-anything"),
            *(
                "default",
                "Default",
                "scim-operator",
                "\uff4bube-system",
                "\u212aube-system",
                "kube\uff0dsystem",
            ),
        )
        if name != "kube-"
    },
    "protected, but for a dash": _nothing("k8s-kube--admin", "a dash at an end"),
    "nearly protected": Group("k8s-kube-admin", {("kube", "admin")}),
    "nearly default": Group("k8s-default2-admin", {("default2", "admin")}),
}


class Person(NamedTuple):
    """A userName under a template of subjects, what it is called in bindings or None, and why."""

    user_name: str
    template: str = "{userName}"
    lowercase: bool = False
    called: str | None = None
    reason: str = ""


def _reserved(user_name: str, **more: Any) -> Person:
    return Person(user_name, **more, reason="Reserved")


_LONG = "a" * 488 + "@example.com"

PEOPLE: dict[str, Person] = {
    "system:": _reserved("system:masters"),
    "upper case": _reserved("SYSTEM:MASTERS"),
    "mixed case": _reserved("SyStEm:admin"),
    "a service account": _reserved("system:serviceaccount:kube-system:default"),
    "a node": _reserved("system:node:worker-1"),
    "anonymous": _reserved("system:anonymous"),
    "nothing behind it": _reserved("system:"),
    "blank in front": _reserved(" system:masters"),
    "many blanks": _reserved(" \t\r\n\u00a0\u3000system:masters"),
    "zero-width space in front": _reserved("\u200bsystem:masters"),
    "byte order mark in front": _reserved("\ufeffsystem:masters"),
    "right-to-left mark in front": _reserved("\u200fsystem:masters"),
    "NUL in front": _reserved("\x00system:masters"),
    "soft hyphen inside": _reserved("sys\u00adtem:masters"),
    "blank inside": _reserved("system :masters"),
    "fullwidth": _reserved("\uff53\uff59\uff53\uff54\uff45\uff4d\uff1amasters"),
    "fullwidth colon": _reserved("system\uff1amasters"),
    "long s": _reserved("\u017fystem:masters"),
    "lower-cased by the directory": _reserved("SYSTEM:masters", lowercase=True),
    "made by the template": _reserved("masters", template="system:{userName}"),
    "made by the template, in another case": _reserved("masters", template="SYSTEM:{userName}"),
    "made by the template and lower-cased": _reserved(
        "masters", template="System:{userName}", lowercase=True
    ),
    "half by the template": _reserved("tem:masters", template="sys{userName}"),
    "blank by the template": _reserved("system:masters", template=" {userName}"),
    "after a prefix it is no reserved name": Person(
        "system:masters", template="oidc:{userName}", called="oidc:system:masters"
    ),
    "after a prefix, lower-cased": Person(
        "SYSTEM:masters", template="OIDC:{userName}", lowercase=True, called="oidc:system:masters"
    ),
    "Cyrillic look-alike of it": Person("\u0455ystem:masters", called="\u0455ystem:masters"),
    "it inside a name": Person("ada-system:x", called="ada-system:x"),
    "a word that begins so": Person("systems:x", called="systems:x"),
    "newline": Person("ada\n@example.com", reason="ControlCharacter"),
    "two names": Person("ada@example.com\nsystem:masters", reason="ControlCharacter"),
    "NUL": Person("ada\x00@example.com", reason="ControlCharacter"),
    "escape sequence": Person("\x1b[2Jada@example.com", reason="ControlCharacter"),
    "zero-width space": Person("ada\u200b@example.com", reason="InvisibleCharacter"),
    "right-to-left override": Person("ada\u202emoc.elpmaxe@", reason="InvisibleCharacter"),
    "soft hyphen": Person("a\u00adda@example.com", reason="InvisibleCharacter"),
    "line separator": Person("ada\u2028@example.com", reason="InvisibleCharacter"),
    "Cyrillic a is another person": Person("\u0430da@example.com", called="\u0430da@example.com"),
    "fullwidth is another person": Person("\uff41da@example.com", called="\uff41da@example.com"),
    "Kelvin sign is no k": Person("mar\u212a@example.com", lowercase=True, called="mar\u212a@example.com"),
    "lower-cased": Person("ADA@Example.com", lowercase=True, called="ada@example.com"),
    "placeholders in a name": Person("{externalId}", template="x:{userName}", called="x:{externalId}"),
    "500 characters": Person(_LONG, called=_LONG),
    "500 reserved characters": _reserved("system:" + "a" * 493),
}
