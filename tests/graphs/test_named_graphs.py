"""Graphs with a name: networkx's."""

import networkx
import pytest

from jaxlab.graphs import named_graphs as named
from tests.graphs.instances import same


def test_graphs_with_a_name():
    for n in (0, 1, 2, 6):
        same(named.path_graph(n), networkx.path_graph(n))
        same(named.complete_graph(n), networkx.complete_graph(n))
    for n in (3, 7):
        same(named.cycle_graph(n), networkx.cycle_graph(n))
    for shape in ((1, 5), (5, 1), (3, 4), (0, 3)):
        grid = networkx.grid_2d_graph(*shape)
        names = {(r, c): r * shape[1] + c for r, c in grid}
        same(named.grid_graph(*shape), networkx.relabel_nodes(grid, names))


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    with pytest.raises(ValueError, match="n: expected an integer >= 3"):
        named.cycle_graph(2)
    with pytest.raises(ValueError, match="n: expected an integer >= 0"):
        named.path_graph(-1)
    with pytest.raises(ValueError, match="columns: expected an integer >= 0"):
        named.grid_graph(2, -1)
