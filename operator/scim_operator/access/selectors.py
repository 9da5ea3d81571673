"""Label selectors over namespaces, with the meaning they have everywhere in Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping

from scim_operator.api.policy import NamespaceSelector, SelectorExpression


def selects(selector: NamespaceSelector, labels: Mapping[str, str]) -> bool:
    """True when all requirements hold. An empty selector, which the CRD refuses, selects nothing."""
    if not selector.match_labels and not selector.match_expressions:
        return False
    equal = all(labels.get(key) == value for key, value in selector.match_labels.items())
    return equal and all(_holds(expression, labels) for expression in selector.match_expressions)


def in_words(selector: NamespaceSelector) -> str:
    """A selector as kubectl takes it, the same for the same requirements."""
    equal = [f"{key}={value}" for key, value in selector.match_labels.items()]
    return ",".join(sorted([*equal, *map(_in_words, selector.match_expressions)]))


def _in_words(expression: SelectorExpression) -> str:
    if expression.operator in ("In", "NotIn"):
        return f"{expression.key} {expression.operator.lower()} ({','.join(sorted(expression.values))})"
    return expression.key if expression.operator == "Exists" else f"!{expression.key}"


def _holds(expression: SelectorExpression, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression.key)
    if expression.operator == "In":
        return value in expression.values
    if expression.operator == "NotIn":
        return value not in expression.values  # without the label, too
    return (value is not None) == (expression.operator == "Exists")
