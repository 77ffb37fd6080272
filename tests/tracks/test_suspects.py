"""How well tracks that are known fit the sightings of a suspect."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from geo_policing.errors import InvalidInput
from geo_policing.matching import Matcher
from geo_policing.model import Sighting, Watch, geojson_rows, read_rows
from geo_policing.roads import Access
from geo_policing.tracks.suspects import Suspects, Way, ranked
from tests.matching.city import LAT, LON, STEP, drive, grid
from tests.tracks import thefts

BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
EPOCH_US = int(BEGIN.timestamp() * 1e6)
ROUTE = ["0>1", "1>2", "2>8", "8>14", "14>15"]


@pytest.fixture(scope="module")
def town():
    return grid()


def matched(network, times, lon, lat):
    return Matcher(network).match(times, lon, lat)


def driven(network, route=ROUTE, late_s=0.0, spacing_m=20.0):
    """A match of a drive at 10 m/s along a route."""
    lon, lat = drive(network, route, spacing_m=spacing_m)
    return matched(network, late_s + 0.1 * spacing_m * np.arange(len(lon)), lon, lat)


def at(seconds):
    return BEGIN + timedelta(seconds=seconds)


def plain_at(way, moment):
    """Plain loops: the last stretch that has begun and has not ended."""
    found = (-1, 0.0, 0.0)
    for k in range(len(way.start_s)):
        if way.start_s[k] <= moment <= way.end_s[k]:
            took = way.end_s[k] - way.start_s[k]
            part = min(max((moment - way.start_s[k]) / max(took, 1e-9), 0.0), 1.0)
            found = (way.edge[k], way.start_m[k] + part * (way.end_m[k] - way.start_m[k]), way.sure[k])
    return found


def test_a_way_is_where_plain_loops_say_at_every_moment(town):
    way = Way.of(driven(town), town)
    moments = np.arange(-10.0, 130.0, 0.7)
    for moment, edge, along_m, sure in zip(moments.tolist(), *way.at(moments), strict=True):
        assert (edge, along_m, sure) == pytest.approx(plain_at(way, moment))


def test_a_way_passes_the_places_of_the_fixes(town):
    match = driven(town)
    placed = match.edge >= 0
    edge, along_m, sure = Way.of(match, town).at(match.time[placed])
    assert (sure == 1.0).all()
    same = edge == match.edge[placed]
    assert same.mean() > 0.9
    assert along_m[same] == pytest.approx(match.offset_m[placed][same], abs=6.0)


def test_nothing_is_known_before_the_first_fix_and_after_the_last(town):
    match = driven(town)
    edge, _, sure = Way.of(match, town).at(np.array([-1.0, match.time[-1] + 1.0]))
    assert edge.tolist() == [-1, -1]
    assert sure.tolist() == [0.0, 0.0]


def test_what_is_inferred_across_a_gap_is_believed_as_its_confidence_says(town):
    lon, lat = drive(town, ROUTE, spacing_m=20.0)
    kept = np.r_[0:12, 35 : len(lon)]
    match = matched(town, 2.0 * kept, lon[kept], lat[kept])
    inferred = [piece for piece in match.pieces if piece.inferred]
    _, _, sure = Way.of(match, town).at(np.array([2.0 * 20]))
    assert sure[0] == pytest.approx(inferred[0].confidence if inferred else 1.0)


def exact(town, match, sighting, total_m):
    """The formula by hand: the mean over the clocks of the density at the place, times all roads."""
    way = Way.of(match, town)
    lattice = Suspects(town, [sighting])._lattice
    (x,), (y,) = town.plane.forward(sighting.lon, sighting.lat)
    near = lattice.near(x, y, sighting.accuracy_m)
    density = near / sum(n * m for n, m in zip(near, lattice.bin_m, strict=True))
    total = weights = 0.0
    for k in range(13):
        offset = 4.0 * (-3.0 + 0.5 * k)
        weight = math.exp(-0.5 * (offset / 4.0) ** 2)
        edge, along, sure = plain_at(way, (sighting.time - BEGIN).total_seconds() + offset)
        value = 0.0
        for b in range(len(lattice)):
            end = lattice.start_m[b] + lattice.bin_m[b]
            if lattice.edge[b] == edge and lattice.start_m[b] <= along < end:
                value = density[b] * total_m
        total += weight * (sure * value + 1.0 - sure)
        weights += weight
    p = min(sighting.probability, 0.999)
    return math.log(p * total / weights + 1.0 - p)


@pytest.mark.parametrize("probability", [0.3, 0.9, 1.0])
@pytest.mark.parametrize("after_s", [0, 21, 44, 61])
def test_a_sighting_weighs_what_the_formula_says(town, probability, after_s):
    match = driven(town)
    sighting = Sighting(at(after_s), LON + STEP, LAT, probability=probability)
    found = Suspects(town, [sighting]).fit(match, EPOCH_US)
    expected = exact(town, match, sighting, float(town.length_m.sum()))
    assert found.log_odds == pytest.approx(expected, abs=1e-9)
    assert found.sightings[0].log_odds == found.log_odds


def test_who_is_there_at_the_time_fits_and_who_comes_later_or_the_other_way_does_not(town):
    route = ["0>1", "1>2", "2>3", "3>4", "4>5"]
    back = ["5>4", "4>3", "3>2", "2>1", "1>0"]
    on_time, late, against = driven(town, route), driven(town, route, late_s=30.0), driven(town, back)
    moment = 48.0  # the middle of the third edge, for both directions
    sighting = Sighting(at(moment), LON + 2.5 * STEP, LAT, probability=0.9, edge="2>3")
    suspects = Suspects(town, [sighting])
    fits = {
        "on time": suspects.fit(on_time, EPOCH_US),
        "late": suspects.fit(late, EPOCH_US),
        "against": suspects.fit(against, EPOCH_US),
    }
    assert ranked(fits)[0] == "on time"
    assert fits["on time"].log_odds > 2.0
    assert fits["on time"].sightings[0].probability > 0.95
    for name in ("late", "against"):
        assert fits[name].log_odds == pytest.approx(math.log(0.1), abs=0.3)
    without_edge = Suspects(town, [Sighting(at(moment), LON + 2.5 * STEP, LAT, probability=0.9)])
    assert without_edge.fit(against, EPOCH_US).log_odds > 2.0


def test_who_was_not_heard_of_at_the_time_is_neither_likelier_nor_less_likely(town):
    sighting = Sighting(at(5000), LON + STEP, LAT, probability=0.7)
    found = Suspects(town, [sighting]).fit(driven(town), EPOCH_US)
    assert found.log_odds == pytest.approx(0.0)
    assert found.sightings[0].probability == pytest.approx(0.7)


def test_an_interval_counts_with_its_whole_length(town):
    match = driven(town)
    short = Sighting(at(18), LON + STEP, LAT, until=at(22))
    long = Sighting(at(0), LON + STEP, LAT, until=at(100))
    weights = [Suspects(town, [one]).fit(match, EPOCH_US).log_odds for one in (short, long)]
    assert weights[0] > weights[1] > 0.0


def test_a_watch_in_vain_speaks_against_who_passed_it(town):
    seen = Sighting(at(20), LON + STEP, LAT)
    passed = Watch(at(0), at(100), LON + 1.5 * STEP, LAT, radius_m=60.0, detection=0.9)
    elsewhere = Watch(at(0), at(100), LON + 5 * STEP, LAT + 5 * STEP, radius_m=60.0, detection=0.9)
    later = Watch(at(200), at(300), LON + 1.5 * STEP, LAT, radius_m=60.0, detection=0.9)
    match = driven(town)
    unseen = [Suspects(town, [seen], [w]).fit(match, EPOCH_US).unseen for w in (passed, elsewhere, later)]
    assert unseen == pytest.approx([math.log(0.1), 0.0, 0.0], abs=1e-6)


def test_a_track_without_fixes_fits_nothing_better_or_worse(town):
    found = Suspects(town, [Sighting(at(0), LON, LAT, probability=0.5)])
    assert found.fit(matched(town, np.empty(0), np.empty(0), np.empty(0)), EPOCH_US).log_odds == 0.0


def test_sightings_off_the_roads_and_none_at_all_are_refused(town):
    with pytest.raises(InvalidInput, match="no sightings; give at least one"):
        Suspects(town, [])
    with pytest.raises(InvalidInput, match="is off the roads"):
        Suspects(town, [Sighting(at(0), LON + 0.5, LAT)])
    with pytest.raises(InvalidInput, match="is off the roads"):
        Suspects(town, [Sighting(at(0), LON, LAT), Sighting(at(0), LON + 0.5, LAT)])


@pytest.mark.parametrize(("every_s", "noise_m"), [(5.0, 4.0), (30.0, 10.0), (60.0, 10.0)])
def test_the_thief_fits_best_among_the_fleet_and_those_who_took_the_same_way(every_s, noise_m):
    network = thefts.roads()
    seen, watched = read_rows(geojson_rows(thefts.sightings()))
    suspects = Suspects(network, seen, watched)
    matcher = Matcher(network, access=Access.CAR)
    fleet = thefts.fleet()
    tracks = {name: fleet.take(fleet.device == name) for name in sorted(set(fleet.device))}
    tracks["thief"] = thefts.thief(every_s=every_s, noise_m=noise_m)
    for later_s in (-600, -120, -45, 45, 120, 600):
        tracks[f"later {later_s}"] = thefts.thief(later_s=later_s, seed=later_s + 1000)
    tracks["half of the way"] = thefts.thief(until=0.5, seed=9)
    fits = {}
    for name, fixes in tracks.items():
        ordered = fixes.take(np.argsort(fixes.time, kind="stable"))
        epoch_us = int(ordered.time[0])
        match = matcher.match(
            (ordered.time - epoch_us) / 1e6, ordered.lon, ordered.lat, accuracy_m=ordered.accuracy_m
        )
        fits[name] = suspects.fit(match, epoch_us)
    assert ranked(fits)[:2] == ["thief", "half of the way"]
    assert sum(fit.probability > 0.9 for fit in fits["thief"].sightings) >= 4
    assert all(fits[name].log_odds < 2.0 for name in fits if name not in ("thief", "half of the way"))
