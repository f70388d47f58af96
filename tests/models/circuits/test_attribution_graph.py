"""Attribution graphs in circuit-tracer's JSON: read and drawn, never run."""

import json

import pytest
from relucid.cli import main
from relucid.models.circuits.attribution_graph import read_attribution_graph
from relucid.models.circuits.circuit import load_circuit
from relucid.models.circuits.drawing import draw
from relucid.models.errors import InputError

FEATURE = {"feature_type": "cross layer transcoder", "ctx_idx": 1, "jsNodeId": "x", "run_idx": 0}
GRAPH = {
    "metadata": {
        "slug": "dallas",
        "scan": "gemma-2-2b",
        "prompt": "Fact: Dallas",
        "prompt_tokens": ["Fact", ":", " Dallas"],
        "transcoder_list": [],
    },
    "qParams": {"pinnedIds": [], "supernodes": [["say Austin", "20_7_2", "3_5_2"]], "linkType": "both", "clickedId": "", "sg_pos": ""},
    "nodes": [
        {"node_id": "E_9_2", "layer": "E", "feature_type": "embedding", "clerp": 'Emb: " Dallas"'},
        {"node_id": "3_5_2", "layer": "3", **FEATURE, "clerp": "Texas"},
        {"node_id": "20_7_2", "layer": "20", **FEATURE, "clerp": ""},
        {"node_id": "27_4_2", "layer": "27", "feature_type": "logit", "clerp": 'Output "Austin" (p=0.41)'},
    ],
    "links": [
        {"source": "E_9_2", "target": "3_5_2", "weight": 2.5},
        {"source": "3_5_2", "target": "20_7_2", "weight": -0.5},
        {"source": "20_7_2", "target": "27_4_2", "weight": 1},
    ],
}


@pytest.fixture
def path(tmp_path):
    (tmp_path / "g.json").write_text(json.dumps(GRAPH))
    return tmp_path / "g.json"


def test_nodes_edges_and_supernodes_are_read(path):
    graph = read_attribution_graph(path)
    assert graph.graph.rows == ("embedding", "layer 3", "layer 20", "layer 27")
    assert [(e.source, e.weight) for e in graph.graph.edges] == [("E_9_2", 2.5), ("3_5_2", -0.5), ("20_7_2", 1.0)]
    assert [n.group for n in graph.graph.nodes] == ["", "say Austin", "say Austin", ""]
    assert graph.kinds == (("cross layer transcoder", 2), ("embedding", 1), ("logit", 1))


def test_show_prints_and_draws_it(path, tmp_path, capsys):
    assert main(["show", str(path), "--draw", str(tmp_path / "g.svg")]) == 0
    out = capsys.readouterr().out
    assert "supernode 'say Austin': 20_7_2, Texas" in out and "edge E_9_2 to 3_5_2: +2.5" in out
    assert "an attribution graph alone is not executable" in out
    svg = (tmp_path / "g.svg").read_text()
    assert "Texas" in svg and "layer 20" in svg and svg.count("<path") > 5


def test_it_is_never_a_circuit(path, tmp_path, capsys):
    with pytest.raises(InputError, match="an attribution graph alone is not executable"):
        load_circuit(path)
    assert main(["distill", str(path), "--domain", "x.toml", "--out", str(tmp_path / "o")]) == 2
    assert main(["show", str(path), "--domain", "x.toml"]) == 2
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"nodes": 3}, 'has no lists "nodes" and "links"'),
        ({"nodes": [{"node_id": "x"}]}, "is no node"),
        ({"nodes": [{"node_id": "x", "layer": "Q"}]}, "is no node"),
        ({"links": [{"source": "E_9_2", "target": "nowhere", "weight": 1}]}, "a link ends at 'nowhere', which is no node"),
        ({"links": [{"source": "E_9_2", "target": "3_5_2", "weight": "x"}]}, "is no link"),
        ({"links": [3]}, "is no link"),
        ({"qParams": {"supernodes": [3]}}, "supernodes are lists of a name and node ids"),
        ({"metadata": []}, None),
        ({"metadata": [1]}, "metadata and qParams are objects"),
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


def test_a_repeated_id_is_told(path):
    path.write_text(json.dumps({**GRAPH, "nodes": [*GRAPH["nodes"], GRAPH["nodes"][1]]}))
    assert "1 nodes have the id of another and are left out" in read_attribution_graph(path).lines()


def test_pictures_are_the_same_each_time(path):
    graph = read_attribution_graph(path).graph
    assert draw(graph, "svg") == draw(graph, "svg") and draw(graph, "png").startswith(b"\x89PNG")
