"""Which roads are looked at, and that no sighting that may be false takes any away."""

from dataclasses import replace

import numpy as np
import pytest

from geo_policing.errors import InvalidInput
from geo_policing.model import TimeWindow
from geo_policing.tracks import MovementModel, reconstruct
from geo_policing.tracks.surroundings import Surroundings
from tests.matching.city import grid
from tests.tracks.test_reconstruct import at, seen


@pytest.fixture(scope="module")
def city():
    return grid(20)


def regions(found, moments):
    return [set(found.occupancy(at(second)).region(0.9).tolist()) for second in moments]


def test_a_false_first_sighting_does_not_narrow_where_one_may_have_come_from(city):
    true, window = seen(12, 12, 60), TimeWindow(at(0), at(60))
    misled = reconstruct(city, [seen(0, 0, 30, probability=0.5), true], window=window)
    alone = reconstruct(city, [true], window=window)
    assert misled.truth == pytest.approx([0.0, 1.0], abs=1e-6)
    assert regions(misled, (0, 30, 50)) == regions(alone, (0, 30, 50))


def test_a_false_last_sighting_does_not_narrow_where_one_may_have_gone_to(city):
    true, window = seen(12, 12, 0), TimeWindow(at(0), at(60))
    misled = reconstruct(city, [true, seen(0, 0, 30, probability=0.5)], window=window)
    alone = reconstruct(city, [true], window=window)
    assert misled.truth == pytest.approx([1.0, 0.0], abs=1e-6)
    assert regions(misled, (20, 40, 60)) == regions(alone, (20, 40, 60))


def test_before_an_interval_there_is_all_the_time_up_to_its_end(city):
    window, model = TimeWindow(at(0), at(65)), MovementModel.of()
    late, early = (
        Surroundings(city, [first, seen(5, 4, 65)], model, window).around([0], [1])
        for first in (seen(4, 4, 60), seen(4, 4, 0))
    )
    whole = Surroundings(city, [replace(seen(4, 4, 0), until=at(60)), seen(5, 4, 65)], model, window)
    assert early.sum() < late.sum()
    assert (whole.around([0], [1]) == late).all()


def test_an_interval_may_have_been_after_what_is_named_after_it(city):
    window, model = TimeWindow(at(0), at(40)), MovementModel.of()
    whole, second = replace(seen(4, 4, 0), until=at(40)), seen(7, 4, 2)
    both = Surroundings(city, [whole, second], model, window).between(2)
    after = Surroundings(city, [second, seen(4, 4, 40)], model, window).between(2)
    assert (after & ~both).sum() == 0


def test_sightings_that_are_false_for_sure_stand_in_nobodys_way(city):
    false = [seen(5, 5, 10 * k, probability=0.0) for k in (1, 2, 3, 4)]
    found = reconstruct(city, [seen(0, 0, 0), *false, seen(2, 0, 60)])
    assert found.truth == pytest.approx([1.0, 0.0, 0.0, 0.0, 0.0, 1.0])


def test_however_many_in_a_row_are_false_the_sure_ones_are_not_refused(city):
    false = [seen(5, 5 - k, k, probability=0.5) for k in (1, 2, 3)]
    found = reconstruct(city, [seen(0, 0, 0), *false, seen(1, 0, 30)])
    assert found.truth == pytest.approx([1.0, 0.0, 0.0, 0.0, 1.0])
    with pytest.raises(InvalidInput, match="cannot both be true"):
        reconstruct(city, [seen(0, 0, 0), *false, seen(19, 19, 30)])


def test_one_that_nobody_can_have_come_to_is_false_and_not_off_the_roads(city):
    ends = [seen(0, 0, 0), seen(1, 0, 20)]
    assert reconstruct(city, [*ends, seen(19, 19, 10, probability=0.5)]).truth[1] == 0.0
    with pytest.raises(InvalidInput, match="cannot both be true"):
        reconstruct(city, [*ends, seen(19, 19, 10)])


def test_what_only_rare_haste_leads_through_is_found_before_it_is_refused(city):
    """The few roads of the cell that both of the others lead to weigh nothing beside those near the last."""
    wide = seen(7, 10, 20, accuracy_m=1000.0)
    hasty = [seen(0, 10, 0), wide, seen(7, 10, 40)]
    forgetful = replace(MovementModel.of(), prune=3e-2)
    found = reconstruct(city, hasty, forgetful)
    assert found.truth == pytest.approx([1.0, 1.0, 1.0])
    assert np.isfinite(found.log_evidence)
