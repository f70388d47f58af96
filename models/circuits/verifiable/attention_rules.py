"""Attention by rules: comparisons of tokens and positions that stand in for a head's attention.

The release calls them "program heads".  They are data, not code: each rule adds its weight wherever all of
its comparisons hold.  Attention is causal; each row is then divided by its sum, and a row of zeros attends to
itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ....common.errors import InputError

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda left, right: np.isin(left, list(right)),
}
_FEATURES: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "query_token": lambda qt, kt, qp, kp: qt,
    "key_token": lambda qt, kt, qp, kp: kt,
    "query_position": lambda qt, kt, qp, kp: qp,
    "key_position": lambda qt, kt, qp, kp: kp,
    "relative_distance": lambda qt, kt, qp, kp: qp - kp,
    "absolute_distance": lambda qt, kt, qp, kp: abs(qp - kp),
    "token_match": lambda qt, kt, qp, kp: qt == kt,
}
_SEE = "a program head is rules of comparisons, see docs/reference/circuits.md"
_LARGEST_VALUE = 2**31  # that a feature is compared with


@dataclass(frozen=True)
class AttentionRule:
    """Add `weight` wherever every condition (feature, operator, value) holds."""

    weight: Fraction
    conditions: tuple[tuple[str, str, Any], ...]


@dataclass(frozen=True)
class RuleAttention:
    """A head's attention as rules; `default_weight` is what every earlier position has to begin with."""

    rules: tuple[AttentionRule, ...]
    default_weight: Fraction

    def attention(self, ids: np.ndarray) -> np.ndarray:
        """Return float64 (batch, query, key) for ids (batch, positions); each row sums to one."""
        length = ids.shape[1]
        places = np.arange(length)
        seen = (ids[:, :, None], ids[:, None, :], places[:, None], places[None, :])
        causal = places[None, :] <= places[:, None]
        scores = np.full((len(ids), length, length), float(self.default_weight)) * causal
        for rule in self.rules:
            holds = causal
            for feature, compare, value in rule.conditions:
                holds = holds & _OPERATORS[compare](_FEATURES[feature](*seen), value)
            scores = scores + float(rule.weight) * holds
        totals = scores.sum(axis=2, keepdims=True)
        scores = np.where(totals == 0, np.eye(length), scores)
        return scores / np.where(totals == 0, 1.0, totals)


def read_rules(where: str, raw: object) -> RuleAttention:
    """Read the rules of one head.

    Args:
        where: the head's place in its file, for messages.
        raw: its JSON value.

    Raises:
        InputError: the value does not state rules.
    """
    if not isinstance(raw, dict) or raw.get("dsl_version", 1) != 1 or not isinstance(raw.get("rules"), list):
        raise InputError(where, "is no program head of version 1", _SEE)
    default = _weight(where, raw.get("default_weight", "0"))
    rules = []
    for rule in raw["rules"]:
        if not isinstance(rule, dict) or not isinstance(rule.get("conditions"), list):
            raise InputError(where, f"{rule!r:.60} is no rule", _SEE)
        rules.append(
            AttentionRule(
                _weight(where, rule.get("weight")), tuple(_condition(where, c) for c in rule["conditions"])
            )
        )
    if not rules and not default:
        raise InputError(where, "has neither a rule nor a default weight", _SEE)
    return RuleAttention(tuple(rules), default)


def _weight(where: str, raw: object) -> Fraction:
    try:
        value = Fraction(str(raw)) if type(raw) in (str, int, float) and len(str(raw)) < 40 else None
        if value is not None and value >= 0 and float(value) < 1e30:
            return value
    except (ValueError, ZeroDivisionError, OverflowError):
        pass
    raise InputError(
        where, f"the weight {raw!r:.60} is not a number from 0 on", "write weights such as 1 or 1/2"
    )


def _condition(where: str, raw: object) -> tuple[str, str, Any]:
    feature, compare, value = (
        (raw.get(k) for k in ("feature", "operator", "value"))
        if isinstance(raw, dict)
        else (None, None, None)
    )
    if not isinstance(feature, str) or feature not in _FEATURES:
        raise InputError(where, f"{feature!r:.60} is no feature", f"features are {', '.join(_FEATURES)}")
    if not isinstance(compare, str) or compare not in _OPERATORS:
        raise InputError(where, f"{compare!r:.60} is no operator", f"operators are {', '.join(_OPERATORS)}")
    values = value if compare == "in" and isinstance(value, list) else [value]
    if (compare == "in") != isinstance(value, list) or any(
        not isinstance(v, int) or abs(v) > _LARGEST_VALUE for v in values
    ):
        raise InputError(
            where,
            f"{feature} {compare} {value!r:.60} compares with no whole number",
            "with `in`, write a list of them",
        )
    return feature, compare, tuple(values) if compare == "in" else value
