"""OpenStreetMap extracts become networks."""

from pathlib import Path

import numpy as np
import osmium
import pytest

from geo_policing.errors import InvalidFile
from geo_policing.roads.network import Access, EdgeFlag, RoadNetwork
from geo_policing.roads.osm import read_osm
from geo_policing.roads.report import Report
from tests.shared_data import shared

# Node 2 is the middle of a cross: 1 west, 3 east, 4 north, 5 south.
NODES = {1: (8.0, 50.0), 2: (8.001, 50.0), 3: (8.002, 50.0), 4: (8.001, 50.001), 5: (8.001, 49.999)}


def way(number: int, refs: str, **tags: str) -> str:
    nodes = "".join(f'<nd ref="{r}"/>' for r in refs.split())
    marks = "".join(f'<tag k="{k.replace("__", ":")}" v="{v}"/>' for k, v in tags.items())
    return f'<way id="{number}" version="1">{nodes}{marks}</way>'


def rule(kind: str, source: int, target: int) -> str:
    return (
        f'<relation id="1" version="1"><member type="way" ref="{source}" role="from"/>'
        f'<member type="node" ref="2" role="via"/><member type="way" ref="{target}" role="to"/>'
        f'<tag k="type" v="restriction"/><tag k="restriction" v="{kind}"/></relation>'
    )


def read(folder: Path, *parts: str) -> RoadNetwork:
    return read_with_report(folder, *parts)[0]


def read_with_report(folder: Path, *parts: str, **options: int) -> tuple[RoadNetwork, Report]:
    nodes = "".join(f'<node id="{i}" version="1" lon="{x}" lat="{y}"/>' for i, (x, y) in NODES.items())
    path = folder / "town.osm"
    path.write_text(f'<osm version="0.6">{nodes}{"".join(parts)}</osm>')
    return read_osm(path, **options)


def test_ways_are_split_where_they_meet(tmp_path: Path) -> None:
    net = read(tmp_path, way(7, "1 2 3", highway="residential"), way(8, "4 2", highway="service"))
    assert net.edge_ids == ["w7.0+", "w7.0-", "w7.1+", "w7.1-", "w8.0+", "w8.0-"]
    assert net.reverse.tolist() == [1, 0, 3, 2, 5, 4]


@pytest.mark.parametrize(
    ("tags", "signs"),
    [
        ({"highway": "primary", "oneway": "yes"}, "+"),
        ({"highway": "primary", "oneway": "-1"}, "-"),
        ({"highway": "primary", "junction": "roundabout"}, "+"),
        ({"highway": "motorway"}, "+"),
        ({"highway": "motorway", "oneway": "no"}, "+-"),
        ({"highway": "footway", "oneway": "yes"}, "+-"),
    ],
)
def test_one_way_tags_leave_one_direction(tmp_path: Path, tags: dict[str, str], signs: str) -> None:
    assert read(tmp_path, way(7, "1 2 3", **tags)).edge_ids == [f"w7.0{sign}" for sign in signs]


@pytest.mark.parametrize(
    ("tags", "access"),
    [
        ({"highway": "footway"}, Access.FOOT),
        ({"highway": "motorway"}, Access.CAR),
        ({"highway": "service", "access": "no", "foot": "yes"}, Access.FOOT),
        ({"highway": "residential", "motor_vehicle": "no"}, Access.BICYCLE | Access.FOOT),
    ],
)
def test_access_tags_become_bits(tmp_path: Path, tags: dict[str, str], access: Access) -> None:
    assert read(tmp_path, way(7, "1 2", **tags)).access[0] == access


@pytest.mark.parametrize(
    ("limit", "mps"),
    [
        ("50", 50 / 3.6),
        ("30 mph", 13.4112),
        ("walk", 5 / 3.6),
        ("60;40", 40 / 3.6),
        ("none", 30 / 3.6),
        ("signals", 30 / 3.6),
        ("0", 30 / 3.6),
    ],
)
def test_speed_is_the_limit_or_that_of_the_class(tmp_path: Path, limit: str, mps: float) -> None:
    net = read(tmp_path, way(7, "1 2", highway="residential", maxspeed=limit))
    assert net.speed_mps[0] == pytest.approx(mps)


def test_each_direction_has_its_own_limit(tmp_path: Path) -> None:
    tags = {"maxspeed__forward": "60", "maxspeed__backward": "40"}
    net = read(tmp_path, way(7, "1 2", highway="primary", **tags))
    np.testing.assert_allclose(net.speed_mps * 3.6, [60, 40], rtol=1e-6)


BIKE = Access.BICYCLE | Access.FOOT


@pytest.mark.parametrize(
    ("tags", "along", "against"),
    [
        ({"oneway": "yes"}, Access.ALL, None),
        ({"oneway": "yes", "oneway__bicycle": "no"}, Access.ALL, BIKE),
        ({"oneway": "yes", "cycleway": "opposite_lane"}, Access.ALL, BIKE),
        ({"oneway": "yes", "cycleway__left__oneway": "-1"}, Access.ALL, BIKE),
        ({"oneway": "-1", "cycleway": "opposite"}, BIKE, Access.ALL),
        ({"oneway__bicycle": "yes"}, Access.ALL, Access.CAR | Access.FOOT),
        ({"oneway": "yes", "motor_vehicle": "no"}, BIKE, Access.FOOT),
        ({"oneway__motor_vehicle": "yes"}, Access.ALL, BIKE),
    ],
)
def test_one_way_streets_open_to_bicycles_have_an_edge_back_for_them(
    tmp_path: Path, tags: dict[str, str], along: Access, against: Access | None
) -> None:
    net = read(tmp_path, way(7, "1 2 3", highway="residential", **tags))
    found = dict(zip(net.edge_ids, net.access.tolist(), strict=True))
    assert found == {"w7.0+": along} | ({} if against is None else {"w7.0-": against})


def test_a_contraflow_lane_counts_for_no_turn_of_cars(tmp_path: Path) -> None:
    street = way(14, "4 2", highway="residential", oneway="yes", oneway__bicycle="no")
    net = read(tmp_path, CROSS[0], CROSS[1], street, rule("only_straight_on", 11, 13))
    turns = {(net.edge_ids[a], net.edge_ids[b]) for a, b in net.forbidden_turn}
    assert turns == {("w11.0+", "w11.0-")}


def test_names_and_flags_are_kept(tmp_path: Path) -> None:
    net = read(tmp_path, way(7, "1 2", highway="primary", name="Long Bridge", bridge="yes", tunnel="no"))
    assert (net.name_of(0), net.flags[0]) == ("Long Bridge", EdgeFlag.BRIDGE)


CROSS = [way(i, f"{end} 2", highway="primary") for i, end in [(11, 1), (13, 3), (14, 4), (15, 5)]]


@pytest.mark.parametrize(
    ("kind", "target", "barred"),
    [
        ("no_left_turn", 14, {"w14.0-"}),
        ("only_straight_on", 13, {"w11.0-", "w14.0-", "w15.0-"}),
        ("no_u_turn", 11, {"w11.0-"}),
    ],
)
def test_restrictions_forbid_turns(tmp_path: Path, kind: str, target: int, barred: set[str]) -> None:
    net = read(tmp_path, *CROSS, rule(kind, 11, target))
    turns = {(net.edge_ids[a], net.edge_ids[b]) for a, b in net.forbidden_turn}
    assert turns == {("w11.0+", b) for b in barred}


def test_restrictions_that_cannot_be_used_are_counted_by_reason(tmp_path: Path) -> None:
    over_way = rule("no_left_turn", 11, 14).replace(
        'type="node" ref="2" role="via"', 'type="way" ref="15" role="via"'
    )
    away = rule("no_left_turn", 11, 99).replace('relation id="1"', 'relation id="2"')
    for_lorries = (
        rule("no_left_turn", 11, 13)
        .replace('id="1"', 'id="3"')
        .replace('"restriction" v', '"restriction:hgv" v')
    )
    net, report = read_with_report(tmp_path, *CROSS, over_way, away, for_lorries)
    assert len(net.forbidden_turn) == 0
    assert (report.restrictions, report.restrictions_over_ways, report.restrictions_unusable) == (0, 1, 1)


def test_a_short_gap_of_missing_nodes_is_mended_and_marked(tmp_path: Path) -> None:
    net, report = read_with_report(
        tmp_path, way(7, "1 98 2 99 97 3", highway="service"), way(8, "4 2", highway="service")
    )
    assert net.edge_ids == ["w7.0+", "w7.0-", "w7.1+", "w7.1-", "w8.0+", "w8.0-"]
    assert net.flags.tolist() == [EdgeFlag.MENDED] * 4 + [0, 0]
    assert (report.missing_nodes, report.mended_gaps, report.pieces) == (3, 2, 1)


def test_missing_nodes_at_an_end_shorten_the_road(tmp_path: Path) -> None:
    net, report = read_with_report(tmp_path, way(7, "98 1 2 99", highway="service"))
    assert net.edge_ids == ["w7.0+", "w7.0-"]
    assert (net.flags.tolist(), report.mended_gaps) == ([0, 0], 0)


def test_a_long_gap_of_missing_nodes_ends_an_edge_and_is_counted(tmp_path: Path) -> None:
    net, report = read_with_report(tmp_path, way(7, "1 2 99 4 3", highway="service"), min_piece_nodes=0)
    assert net.edge_ids == ["w7.0+", "w7.0-", "w7.1+", "w7.1-"]
    assert (report.missing_nodes, report.pieces, report.dropped_pieces) == (1, 2, 0)


def test_roads_open_to_nobody_are_left_out_and_counted(tmp_path: Path) -> None:
    net, report = read_with_report(
        tmp_path, way(7, "1 2", highway="service", access="private"), way(8, "2 3", highway="service")
    )
    assert net.edge_ids == ["w8.0+", "w8.0-"]
    assert (report.roads, report.closed) == (2, 1)


def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "town.osm.pbf"
    path.write_bytes(b"id,lon,lat\n1,2,3\n" * 50)
    with pytest.raises(InvalidFile, match=r"\A[^\n]*town\.osm\.pbf is no whole OpenStreetMap file[^\n]*\Z"):
        read_osm(path)


def test_a_truncated_extract_is_refused(tmp_path: Path) -> None:
    data = (shared("osm") / "monaco.osm.pbf").read_bytes()
    path = tmp_path / "half.osm.pbf"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InvalidFile, match="download it again"):
        read_osm(path)


def block_ends(data: bytes) -> list[int]:
    """Where each block of a PBF file ends: 4 bytes length, header, then as many bytes as its field 3 says."""
    ends, at = [], 0
    while at < len(data):
        head = data[at + 4 : at + 4 + int.from_bytes(data[at : at + 4], "big")]
        field, size, shift = head.rindex(b"\x18") + 1, 0, 0
        for byte in head[field:]:
            size |= (byte & 127) << shift
            shift += 7
        at += 4 + len(head) + size
        ends.append(at)
    return ends


@pytest.mark.parametrize("town", ["monaco", "porto"])
def test_an_extract_cut_between_two_blocks_is_refused(tmp_path: Path, town: str) -> None:
    data = (shared("osm") / f"{town}.osm.pbf").read_bytes()
    ends = block_ends(data)
    assert ends[-1] == len(data)
    path = tmp_path / "cut.osm.pbf"
    for end in ends[:-1]:
        path.write_bytes(data[:end])
        with pytest.raises(InvalidFile, match=r"\A[^\n]*cut\.osm\.pbf [^\n]*download it again[^\n]*\Z"):
            read_osm(path)


def test_an_extract_of_roads_alone_is_whole(tmp_path: Path) -> None:
    net, report = read_with_report(tmp_path, *CROSS)
    assert (net.n_edges, report.missing_nodes, report.restrictions) == (8, 0, 0)


@pytest.mark.parametrize("town", ["monaco", "porto"])
def test_real_towns_are_read_and_come_back_from_a_file(tmp_path: Path, town: str) -> None:
    net, report = read_osm(shared("osm") / f"{town}.osm.pbf")
    assert report.restrictions > 0
    assert len(set(net.edge_ids)) == net.n_edges == report.edges > report.roads
    first, second = net.forbidden_turn.T
    np.testing.assert_array_equal(net.to_node[first], net.from_node[second])
    net.save(tmp_path / "city.roads")
    assert RoadNetwork.load(tmp_path / "city.roads").edge_ids == net.edge_ids


@pytest.mark.parametrize("town", ["monaco", "porto"])
def test_no_car_goes_against_a_one_way_street_of_a_real_town(town: str) -> None:
    path = shared("osm") / f"{town}.osm.pbf"
    net, _ = read_osm(path, min_piece_nodes=0)
    allowed: dict[str, set[str]] = {"+": set(), "-": set()}
    for sign in ("+", "-"):
        allowed[sign] = {
            name.split(".")[0]
            for name, access in zip(net.edge_ids, net.access.tolist(), strict=True)
            if name.endswith(sign) and access & Access.CAR
        }
    along = against = 0
    for item in osmium.FileProcessor(path, osmium.osm.WAY):
        name, tags = f"w{item.id}", dict(item.tags)
        if tags.get("oneway") == "yes" or tags.get("junction") == "roundabout":
            assert name not in allowed["-"], tags
            along += name in allowed["+"]
        elif tags.get("oneway") == "-1":
            assert name not in allowed["+"], tags
            against += name in allowed["-"]
    assert along > 100


def test_contraflow_lanes_of_a_real_town_are_for_bicycles() -> None:
    net, _ = read_osm(shared("osm") / "porto.osm.pbf", min_piece_nodes=0)
    back = [e for e, r in enumerate(net.reverse.tolist()) if r >= 0 and net.access[e] != net.access[r]]
    assert len(back) > 0
    for e in back:
        assert (net.access[e] | net.access[net.reverse[e]]) & Access.FOOT
        assert not (net.access[e] & net.access[net.reverse[e]]) & Access.CAR


def test_restrictions_of_a_real_town_name_the_ways_of_their_relation() -> None:
    path = shared("osm") / "monaco.osm.pbf"
    net, report = read_osm(path)
    pairs = {(net.edge_ids[a].split(".")[0], net.edge_ids[b].split(".")[0]) for a, b in net.forbidden_turn}
    read = supported = 0
    for item in osmium.FileProcessor(path, osmium.osm.RELATION):
        tags = dict(item.tags)
        roles = {m.role: f"{m.type}{m.ref}" for m in item.members}
        if tags.get("type") != "restriction" or "restriction" not in tags or roles.get("via", "")[:1] != "n":
            continue
        read += 1
        barred = {b for a, b in pairs if a == roles["from"]}
        is_only = tags["restriction"].startswith("only_")
        supported += bool(barred - {roles["to"]}) if is_only else roles["to"] in barred
    assert read - report.restrictions_unusable <= supported <= read
