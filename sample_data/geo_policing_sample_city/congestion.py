"""How much traffic slows each way down, and when."""

import numpy as np
from numpy.typing import NDArray

from geo_policing.roads.network import RoadClass
from geo_policing_sample_city.ways import Ways

SLOT_S = 300.0
#: How strongly the hour is felt on each class.
FELT = {
    RoadClass.EXPRESSWAY: 0.5,
    RoadClass.EXPRESSWAY_RAMP: 0.7,
    RoadClass.ARTERIAL: 0.9,
    RoadClass.SECONDARY: 0.7,
    RoadClass.STREET: 0.5,
    RoadClass.RESIDENTIAL: 0.3,
}


def hour_load(hour: float) -> float:
    """Share by which the traffic of an hour of the day slows an arterial down: peaks at 8 and 18."""
    hour %= 24.0
    peaks = ((8.0, 0.8, 1.0), (12.3, 1.2, 0.3), (18.0, 1.1, 1.1), (14.0, 5.0, 0.25))
    return float(sum(high * np.exp(-(((hour - at) / wide) ** 2)) for at, wide, high in peaks))


def make_load(ways: Ways, start_hour: float, seconds: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Invent the congestion of a stretch of time.

    Returns
    -------
    (slots, w) float32
        A way is driven at its free speed divided by 1 + load, in slots of SLOT_S.
    """
    slots = int(seconds // SLOT_S) + 2
    network = ways.network
    felt = np.full(max(RoadClass) + 1, 0.1)
    for road_class, share in FELT.items():
        felt[road_class] = share
    usual = felt[network.road_class] * rng.lognormal(0.0, 0.45, network.n_edges)
    passing = rng.normal(0.0, 1.0, network.n_edges)
    x, y = (part[: network.n_edges] for part in ways.middle)
    load = np.empty((slots, network.n_edges), np.float32)
    for slot in range(slots):
        # What is jammed now is likely to be so five minutes later.
        passing = 0.8 * passing + 0.6 * rng.normal(0.0, 1.0, network.n_edges)
        load[slot] = hour_load(start_hour + slot * SLOT_S / 3600.0) * usual * np.exp(0.3 * passing)
    for _ in range(rng.poisson(5.0 * seconds / 3600.0)):
        at = int(rng.integers(network.n_edges))
        near = np.hypot(x - x[at], y - y[at]) < rng.uniform(250.0, 700.0)
        first = int(rng.integers(slots))
        load[first : first + int(rng.integers(2, 8)), near] += rng.uniform(0.7, 2.5)
    return load[:, ways.edge]
