"""A road network of an OpenStreetMap extract: ways split where they meet, turn restrictions of relations.

Restrictions are read as https://wiki.openstreetmap.org/wiki/Relation:restriction describes them.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import osmium

from geo_policing.errors import InvalidFile
from geo_policing.roads import tags as osm_tags
from geo_policing.roads.draft import Draft
from geo_policing.roads.network import Access, EdgeFlag, RoadNetwork
from geo_policing.roads.repair import MIN_PIECE_NODES, mend
from geo_policing.roads.report import Report

_AGAIN = "download it again"
#: Where nodes are missing between two that are this near, the road is drawn straight from one to the other.
_GAP_M = 100.0


@dataclass(frozen=True)
class _Restriction:
    kind: str
    sources: tuple[int, ...]
    via: int
    targets: tuple[int, ...]


@dataclass
class _Extract:
    ways: list[tuple[int, list[int], dict[str, str]]] = field(default_factory=list)
    restrictions: list[_Restriction] = field(default_factory=list)
    lonlat: dict[int, tuple[float, float]] = field(default_factory=dict)


@dataclass
class _Edges:
    ids: list[str] = field(default_factory=list)
    ways: list[int] = field(default_factory=list)
    ends: list[tuple[int, int]] = field(default_factory=list)
    shapes: list[list[int]] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)
    columns: list[tuple[int, int, int]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def read_osm(
    path: Path | str,
    *,
    min_piece_nodes: int = MIN_PIECE_NODES,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[RoadNetwork, Report]:
    """Make a network of an OpenStreetMap file, ``.osm.pbf`` or ``.osm``.

    Parameters
    ----------
    path : Path or str
        The extract; its suffix says the format.
    min_piece_nodes : int
        Disconnected pieces of fewer nodes are dropped, never the largest; 0 keeps all.
    tell : function of str
        Called with what is done next, for a progress display.

    Returns
    -------
    tuple of RoadNetwork and Report
        Edges are named ``w<way>.<segment>+`` along the way and ``-`` against it.

    Raises
    ------
    InvalidFile
        If the file is of another kind, cut short, or holds no road.
    """
    path = Path(path)
    path.open("rb").close()  # a missing or unreadable file is an OSError, as everywhere
    report = Report(source=path.name)
    tell("reading ways and nodes")
    try:
        extract = _read(path, report)
    except (RuntimeError, ValueError) as error:
        raise _not_whole(path, " ".join(str(error).split())) from None
    tell("splitting ways where they meet")
    edges = _split(extract, report)
    if not edges.ids:
        raise InvalidFile(
            f"{path} holds no roads; give an extract with highway ways, or {_AGAIN} if it should have some",
            field="source",
            value=str(path),
        )
    draft = _draft(extract, edges, _forbidden(extract, edges, report), path.name)
    tell("mending and indexing")
    return mend(draft, report, min_piece_nodes=min_piece_nodes), report


def _draft(extract: _Extract, edges: _Edges, turns: set[tuple[int, int]], name: str) -> Draft:
    nodes = sorted({node for ends in edges.ends for node in ends})
    number = {node: i for i, node in enumerate(nodes)}
    place = np.array([extract.lonlat[node] for node in nodes])
    ends = np.array([(number[a], number[b]) for a, b in edges.ends], np.int32)
    columns = np.array(edges.columns, np.uint8)
    return Draft(
        node_lon=place[:, 0],
        node_lat=place[:, 1],
        edge_id=edges.ids,
        from_node=ends[:, 0],
        to_node=ends[:, 1],
        geometry=[np.array([extract.lonlat[n] for n in shape]) for shape in edges.shapes],
        speed_mps=np.array(edges.speeds, np.float32),
        road_class=columns[:, 0],
        access=columns[:, 1],
        flags=columns[:, 2],
        name=edges.names,
        turns=np.array(sorted(turns), np.int32).reshape(-1, 2),
        source=f"{name}, WGS 84, © OpenStreetMap contributors, ODbL 1.0",
    )


def _read(path: Path, report: Report) -> _Extract:
    extract = _Extract()
    wanted: set[int] = set()
    named = osmium.IdTracker()
    untagged: set[int] = set()
    relations = 0
    for item in osmium.FileProcessor(path, osmium.osm.WAY | osmium.osm.RELATION):
        if item.is_way():
            named.add_references(item)
            if len(item.tags) == 0:
                untagged.add(item.id)
            elif item.tags.get("highway") in osm_tags.HIGHWAYS and item.tags.get("area") != "yes":
                refs = [node.ref for node in item.nodes]
                extract.ways.append((item.id, refs, {tag.k: tag.v for tag in item.tags}))
                wanted.update(refs)
        else:
            relations += 1
            untagged.difference_update([m.ref for m in item.members if m.type == "w"])
            if item.tags.get("type") == "restriction":
                _restriction(item, extract, report)
    if not relations:
        _refuse_cut(path, named.node_ids(), untagged)
    nodes = osmium.FileProcessor(path, osmium.osm.NODE).with_filter(osmium.filter.IdFilter(wanted))
    extract.lonlat = {node.id: (node.lon, node.lat) for node in nodes}
    report.roads = len(extract.ways)
    report.missing_nodes = len(wanted - extract.lonlat.keys())
    return extract


def _refuse_cut(path: Path, used: osmium.index.IdSet, untagged_ways: set[int]) -> None:
    """Refuse a file whose end is missing though its last block is whole; known by what nothing refers to.

    Nodes come first, then ways, then relations. A node without tags is there for a way, a way without tags
    for a relation: without these the rest was lost, or filtered away by halves.
    """
    if len(untagged_ways) >= 3:
        raise _not_whole(path, f"{len(untagged_ways)} ways are parts of relations, which are not there")
    bare = astray = 0
    for node in osmium.FileProcessor(path, osmium.osm.NODE):
        if len(node.tags) == 0:
            bare += 1
            astray += node.id not in used
    if astray > 10 and astray > 0.05 * bare:
        raise _not_whole(path, f"{astray} of {bare} nodes are parts of ways, which are not there")


def _not_whole(path: Path, reason: str) -> InvalidFile:
    return InvalidFile(
        f"{path} is no whole OpenStreetMap file ({reason}); {_AGAIN}", field="source", value=str(path)
    )


def _restriction(relation: osmium.osm.Relation, extract: _Extract, report: Report) -> None:
    kind = relation.tags.get("restriction:motorcar") or relation.tags.get("restriction", "")
    if "motorcar" in relation.tags.get("except", "") or not kind.startswith(("no_", "only_")):
        return
    part = [(m.role, m.type, m.ref) for m in relation.members]
    via = [(t, ref) for role, t, ref in part if role == "via"]
    if any(t == "w" for t, _ in via):
        report.restrictions_over_ways += 1
    elif len(via) != 1 or via[0][0] != "n":
        report.restrictions_unusable += 1
    else:
        sources = tuple(ref for role, t, ref in part if role == "from" and t == "w")
        targets = tuple(ref for role, t, ref in part if role == "to" and t == "w")
        extract.restrictions.append(_Restriction(kind, sources, via[0][1], targets))


def _split(extract: _Extract, report: Report) -> _Edges:
    uses = Counter(ref for _, refs, _ in extract.ways for ref in refs)
    joints = {ref for ref, count in uses.items() if count > 1} | {r.via for r in extract.restrictions}
    edges = _Edges()
    for way, refs, tags in extract.ways:
        access = osm_tags.access_of(tags)
        signs = osm_tags.directions(tags, access)
        if not signs:
            report.closed += 1
            continue
        road_class, flags = int(osm_tags.HIGHWAYS[tags["highway"]][0]), int(osm_tags.flags_of(tags))
        runs = _segments(refs, joints, extract.lonlat)
        report.split_lines += len(runs) > 1
        for segment, (shape, mended) in enumerate(runs):
            report.mended_gaps += mended
            for sign, bits in signs.items():
                run = shape if sign == "+" else shape[::-1]
                edges.ids.append(f"w{way}.{segment}{sign}")
                edges.ways.append(way)
                edges.ends.append((run[0], run[-1]))
                edges.shapes.append(run)
                edges.speeds.append(osm_tags.speed_mps(tags, sign, access))
                edges.columns.append((road_class, int(bits), flags | EdgeFlag.MENDED * bool(mended)))
                edges.names.append(tags.get("name") or tags.get("ref", ""))
    return edges


def _segments(
    refs: list[int], joints: set[int], known: dict[int, tuple[float, float]]
) -> list[tuple[list[int], int]]:
    """Return the runs of known nodes between joints, and how many gaps of missing nodes each one bridges."""
    runs: list[tuple[list[int], int]] = []
    run: list[int] = []
    gaps = missing = 0
    for ref in refs:
        if ref not in known:
            missing += 1
            continue
        if missing and run:
            if _distance_m(known[run[-1]], known[ref]) <= _GAP_M:
                gaps += 1
            else:
                runs.append((run, gaps))
                run, gaps = [], 0
        missing = 0
        if not run or ref != run[-1]:
            run.append(ref)
            if ref in joints and len(run) > 1:
                runs.append((run, gaps))
                run, gaps = [ref], 0
    return [r for r in [*runs, (run, gaps)] if len(r[0]) > 1]


def _distance_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Distance of two near points lon, lat on a sphere."""
    east = (b[0] - a[0]) * math.cos(math.radians(a[1]))
    return math.radians(math.hypot(east, b[1] - a[1])) * 6_371_000.0


def _forbidden(extract: _Extract, edges: _Edges, report: Report) -> set[tuple[int, int]]:
    """Pairs of edges that cars may not drive in order; contraflow lanes of bicycles are no cars' edges."""
    into: dict[int, list[int]] = {}
    leaving: dict[int, list[int]] = {}
    for edge, (a, b) in enumerate(edges.ends):
        if edges.columns[edge][1] & Access.CAR:
            leaving.setdefault(a, []).append(edge)
            into.setdefault(b, []).append(edge)
    turns: set[tuple[int, int]] = set()
    for rule in extract.restrictions:
        out = leaving.get(rule.via, [])
        sources = [e for e in into.get(rule.via, []) if edges.ways[e] in rule.sources]
        targets = [e for e in out if edges.ways[e] in rule.targets]
        if rule.kind == "no_u_turn" and rule.sources == rule.targets:
            pairs = {(s, t) for s in sources for t in targets if edges.shapes[s] == edges.shapes[t][::-1]}
        elif len(sources) > len(rule.sources) or len(targets) > len(rule.targets) or not targets:
            pairs = set()  # a way that runs through the node does not say which of its ends is meant
        elif rule.kind.startswith("only_"):
            pairs = {(s, t) for s in sources for t in out if t not in targets}
        else:
            pairs = {(s, t) for s in sources for t in targets}
        report.restrictions += bool(pairs)
        report.restrictions_unusable += not pairs
        turns |= pairs
    return turns
