"""A road network of an OpenStreetMap extract: ways split where they meet, tags turned into edge columns.

Tags are read as https://wiki.openstreetmap.org/wiki/Key:highway, Key:access, Key:oneway, Key:maxspeed and
Relation:restriction describe them.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import osmium

from geo_policing.errors import InvalidFile
from geo_policing.roads.network import Access, EdgeFlag, RoadClass, RoadNetwork

_WALKED = Access.FOOT
_RIDDEN = Access.BICYCLE | Access.FOOT
#: highway=* -> class, who may use it, km/h where no limit is tagged.
_HIGHWAYS = {
    "motorway": (RoadClass.EXPRESSWAY, Access.CAR, 110.0),
    "motorway_link": (RoadClass.EXPRESSWAY_RAMP, Access.CAR, 60.0),
    "trunk": (RoadClass.ARTERIAL, Access.ALL, 80.0),
    "trunk_link": (RoadClass.ARTERIAL, Access.ALL, 50.0),
    "primary": (RoadClass.ARTERIAL, Access.ALL, 60.0),
    "primary_link": (RoadClass.ARTERIAL, Access.ALL, 45.0),
    "secondary": (RoadClass.SECONDARY, Access.ALL, 50.0),
    "secondary_link": (RoadClass.SECONDARY, Access.ALL, 40.0),
    "tertiary": (RoadClass.STREET, Access.ALL, 45.0),
    "tertiary_link": (RoadClass.STREET, Access.ALL, 40.0),
    "unclassified": (RoadClass.STREET, Access.ALL, 40.0),
    "road": (RoadClass.UNKNOWN, Access.ALL, 40.0),
    "residential": (RoadClass.RESIDENTIAL, Access.ALL, 30.0),
    "living_street": (RoadClass.RESIDENTIAL, Access.ALL, 15.0),
    "service": (RoadClass.SERVICE, Access.ALL, 20.0),
    "track": (RoadClass.TRACK, Access.ALL, 20.0),
    "cycleway": (RoadClass.CYCLEWAY, _RIDDEN, 15.0),
    "path": (RoadClass.FOOTWAY, _RIDDEN, 5.0),
    "footway": (RoadClass.FOOTWAY, _WALKED, 5.0),
    "pedestrian": (RoadClass.FOOTWAY, _WALKED, 5.0),
    "steps": (RoadClass.FOOTWAY, _WALKED, 3.0),
    "bridleway": (RoadClass.FOOTWAY, _WALKED, 5.0),
}
_CLOSED = {"no", "private", "agricultural", "forestry", "use_sidepath", "dismount"}
_MODES = {
    "vehicle": Access.CAR | Access.BICYCLE,
    "motor_vehicle": Access.CAR,
    "motorcar": Access.CAR,
    "bicycle": Access.BICYCLE,
    "foot": Access.FOOT,
}
_SPEED = re.compile(r"(\d+(?:\.\d+)?)\s*(km/h|kmh|mph|knots)?")
_UNITS_MPS = {"": 1 / 3.6, "km/h": 1 / 3.6, "kmh": 1 / 3.6, "mph": 0.44704, "knots": 1852 / 3600}


@dataclass
class Report:
    """What an import read and what it could not use."""

    ways: int = 0
    missing_nodes: int = 0
    restrictions: int = 0
    unusable_restrictions: int = 0


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
    report: Report = field(default_factory=Report)


@dataclass
class _Edges:
    ids: list[str] = field(default_factory=list)
    ways: list[int] = field(default_factory=list)
    ends: list[tuple[int, int]] = field(default_factory=list)
    shapes: list[list[int]] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)
    columns: list[tuple[int, int, int]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def read_osm(path: Path | str) -> tuple[RoadNetwork, Report]:
    """Make a network of an OpenStreetMap file, ``.osm.pbf`` or ``.osm``.

    Parameters
    ----------
    path : Path or str
        The extract; its suffix says the format.

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
    try:
        extract = _read(path)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InvalidFile(
            f"{path} is no whole OpenStreetMap file ({reason}); download it again",
            field="source",
            value=str(path),
        ) from None
    edges = _split(extract)
    if not edges.ids:
        raise InvalidFile(f"{path} holds no roads; give an extract with highway ways", field="source")
    nodes = sorted({node for ends in edges.ends for node in ends})
    number = {node: i for i, node in enumerate(nodes)}
    place = np.array([extract.lonlat[node] for node in nodes])
    ends = np.array([(number[a], number[b]) for a, b in edges.ends], np.int32)
    columns = np.array(edges.columns, np.uint8)
    turns = _forbidden(extract, edges)
    network = RoadNetwork.build(
        node_lon=place[:, 0],
        node_lat=place[:, 1],
        edge_id=edges.ids,
        from_node=ends[:, 0],
        to_node=ends[:, 1],
        geometry_lonlat=[np.array([extract.lonlat[n] for n in shape]) for shape in edges.shapes],
        speed_mps=np.array(edges.speeds, np.float32),
        road_class=columns[:, 0],
        access=columns[:, 1],
        flags=columns[:, 2],
        edge_name=edges.names,
        forbidden_turn=np.array(sorted(turns), np.int32).reshape(-1, 2),
        source=f"{path.name}, WGS 84, © OpenStreetMap contributors, ODbL 1.0",
    )
    return network, extract.report


def _read(path: Path) -> _Extract:
    extract = _Extract()
    wanted: set[int] = set()
    for item in osmium.FileProcessor(path, osmium.osm.WAY | osmium.osm.RELATION):
        tags = {tag.k: tag.v for tag in item.tags}
        if item.is_way():
            if tags.get("highway") in _HIGHWAYS and tags.get("area") != "yes":
                refs = [node.ref for node in item.nodes]
                extract.ways.append((item.id, refs, tags))
                wanted.update(refs)
        elif tags.get("type") == "restriction":
            kind = tags.get("restriction:motorcar", tags.get("restriction", ""))
            if "motorcar" in tags.get("except", "") or not kind.startswith(("no_", "only_")):
                continue
            part = [(m.role, m.type, m.ref) for m in item.members]
            via = [(t, ref) for role, t, ref in part if role == "via"]
            if len(via) != 1 or via[0][0] != "n":
                extract.report.unusable_restrictions += 1
                continue
            sources = tuple(ref for role, t, ref in part if role == "from" and t == "w")
            targets = tuple(ref for role, t, ref in part if role == "to" and t == "w")
            extract.restrictions.append(_Restriction(kind, sources, via[0][1], targets))
    nodes = osmium.FileProcessor(path, osmium.osm.NODE).with_filter(osmium.filter.IdFilter(wanted))
    extract.lonlat = {node.id: (node.lon, node.lat) for node in nodes}
    extract.report.ways = len(extract.ways)
    extract.report.missing_nodes = len(wanted - extract.lonlat.keys())
    return extract


def _split(extract: _Extract) -> _Edges:
    uses = Counter(ref for _, refs, _ in extract.ways for ref in refs)
    joints = {ref for ref, count in uses.items() if count > 1} | {r.via for r in extract.restrictions}
    edges = _Edges()
    for way, refs, tags in extract.ways:
        road_class, access, default = _HIGHWAYS[tags["highway"]]
        access = _access(access, tags)
        if not access:
            continue
        columns = (int(road_class), int(access), _flags(tags))
        for segment, shape in enumerate(_segments(refs, joints, extract.lonlat)):
            for sign in _directions(tags, access):
                run = shape if sign == "+" else shape[::-1]
                edges.ids.append(f"w{way}.{segment}{sign}")
                edges.ways.append(way)
                edges.ends.append((run[0], run[-1]))
                edges.shapes.append(run)
                edges.speeds.append(_speed_mps(tags, sign, access, default))
                edges.columns.append(columns)
                edges.names.append(tags.get("name") or tags.get("ref", ""))
    return edges


def _segments(refs: list[int], joints: set[int], known: dict[int, tuple[float, float]]) -> list[list[int]]:
    """Return the runs of known nodes between joints; a node outside the extract ends a run."""
    runs: list[list[int]] = []
    run: list[int] = []
    for ref in refs:
        if ref not in known:
            runs.append(run)
            run = []
        elif not run or ref != run[-1]:
            run.append(ref)
            if ref in joints and len(run) > 1:
                runs.append(run)
                run = [ref]
    return [r for r in [*runs, run] if len(r) > 1]


def _access(access: Access, tags: dict[str, str]) -> Access:
    if tags.get("motorroad") == "yes":
        access &= Access.CAR
    if tags.get("access") in _CLOSED:
        access = Access(0)
    for mode, bits in _MODES.items():
        if mode in tags:
            access = access & ~bits if tags[mode] in _CLOSED else access | bits
    return access


def _directions(tags: dict[str, str], access: Access) -> str:
    if access == Access.FOOT:
        return "+-"
    implied = tags.get("junction") in ("roundabout", "circular") or tags["highway"].startswith("motorway")
    oneway = tags.get("oneway", "yes" if implied else "no")
    return "-" if oneway in ("-1", "reverse") else "+" if oneway in ("yes", "true", "1") else "+-"


def _flags(tags: dict[str, str]) -> int:
    return (
        EdgeFlag.BRIDGE * (tags.get("bridge", "no") != "no")
        | EdgeFlag.TUNNEL * (tags.get("tunnel", "no") != "no")
        | EdgeFlag.ROUNDABOUT * (tags.get("junction") in ("roundabout", "circular"))
    )


def _speed_mps(tags: dict[str, str], sign: str, access: Access, default_kmh: float) -> float:
    side = "maxspeed:forward" if sign == "+" else "maxspeed:backward"
    limit = _SPEED.fullmatch(tags.get(side, tags.get("maxspeed", "")).strip())
    if limit and access & Access.CAR and float(limit[1]) > 0:
        return float(limit[1]) * _UNITS_MPS[limit[2] or ""]
    return default_kmh / 3.6


def _forbidden(extract: _Extract, edges: _Edges) -> set[tuple[int, int]]:
    into: dict[int, list[int]] = {}
    leaving: dict[int, list[int]] = {}
    for edge, (a, b) in enumerate(edges.ends):
        leaving.setdefault(a, []).append(edge)
        into.setdefault(b, []).append(edge)
    turns: set[tuple[int, int]] = set()
    for rule in extract.restrictions:
        out = [e for e in leaving.get(rule.via, []) if edges.columns[e][1] & Access.CAR]
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
        extract.report.restrictions += bool(pairs)
        extract.report.unusable_restrictions += not pairs
        turns |= pairs
    return turns
