"""Pictures of circuits: where nodes stand, what edges look like, what large ones leave out, and that every
kind of circuit has one.
"""

import itertools
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.models.circuits.load import load_circuit
from relucid.models.circuits.picture import drawing, layout
from relucid.models.circuits.picture.drawing import draw, svg_text
from relucid.models.circuits.picture.graph import EMBEDS, VOTES, CircuitGraph, GraphEdge, GraphNode
from relucid.models.circuits.picture.layout import arrange
from relucid.models.circuits.sparse_gpt import graph as gpt_graph
from relucid.models.circuits.sparse_gpt.edges import edges
from relucid.models.circuits.verifiable.model import TransformerSizes, VerifiableTransformer
from relucid.models.claims.task import load_task
from relucid.reports.shown import circuit_graph

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def circuit():
    return load_circuit("quote_closing")


@pytest.fixture(scope="module")
def graph(circuit):
    from relucid.models.zoo.shipped import shipped

    return circuit_graph(circuit, load_task(shipped()["quote_closing"].domain))


def test_the_graph_has_every_kept_edge_with_its_weight(circuit, graph):
    found = {(e.source, e.target): e.weight for e in graph.edges if not e.kind}
    kept = edges(circuit.config, circuit.weights, circuit.mask)
    assert len(found) == len(kept) == 8
    assert found["0.attn_in.2", "0.attn_v.0"] == pytest.approx(
        float(circuit.weights["transformer.h.0.attn.c_attn.weight"][32, 2])
    )
    assert found["1.mlp_in.15", "1.mlp_neuron.19"] == pytest.approx(
        float(circuit.weights["transformer.h.1.mlp.c_fc.weight"][19, 15])
    )


def test_words_of_the_task_that_write_most_on_a_channel_that_is_read(circuit, graph):
    """By hand from the embedding: at most three words of the domain, none under a fifth of the largest;
    labels on the other side.
    """
    task_words, labels = ["'", '"', "a", "b", "=", "<bos>", "<q>"], ["'", '"']
    number = {w: i for i, w in enumerate(circuit.vocabulary)}
    for kind, table, words, channels in (
        (EMBEDS, "transformer.wte.weight", task_words, {2, 6, 10, 11, 15}),
        (VOTES, "lm_head.weight", labels, {15, 4, 9}),
    ):
        column = circuit.weights[table].numpy()
        wanted = {}
        for c in channels:
            ranked = sorted(words, key=lambda w: -abs(column[number[w], c]))[:3]
            most = abs(column[number[ranked[0]], c])
            wanted |= {
                (w, c): float(column[number[w], c])
                for w in ranked
                if 0 != abs(column[number[w], c]) >= 0.2 * most
            }
        text = {n.name: n.text for n in graph.nodes}
        ends = [
            (e.source, e.target) if kind == EMBEDS else (e.target, e.source)
            for e in graph.edges
            if e.kind == kind
        ]
        found = {
            (text[w], int(text[c])): e.weight
            for (w, c), e in zip(ends, [e for e in graph.edges if e.kind == kind], strict=True)
        }
        assert found == pytest.approx(wanted)
    everything = circuit.graph()
    assert {n.text for n in everything.nodes if n.kind == "word"} - set(task_words), (
        "without a task all words of the vocabulary are looked at"
    )


def test_position_channels_are_no_words(checkpoint):
    folder, _, _ = checkpoint(d_pos_emb=3)
    graph = load_circuit(folder).graph()
    assert {n.text for n in graph.nodes if n.name.startswith("0.attn_in.")} == {
        *map(str, range(8)),
        "p0",
        "p1",
        "p2",
    }
    assert all(n.lane == "" for n in graph.nodes if n.text.startswith("p") and ".attn_in." in n.name)


def test_channels_are_level_and_nobody_stands_on_another(graph):
    scene = arrange(graph)
    at = {node.name: point for node, point in scene.nodes}
    lanes = {}
    for node, (_, y) in scene.nodes:
        if node.lane:
            assert lanes.setdefault(node.lane, y) == pytest.approx(y)
    assert len(set(lanes.values())) == len(lanes)
    for a, b in itertools.combinations(at.values(), 2):
        assert max(abs(a[0] - b[0]), abs(a[1] - b[1])) > 2 * scene.radius
    rows = [sorted({at[n.name][0] for n in graph.nodes if n.row == row}) for row in range(len(graph.rows))]
    assert all(len(xs) <= 1 for xs in rows) and [x for xs in rows for x in xs] == sorted(
        x for xs in rows for x in xs
    )
    for _, (x, y) in scene.nodes:
        assert 0 < x < scene.width and 0.9 < y < scene.height - 0.5


@pytest.mark.parametrize("name", ["quotes_and_brackets", "bracket_depth"])
def test_nobody_stands_on_another_in_larger_ones(name):
    scene = arrange(load_circuit(name).graph())
    for (_, a), (_, b) in itertools.combinations(scene.nodes, 2):
        assert max(abs(a[0] - b[0]), abs(a[1] - b[1])) >= 2 * scene.radius - 1e-9
    heads = [(x, y, w, h) for x, y, w, h, text in scene.boxes if text.startswith("head")]
    for (_, y0, _, h0), (_, y1, _, h1) in (
        (a, b) for a, b in itertools.combinations(heads, 2) if a[0] == b[0]
    ):
        assert y0 + h0 <= y1 or y1 + h1 <= y0, "heads do not overlap"


def shapes(svg):
    """(colour, width, dashed) of every curved line."""
    styles = [
        p.get("style", "")
        for p in ET.fromstring(svg).iter(f"{SVG}path")
        if "C" in p.get("d", "") and "fill: none" in p.get("style", "")
    ]
    return [
        (
            re.search(r"stroke: (#\w+)", s)[1],
            float(width[1]) if (width := re.search(r"stroke-width: ([\d.]+)", s)) else 1.0,
            "stroke-dasharray" in s and "dasharray: none" not in s,
        )
        for s in styles
    ]


def test_sign_is_colour_and_line_and_weight_is_width():
    nodes = [GraphNode(n, r) for n, r in (("a", 0), ("b", 1), ("c", 1), ("d", 1))]
    graph = CircuitGraph(
        "t",
        ("x", "y"),
        tuple(nodes),
        (GraphEdge("a", "b", 4.0), GraphEdge("a", "c", -2.0), GraphEdge("a", "d", 0.0)),
    )
    found = shapes(svg_text(graph))
    assert sorted(found[:3], key=lambda s: s[1]) == [
        ("#0072b2", 0.5, False),
        ("#d55e00", 2.0, True),
        ("#0072b2", 3.5, False),
    ]
    texts = [t.text for t in ET.fromstring(svg_text(graph)).iter(f"{SVG}text")]
    assert {"positive", "negative", "width: |weight|", "t", "a", "b", "x", "y"} <= set(texts)


def test_large_circuits_keep_their_strongest_edges_and_say_so():
    rng = np.random.default_rng(0)
    nodes = [
        *(GraphNode(f"a{i}", 0, str(i)) for i in range(150)),
        *(GraphNode(f"b{i}", 1, str(i)) for i in range(150)),
    ]
    pairs = rng.permutation(150 * 150)[:5000]
    graph = CircuitGraph(
        "big",
        ("x", "y"),
        tuple(nodes),
        tuple(GraphEdge(f"a{p // 150}", f"b{p % 150}", float(rng.normal())) for p in pairs),
    )
    shown = layout.cut(graph)
    assert len(shown.edges) == layout.MOST_EDGES
    assert (
        min(abs(e.weight) for e in shown.edges)
        >= sorted(abs(e.weight) for e in graph.edges)[-layout.MOST_EDGES]
    )
    assert {n.name for n in shown.nodes} == {end for e in shown.edges for end in (e.source, e.target)}
    caption = f"drawn: 240 of 5,000 edges, the strongest, and {len(shown.nodes)} of 300 nodes"
    assert caption in svg_text(graph)
    assert "drawn:" not in svg_text(CircuitGraph("small", ("x",), (GraphNode("a", 0),), ()))


def test_words_on_channels_that_nothing_drawn_touches_are_left_out(monkeypatch):
    monkeypatch.setattr(layout, "MOST_EDGES", 3)
    nodes = [
        GraphNode("w1", 0, kind="word"),
        GraphNode("w2", 0, kind="word"),
        GraphNode("e1", 1, lane="1"),
        GraphNode("e2", 1, lane="2"),
    ]
    nodes += [
        GraphNode("r1", 2, lane="1"),
        GraphNode("r2", 2, lane="2"),
        *(GraphNode(f"n{i}", 3) for i in range(4)),
    ]
    edges = [
        GraphEdge("w1", "e1", 1.0, EMBEDS),
        GraphEdge("w2", "e2", 9.0, EMBEDS),
        GraphEdge("r2", "n3", 0.1),
        *(GraphEdge("r1", f"n{i}", 1.0) for i in range(3)),
    ]
    shown = layout.cut(CircuitGraph("t", ("a", "b", "c", "d"), tuple(nodes), tuple(edges)))
    assert {n.name for n in shown.nodes} == {"w1", "e1", "r1", "n0", "n1", "n2"}


def test_very_deep_circuits_have_a_picture_that_fits_memory():
    nodes, edges = (
        [GraphNode(f"n{i}", i) for i in range(240)],
        [GraphEdge(f"n{i}", f"n{i + 1}") for i in range(239)],
    )
    graph = CircuitGraph("deep", tuple(f"layer {i}|x" for i in range(240)), tuple(nodes), tuple(edges))
    scene = arrange(graph)
    for _ in range(2):
        dots = drawing._dpi(scene)
        assert (
            max(scene.width, scene.height) * dots <= 40_000
            and scene.width * scene.height * dots**2 <= 40_000_001
        )
        scene.height = 200
    assert drawing._dpi(arrange(CircuitGraph("small", ("x",), (GraphNode("a", 0),), ()))) == drawing.DPI


def test_an_empty_graph_says_so():
    assert "no edge between kept nodes" in svg_text(CircuitGraph("none", ("x",), (), ()))


def test_words_from_anybody_are_text_and_nothing_else():
    """Markup, maths, control characters and other scripts in names: the file stays well-formed, and nothing
    is read as TeX.
    """
    words = ["<script>alert(1)</script>", "$\\frac{a}{b}$", "a\x00b\n", "&amp;", " in ", "漢字", "\ud800"]
    nodes = tuple(GraphNode(f"n{i}", 0, w, kind="word") for i, w in enumerate(words))
    svg = svg_text(CircuitGraph("]]>&<", ("x",), nodes, ()))
    texts = [t.text for t in ET.fromstring(svg).iter(f"{SVG}text")]
    assert svg.startswith("<svg") and {
        "<script>alert(1)</script>",
        "$\\frac{a}{b}$",
        "&amp;",
        "␣in␣",
        "漢字",
        "]]>&<",
    } <= set(texts)
    assert draw(CircuitGraph("t", ("x",), nodes, ()), "png").startswith(b"\x89PNG")


def test_a_picture_in_a_page_leaves_the_page_alone():
    svg = svg_text(CircuitGraph('a "<b>" & c', ("x",), (GraphNode("n", 0, "</style><style>"),), ()))
    root = ET.fromstring(svg)
    assert (
        root.get("role") == "img"
        and root.get("aria-label") == 'the circuit a "<b>" & c'
        and "stroke-linejoin" in root.get("style")
    )
    assert (
        not list(root.iter(f"{SVG}style"))
        and "metadata" not in svg
        and "</style><style>" in [t.text for t in root.iter(f"{SVG}text")]
    )


def test_dense_models_are_counted_not_listed(circuit, monkeypatch):
    for one in (circuit, circuit.unpruned(), load_circuit("bracket_depth")):
        assert one.summary().edges_kept == len(edges(one.config, one.weights, one.mask))
    monkeypatch.setattr(gpt_graph, "MOST_EDGES", 300)
    with pytest.raises(
        InputError, match="330 edges are too many for a picture; give the --mask of a circuit in it"
    ):
        circuit.unpruned().graph()


def test_the_same_graph_gives_the_same_bytes(graph):
    for kind in drawing.FORMATS:
        assert draw(graph, kind) == draw(graph, kind)


def test_kinds_of_files(graph, tmp_path, capsys):
    assert draw(graph, "png").startswith(b"\x89PNG") and draw(graph, "svg").startswith(b"<?xml")
    with pytest.raises(InputError, match="'pdf' is no kind of picture"):
        draw(graph, "pdf")
    assert main(["show", "quote_closing", "--no-run", "--draw", str(tmp_path / "x.pdf")]) == 2
    assert capsys.readouterr().err.endswith("x.pdf is no kind of picture; its name ends in .svg or .png\n")
    assert (
        main(["show", "quote_closing", "--no-run", "--draw", str(tmp_path / "x.SVG")]) == 0
        and (tmp_path / "x.SVG").read_bytes()[:5] == b"<?xml"
    )


def test_what_cannot_be_looked_into_is_not_drawn(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("vocabulary = ['a', 'b']\ndef f(ids):\n    return ids[:, 0]\n")
    assert main(["show", f"{tmp_path}/mine.py:f", "--draw", str(tmp_path / "x.svg")]) == 2
    assert (
        "nothing is known of the inside of" in capsys.readouterr().err and not (tmp_path / "x.svg").exists()
    )


def test_a_verifiable_transformer_has_heads_and_mlps_and_no_widths():
    sizes = TransformerSizes(d_model=4, n_layers=2, n_heads=2, vocab_size=1, d_ff=4)
    model = VerifiableTransformer("vt", ("a",), sizes, {}, None, {}, sizes.edges())
    graph = model.graph()
    assert [n.text for n in graph.nodes] == [
        "embedding",
        "head 0.0",
        "head 0.1",
        "MLP 0",
        "head 1.0",
        "head 1.1",
        "MLP 1",
        "logits",
    ]
    scene = arrange(graph)
    assert {width for _, _, width in scene.edges} == {layout.PLAIN}
    at = {node.name: point for node, point in scene.nodes}
    for edge, points, _ in scene.edges:  # none runs through a third node
        assert points[0] == at[edge.source] and points[-1] == at[edge.target]
        for point in points[1:-1]:
            assert all(max(abs(point[0] - x), abs(point[1] - y)) > scene.radius for x, y in at.values())
    assert ">width" not in svg_text(graph)
