"""Claims about boxes from what a Python user has, as files: ONNX for networks, VNN-LIB for the property.

`relucid verify` decides in a child process, which reads files.  Paths are handed on as they are; everything
else is written to a folder.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

from ...common.errors import InputError
from ...common.files import write
from ..network.head import Wanted
from ..network.network import Network
from ..network.stacked import same_nodes
from ..onnx.reader import trace_onnx
from .at_hand import NetworkLike, as_bytes, exact, is_module
from .box_paths import BoxFiles
from .boxes import Boxes
from .claim import Claim
from .property import Property
from .question import EqualsNetwork, HasProperty
from .vnnlib import load_vnnlib, read_vnnlib
from .vnnlib_writer import write_boxes, write_vnnlib

PropertyLike = Property | str | os.PathLike[str]


def box_files_of(
    network: NetworkLike,
    stated: PropertyLike,
    network_b: NetworkLike | None,
    epsilon: Fraction | int | str | None,
    folder: Path,
) -> BoxFiles:
    """Return the files of a claim about boxes; those that are not there yet are written to `folder`.

    Raises InputError for whatever is no network, property or number.
    """
    if epsilon is not None and network_b is None:
        raise InputError("epsilon", "is about two networks", "give the second one as network_b")
    place = _property(stated, folder)
    two = network_b is not None
    second = _network(network_b, place, folder / "network_b.onnx", two) if two else None
    most = None if epsilon is None else exact("epsilon", epsilon)
    if most is not None and most < 0:
        raise InputError("epsilon", f"{most} is negative", "give 0 or more")
    return BoxFiles(_network(network, place, folder / "network.onnx", two), place, second, most)


def box_files_of_claim(claim: Claim, folder: Path) -> BoxFiles:
    """Return the files of a claim about boxes, written to `folder`.

    Raises InputError where it is about words.
    """
    match claim.question, claim.input_set:
        case HasProperty(network, stated), Boxes():
            return box_files_of(network, stated, None, None, folder)
        case EqualsNetwork(first, second, _, epsilon), Boxes() as boxes:
            place = folder / "boxes.vnnlib"
            write(place, write_boxes(boxes, first.output_size))
            return box_files_of(first, place, second, epsilon, folder)
    raise InputError(claim.name, "is about words, not about boxes of real numbers", "use relucid.prove")


def _property(stated: PropertyLike, folder: Path) -> Path:
    if isinstance(stated, str | os.PathLike):
        return Path(stated)
    if not isinstance(stated, Property):
        raise InputError(
            "property", f"{type(stated).__name__} is not a property", "give a VNN-LIB file or a Property"
        )
    if stated.wanted.name and not stated.source:
        raise InputError("property", "speaks of one of several outputs", "give it as a VNN-LIB file")
    place = folder / "property.vnnlib"
    # the text of another property, where this one was changed after it was read
    if stated.source and read_vnnlib(stated.source) != stated:
        raise InputError("property", "its text is that of another property", "leave the text out: source=''")
    write(place, stated.source or write_vnnlib(stated))
    return place


def _network(network: NetworkLike, stated: Path, place: Path, two: bool) -> Path:
    if isinstance(network, str | os.PathLike):
        return Path(network)
    if isinstance(network, Network):
        data = _written(network, None if two else load_vnnlib(stated).wanted)
    elif is_module(network):
        data = _exported(network, stated)
    else:
        data = as_bytes(network)
    write(place, data)
    return place


def _written(network: Network, wanted: Wanted | None) -> bytes:
    """Return a network as ONNX bytes.  Raises InputError where the file that it came from says
    another one.
    """
    from ..onnx.writer import write_onnx

    if not network.source:
        if network.head is not None:
            raise InputError(network.name, "has a head, and no ONNX bytes", "give it as an ONNX file")
        return write_onnx(network)
    read = trace_onnx(network.source, origin=network.name, real_size=network.input_size, wanted=wanted)
    if not same_nodes(read.network, network):
        raise InputError(
            network.name, "its ONNX bytes are those of another network", "read it again, or leave them out"
        )
    return network.source


def _exported(module: Any, stated: Path) -> bytes:
    """Return a torch module as ONNX bytes, in evaluation mode, for inputs of [1, property's inputs]."""
    import torch

    from ..onnx.torch_import import from_torch

    like = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(1))
    example = torch.zeros(1, load_vnnlib(stated).inputs, dtype=like.dtype, device=like.device)
    return from_torch(module, example_input=example)
