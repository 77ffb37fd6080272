"""Edges are found by the cells they pass, and each finds the one that runs back along it."""

import numpy as np
import pytest

from geo_policing.geodesy import LocalPlane, cells
from geo_policing.kernels import edge_pairs, edge_samples
from geo_policing.roads.index import INDEX_RESOLUTION, EdgeIndex
from tests.roads import naive

PLANE = LocalPlane.around(113.13, 27.83)


def random_lines(seed, m=60):
    """Offsets and vertices of m polylines; some of one vertex, some with a vertex twice."""
    rng = np.random.default_rng(seed)
    lines = [
        np.cumsum(rng.normal(0.0, 60.0, (rng.integers(1, 6), 2)), axis=0) + rng.uniform(-2e3, 2e3, 2)
        for _ in range(m)
    ]
    lines[0] = np.repeat(lines[0][:1], 3, axis=0)
    offset = np.cumsum([0, *map(len, lines)]).astype(np.int64)
    xy = np.concatenate(lines)
    return offset, np.ascontiguousarray(xy[:, 0]), np.ascontiguousarray(xy[:, 1])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("call", ["jitted", "plain"])
def test_samples_equal_the_naive_twin(seed, call):
    lines = random_lines(seed)
    kernel = edge_samples.samples if call == "jitted" else getattr(edge_samples.samples, "py_func", None)
    if kernel is None:
        pytest.skip("numba is switched off, the kernel is plain already")
    edge, x, y = kernel(*lines, 10.0)
    expected = naive.samples(*lines, 10.0)
    assert edge.tolist() == [e for e, _, _ in expected]
    np.testing.assert_allclose(np.column_stack([x, y]), [p[1:] for p in expected], atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_index_equals_the_naive_twin(seed):
    lines = random_lines(seed)
    index = EdgeIndex.build(PLANE, *lines, step_m=10.0)
    expected = naive.edges_by_cell(PLANE, *lines, 10.0, INDEX_RESOLUTION)
    assert index.cell.tolist() == sorted(expected)
    for i, cell in enumerate(index.cell.tolist()):
        assert index.edge[index.offset[i] : index.offset[i + 1]].tolist() == sorted(expected[cell])


def test_edges_of_cells_are_ascending_and_named_once():
    index = EdgeIndex.build(PLANE, *random_lines(3))
    found = index.edges_of(index.cell)
    assert found.tolist() == list(range(60))
    assert index.edges_of(cells([2.35], [48.85], INDEX_RESOLUTION)).tolist() == []


def test_an_index_of_nothing_finds_nothing():
    index = EdgeIndex.build(PLANE, np.zeros(1, np.int64), np.empty(0), np.empty(0))
    assert index.edges_of(cells([113.13], [27.83], INDEX_RESOLUTION)).tolist() == []


@pytest.mark.parametrize("seed", range(20))
def test_reverse_edges_equal_the_naive_twin(seed):
    rng = np.random.default_rng(seed)
    shapes = [rng.uniform(-100.0, 100.0, (k, 2)) for k in (2, 3, 3, 4)]
    shapes.append(np.array([[0.0, 0.0], [5.0, 5.0], [0.0, 0.0]]))  # the same in both directions
    shapes.append(shapes[1] + 0.004)  # the same to the centimetre
    m = 40
    nodes = rng.integers(0, 3, (2, m)).astype(np.int32)
    lines = [shapes[rng.integers(len(shapes))][:: rng.choice([1, -1])] for _ in range(m)]
    offset = np.cumsum([0, *map(len, lines)]).astype(np.int64)
    x, y = np.ascontiguousarray(np.concatenate(lines).T)
    order = np.lexsort((np.maximum(*nodes), np.minimum(*nodes)))
    reverse = edge_pairs.reverse_edges(order, *nodes, offset, x, y, 0.01)
    assert reverse.tolist() == naive.reverse_edges(*nodes, offset, x, y, 0.01)
    paired = np.flatnonzero(reverse >= 0)
    assert (reverse[reverse[paired]] == paired).all()
    assert 0 < len(paired) < m
