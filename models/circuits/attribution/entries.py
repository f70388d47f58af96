"""The nodes of an attribution graph's JSON: check them, and name them for people."""

from __future__ import annotations

from typing import Any

from ....common.errors import InputError

MOST_TOKENS = 20_000
MOST_LAYERS = 10**6
Entry = dict[str, Any]  # one node of the file


def check_entry(where: str, entry: object) -> None:
    """Check what is used of a node.

    Raises:
        InputError: something does not fit.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("node_id"), str) or not _is_layer(entry):
        mend = 'a node has "node_id" and "layer", "E" or a number'
        raise InputError(where, f"{entry!r:.80} is no node", mend)
    node = f"node {entry['node_id']!r:.60}"
    place = entry.get("ctx_idx", 0)
    if type(place) is not int or not 0 <= place < MOST_TOKENS:
        mend = "it is the token's place in the prompt, from 0"
        raise InputError(where, f"{node} has ctx_idx {place!r:.40}", mend)
    for key in ("clerp", "feature_type"):
        if not isinstance(entry.get(key) or "", str):
            raise InputError(where, f"{node} has {key} {entry[key]!r:.40}", "it is a string")
    share = entry.get("token_prob") or 0.0
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise InputError(where, f"{node} has token_prob {share!r:.40}", "it is a number from 0 to 1")


def _is_layer(entry: Entry) -> bool:
    layer = entry.get("layer")
    if isinstance(layer, str):
        return layer == "E" or (layer.isascii() and layer.isdigit() and len(layer) < 7)
    return type(layer) is int and 0 <= layer < MOST_LAYERS


def layer_of(entry: Entry) -> int:
    """Return a node's layer; -1 for the embedding."""
    return -1 if entry["layer"] == "E" else int(entry["layer"])


def is_output(entry: Entry) -> bool:
    """Tell whether a node is a logit."""
    return entry.get("feature_type") == "logit"


def probability(entry: Entry) -> float:
    """Return the probability of an output's token."""
    return float(entry.get("token_prob") or 0.0)


def kind_of(entry: Entry) -> str:
    """Return how a node looks in the picture (`picture/graph.py`)."""
    feature = str(entry.get("feature_type") or "")
    return "word" if feature in ("embedding", "logit") else "error" if "error" in feature else ""


def output_token(entry: Entry) -> str:
    """Return the token of an output, which is only in its label."""
    text = str(entry.get("clerp") or "")
    first, last = text.find('"'), text.rfind('"')
    return text[first + 1 : last] if 0 <= first < last else text or str(entry["node_id"])


def label_of(entry: Entry, tokens: tuple[str, ...]) -> str:
    """Name a node in the picture: a token, what somebody called the feature, or its number."""
    feature, place = entry.get("feature_type"), entry.get("ctx_idx", 0)
    if feature == "logit":
        return f"{output_token(entry)} {probability(entry):.0%}"
    if feature == "embedding":
        return tokens[place] if place < len(tokens) else ""
    return "err" if kind_of(entry) == "error" else str(entry.get("clerp") or _number(entry))


def name_of(entry: Entry, tokens: tuple[str, ...]) -> str:
    """Name a node in a sentence."""
    place = entry.get("ctx_idx", 0)
    over = f" over {tokens[place]!r}" if place < len(tokens) and tokens[place] else f" over token {place}"
    kind = entry.get("feature_type")
    if kind == "embedding":
        return f"token {place} {tokens[place]!r}"
    if kind == "logit":
        return f"output {output_token(entry)!r}"
    if kind_of(entry) == "error":
        return f"error of layer {entry['layer']}{over}"
    label = f" ({entry['clerp']})" if entry.get("clerp") else ""
    return f"feature {entry['layer']}/{_number(entry)}{over}{label}"


def _number(entry: Entry) -> str:
    """Return the feature's index in its layer; the file's own `feature` is paired with the layer."""
    parts = str(entry["node_id"]).split("_")
    return parts[1] if len(parts) == 3 else str(entry["node_id"])
