"""Attribution graphs in circuit-tracer's JSON: read and drawn, never run."""

import json
from pathlib import Path

import pytest
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.models.circuits.attribution.read import read_attribution_graph
from relucid.models.circuits.load import load_circuit
from relucid.models.circuits.picture.drawing import draw
from relucid.models.circuits.picture.graph import CircuitGraph, GraphEdge, GraphNode
from relucid.models.circuits.picture.layout_prompt import MOST_EDGES, cut, merged

CASE = Path(__file__).parents[5] / "shared" / "cases" / "no_logit.json"


def node(name, layer, place, kind, **other):
    """Every key that circuit-tracer's `GraphNode` has (circuit_tracer/frontend/graph_models.py,
    schema_version 1).
    """
    rest = {
        "token_prob": 0.0,
        "is_target_logit": False,
        "run_idx": 0,
        "reverse_ctx_idx": 0,
        "jsNodeId": name,
        "clerp": "",
        "influence": None,
    }
    return {
        "node_id": name,
        "feature": 1,
        "layer": layer,
        "ctx_idx": place,
        "feature_type": kind,
        **rest,
        "activation": None,
        **other,
    }


FEATURE, ERROR = "cross layer transcoder", "mlp reconstruction error"
GRAPH = {
    "metadata": {
        "slug": "dallas", "scan": "gemma-2-2b", "transcoder_list": [], "prompt_tokens": ["Fact", ":", " Dallas"], "prompt": "Fact: Dallas",
        "node_threshold": 0.8, "schema_version": 1, "info": {"generator": {"name": "circuit-tracer"}}, "pruning_settings": {"edge_threshold": 0.98},
    },
    "qParams": {"pinnedIds": ["27_4_2"], "supernodes": [["say Austin", "20_7_2", "3_5-0"]], "linkType": "both", "clickedId": "", "sg_pos": ""},
    "nodes": [
        node("E_9_2", "E", 2, "embedding", jsNodeId="E_9-2"),
        node("3_5_2", "3", 2, FEATURE, jsNodeId="3_5-0", clerp="Texas", influence=0.4, activation=12.5),
        node("20_7_2", "20", 2, FEATURE, jsNodeId="20_7-0"),
        node("8_-1_1", "8", 1, ERROR, jsNodeId="8_-1-1", feature=-1),
        node("27_4_2", "27", 2, "logit", jsNodeId="L_4-2", token_prob=0.41, is_target_logit=True, clerp='Output " Austin" (p=0.410)'),
    ],
    "links": [
        {"source": "E_9_2", "target": "3_5_2", "weight": 2.5},
        {"source": "3_5_2", "target": "20_7_2", "weight": -0.5},
        {"source": "8_-1_1", "target": "20_7_2", "weight": 1.5},
        {"source": "20_7_2", "target": "27_4_2", "weight": 1},
        {"source": "E_9_2", "target": "27_4_2", "weight": -3.0},
    ],
}  # fmt: skip


@pytest.fixture
def path(tmp_path):
    (tmp_path / "g.json").write_text(json.dumps(GRAPH))
    return tmp_path / "g.json"


def test_nodes_edges_and_supernodes_are_read(path):
    graph = read_attribution_graph(path)
    assert graph.graph.rows == ("embedding", "layer 3", "layer 8", "layer 20", "output")
    assert [(e.source, e.weight) for e in graph.graph.edges][:2] == [("E_9_2", 2.5), ("3_5_2", -0.5)]
    assert {n.name: n.group for n in graph.graph.nodes if n.group} == {
        "3_5_2": "say Austin",
        "20_7_2": "say Austin",
    }, "by either kind of id"
    assert [(n.row, n.column, n.kind) for n in graph.graph.nodes] == [
        (0, 2, "word"),
        (1, 2, ""),
        (3, 2, ""),
        (2, 1, "error"),
        (4, 2, "word"),
    ]
    assert [n.text for n in graph.graph.nodes] == [" Dallas", "Texas", "7", "err", " Austin 41%"]
    assert graph.kinds == ((FEATURE, 2), ("embedding", 1), (ERROR, 1), ("logit", 1))
    assert graph.pinned == ("27_4_2",) and graph.outputs == ((" Austin", 0.41),)


def test_how_much_of_the_outputs_comes_through_each_edge(path):
    """By hand: the output takes in 1 + 3, feature 20/7 takes in 0.5 + 1.5 of the quarter that goes through
    it.
    """
    strengths = [e.strength for e in read_attribution_graph(path).graph.edges]
    assert strengths == pytest.approx([0.0625, 0.0625, 0.1875, 0.25, 0.75])


def test_two_outputs_share_by_their_probabilities_and_links_that_run_down_are_worth_nothing(path):
    other = node("27_5_2", "27", 2, "logit", token_prob=0.123, clerp='Output "x" (p=0.123)')
    links = [
        *GRAPH["links"],
        {"source": "E_9_2", "target": "27_5_2", "weight": 9},
        {"source": "27_4_2", "target": "E_9_2", "weight": 5},
    ]
    path.write_text(json.dumps({**GRAPH, "nodes": [*GRAPH["nodes"], other], "links": links}))
    strengths = [e.strength for e in read_attribution_graph(path).graph.edges]
    assert strengths[3:] == pytest.approx([0.25 * 0.41 / 0.533, 0.75 * 0.41 / 0.533, 0.123 / 0.533, 0])


def test_show_prints_and_draws_it(path, tmp_path, capsys):
    assert main(["show", str(path), "--draw", str(tmp_path / "g.svg")]) == 0
    assert (
        capsys.readouterr().out
        == f"""attribution graph  dallas
  attribution graph (circuit-tracer), model gemma-2-2b
  prompt: 'Fact: Dallas', 3 tokens
  5 nodes (2 cross layer transcoder, 1 embedding, 1 mlp reconstruction error, 1 logit), 5 edges
  outputs: ' Austin' 41.0%
  supernode 'say Austin': feature 20/7 over ' Dallas', feature 3/5 over ' Dallas' (Texas)
  pinned: output ' Austin'
  the edges that most of the outputs come through:
    token 2 ' Dallas' -> output ' Austin': -3, 75.0% of the outputs
    feature 20/7 over ' Dallas' -> output ' Austin': +1, 25.0% of the outputs
    error of layer 8 over ':' -> feature 20/7 over ' Dallas': +1.5, 18.8% of the outputs
    token 2 ' Dallas' -> feature 3/5 over ' Dallas' (Texas): +2.5, 6.2% of the outputs
    feature 3/5 over ' Dallas' (Texas) -> feature 20/7 over ' Dallas': -0.5, 6.2% of the outputs
  an attribution graph alone is not executable: it has no weights, only what fed what on one prompt
  drawn to {tmp_path}/g.svg
"""
    )
    svg = (tmp_path / "g.svg").read_text()
    assert ">say Austin ×2<" in svg and ">layer 8<" in svg and ">␣Dallas<" in svg and ">Texas<" not in svg, (
        "supernodes are one node"
    )


@pytest.mark.parametrize("kept", ["no outputs", "outputs that nothing reaches"])
def test_without_edges_into_outputs_there_are_no_shares_of_them(kept, path, tmp_path, capsys):
    outputs = {n["node_id"] for n in GRAPH["nodes"] if n["feature_type"] == "logit"}
    nodes = [n for n in GRAPH["nodes"] if kept != "no outputs" or n["node_id"] not in outputs]
    links = [link for link in GRAPH["links"] if link["target"] not in outputs]
    path.write_text(json.dumps({**GRAPH, "nodes": nodes, "links": links}))
    assert main(["show", str(path), "--draw", str(tmp_path / "g.svg")]) == 0
    out = capsys.readouterr().out
    assert (
        "of the outputs" not in out and "the edges of the largest weights (none leads to an output):\n" in out
    )
    assert "token 2 ' Dallas' -> feature 3/5 over ' Dallas' (Texas): +2.5\n" in out
    assert "of the outputs" not in (tmp_path / "g.svg").read_text()


@pytest.mark.skipif(not CASE.is_file(), reason="../shared/cases is not there")
def test_the_case_of_a_graph_without_outputs(capsys):
    assert main(["show", str(CASE)]) == 0
    out = capsys.readouterr().out
    assert "feature 0/0 over 'A' (feat zero): +1.5\n" in out and "%" not in out


def test_neuronpedia_writes_layers_as_numbers_and_features_as_null(path):
    nodes = [
        {**n, "layer": n["layer"] if n["layer"] == "E" else int(n["layer"]), "feature": None}
        for n in GRAPH["nodes"]
    ]
    path.write_text(json.dumps({**GRAPH, "nodes": nodes}))
    assert read_attribution_graph(path).graph.rows == (
        "embedding",
        "layer 3",
        "layer 8",
        "layer 20",
        "output",
    )


def test_large_graphs_are_drawn_from_the_outputs_down():
    """4,000 features in a fan under one output and 4,000 that lead nowhere: only what leads to the output is
    drawn, the strongest of it.
    """
    nodes = [
        GraphNode("out", 2, "x", kind="word"),
        *(GraphNode(f"f{i}", 1) for i in range(4000)),
        *(GraphNode(f"g{i}", 0) for i in range(4000)),
    ]
    edges = [GraphEdge(f"f{i}", "out", strength=i / 8000) for i in range(4000)] + [
        GraphEdge(f"g{i}", f"f{i}", strength=0.1) for i in range(100)
    ]
    graph = CircuitGraph("fan", ("E", "1", "2"), tuple(nodes), tuple(edges), ("t",))
    shown = cut(graph)
    assert len(shown.edges) == MOST_EDGES and all(e.target == "out" and e.size > 0.48 for e in shown.edges)
    assert len(shown.nodes) == MOST_EDGES + 1
    assert b"drawn: 90 of 4,100 edges, the strongest, and 91 of 8,001 nodes" in draw(graph, "svg")


def test_it_is_never_a_circuit(path, tmp_path, capsys):
    with pytest.raises(InputError, match="an attribution graph alone is not executable"):
        load_circuit(path)
    assert main(["distill", str(path), "--out", str(tmp_path / "o")]) == 2
    assert main(["show", str(path), "--domain", "x.toml"]) == 2
    assert main(["prune", str(path), "for_while"]) == 2
    assert main(["train", str(path), "--out", str(tmp_path / "o")]) == 2
    lines = capsys.readouterr().err.splitlines()
    says = "an attribution graph alone is not executable: it has no weights, only what fed what on one prompt"
    assert len(lines) == 4 and all(line.startswith(f"relucid: {path}: {says}; ") for line in lines)
    assert [p.name for p in tmp_path.iterdir()] == ["g.json"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"nodes": 3}, 'has no lists "nodes" and "links"'),
        ({"nodes": [{"node_id": "x"}]}, "is no node"),
        ({"nodes": [{"node_id": "x", "layer": "Q"}]}, "is no node"),
        (
            {"links": [{"source": "E_9_2", "target": "nowhere", "weight": 1}]},
            "a link ends at 'nowhere', which is no node",
        ),
        ({"links": [{"source": "E_9_2", "target": "3_5_2", "weight": "x"}]}, "is no link"),
        ({"links": [3]}, "is no link"),
        ({"qParams": {"supernodes": [3]}}, "supernodes are lists of a name and node ids"),
        ({"qParams": {"pinnedIds": [3]}}, "pinnedIds is not a list of node ids"),
        ({"links": [{"source": "E_9_2", "target": "3_5_2", "weight": float("nan")}]}, "a finite weight"),
        ({"links": [{"source": "E_9_2", "target": "3_5_2", "weight": 10**400}]}, "a finite weight"),
        ({"links": [{"source": "E_9_2", "target": "3_5_2", "weight": None}]}, "a finite weight"),
        (
            {"links": [{"source": ["E_9_2"], "target": "3_5_2", "weight": 1}]},
            "a link ends at ['E_9_2'], which is no node",
        ),
        ({"nodes": [node("x", -1, 0, FEATURE)]}, "is no node"),
        ({"nodes": [node("x", True, 0, FEATURE)]}, "is no node"),
        ({"nodes": [node("x", "1" * 50, 0, FEATURE)]}, "is no node"),
        (
            {"nodes": [node("x", "1", -1, FEATURE)]},
            "node 'x' has ctx_idx -1; it is the token's place in the prompt",
        ),
        (
            {"nodes": [node("x", "1", 3, FEATURE)], "links": []},
            "node 'x' is over token 3 of a prompt of 3; list every token",
        ),
        ({"nodes": [node("x", "1", 0, FEATURE, clerp=[1])]}, "node 'x' has clerp [1]; it is a string"),
        (
            {"nodes": [node("x", "1", 0, "logit", token_prob=7)]},
            "node 'x' has token_prob 7; it is a number from 0 to 1",
        ),
        ({"metadata": {"slug": ["x"]}}, "slug is ['x']; it is a string"),
        (
            {"metadata": {"prompt": "\ud800"}},
            "a string is no valid Unicode (a lone surrogate); write the character itself",
        ),
        ({"nodes": [node("x", "1", 0, FEATURE, clerp="\udfff")], "links": []}, "no valid Unicode"),
        ({"metadata": {"prompt_tokens": "abc"}}, "prompt_tokens is not a list of at most 20,000 strings"),
        (
            {"nodes": [{}] * 100_001},
            "100,001 nodes are over 100,000; prune the graph with lower thresholds first",
        ),
        ({"metadata": []}, None),
        ({"metadata": [1]}, "metadata or qParams is not an object"),
    ],
)
def test_graphs_that_do_not_fit(change, says, path):
    path.write_text(json.dumps({**GRAPH, **change}))
    if says is None:
        assert read_attribution_graph(path).model == "?"
        return
    with pytest.raises(InputError) as caught:
        read_attribution_graph(path)
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"nodes": ' + "[" * 100_000, "is nested too deeply; see docs/reference/circuits.md"),
        ('{"nodes": [], "links": 1' + "0" * 5000 + "}", "cannot be read: Exceeds the limit (4300 digits)"),
        ('{"nodes": [], "links": [', "is not JSON: Expecting value; see docs/reference/circuits.md"),
    ],
    ids=["deep", "digits", "cut short"],
)
def test_files_that_are_no_json(text, says, path, capsys):
    path.write_text(text)
    assert main(["show", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"relucid: {path}") and says in err and err.count("\n") == 1


def test_escape_codes_in_names_are_not_sent_to_the_terminal(path, tmp_path, capsys):
    nodes = [{**n, "clerp": "\x1b[31m\n<b>"} for n in GRAPH["nodes"]]
    path.write_text(
        json.dumps({**GRAPH, "metadata": {**GRAPH["metadata"], "slug": "\x1b]0;title"}, "nodes": nodes})
    )
    assert main(["show", str(path), "--draw", str(tmp_path / "g.svg")]) == 0
    assert "\x1b" not in capsys.readouterr().out and "\x1b" not in (tmp_path / "g.svg").read_text()


def test_a_supernode_may_be_called_as_a_node(path):
    other = {**GRAPH["nodes"][1], "node_id": "say Austin", "jsNodeId": "other"}
    path.write_text(json.dumps({**GRAPH, "nodes": [*GRAPH["nodes"], other]}))
    assert {"say Austin", "\0say Austin"} <= {
        n.name for n in merged(read_attribution_graph(path).graph).nodes
    }


def test_supernodes_are_one_node_and_their_edges_one(path):
    more = [
        {"source": "3_5_2", "target": "27_4_2", "weight": -2.0},
        {"source": "3_5_2", "target": "27_4_2", "weight": 0.5},
    ]
    path.write_text(json.dumps({**GRAPH, "links": [*GRAPH["links"], *more]}))
    sums = {(e.source, e.target): e.weight for e in merged(read_attribution_graph(path).graph).edges}
    assert sums["\0say Austin", "27_4_2"] == 1.0 - 2.0 + 0.5
    path.write_text(json.dumps(GRAPH))
    graph = merged(read_attribution_graph(path).graph)
    assert {(e.source, e.target): (e.weight, round(e.size, 4)) for e in graph.edges} == {
        ("E_9_2", "\0say Austin"): (2.5, 0.0625),
        ("8_-1_1", "\0say Austin"): (1.5, 0.1875),
        ("\0say Austin", "27_4_2"): (1.0, 0.25),
        ("E_9_2", "27_4_2"): (-3.0, 0.75),
    }


def test_a_repeated_id_is_told(path):
    path.write_text(
        json.dumps({**GRAPH, "nodes": [*GRAPH["nodes"], {**GRAPH["nodes"][1], "clerp": "later"}]})
    )
    graph = read_attribution_graph(path)
    assert "1 nodes have the id of another and are left out" in graph.lines()
    assert [n.text for n in graph.graph.nodes if n.name == "3_5_2"] == ["Texas"], "the first one stays"


def test_pictures_are_the_same_each_time(path):
    graph = read_attribution_graph(path).graph
    assert draw(graph, "svg") == draw(graph, "svg") and draw(graph, "png").startswith(b"\x89PNG")
