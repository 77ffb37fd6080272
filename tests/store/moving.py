"""Devices that move through a small town over some days, for the tests of the history."""

import numpy as np

from geo_policing.model import FixColumns
from geo_policing.model.fix import NAN

DAY_US = 86_400_000_000
#: 2026-03-01, days since 1970.
FIRST_DAY = 20_513
T = FIRST_DAY * DAY_US


def walks(rng, devices=4, days=2, fixes=60):
    """Return fixes as they arrive: each device walks some stretches a day, one of them over midnight."""
    columns = []
    for device in range(devices):
        for day in range(days):
            for start_s in (*rng.integers(0, 80_000, 2).tolist(), 86_400 - 10 * fixes // 2):
                seconds = start_s + np.cumsum(rng.integers(1, 20, fixes))
                angle = np.cumsum(rng.normal(0, 0.5, fixes))
                lon = 113.13 + rng.normal(0, 0.01) + np.cumsum(np.cos(angle)) * 2e-4
                lat = 27.83 + rng.normal(0, 0.01) + np.cumsum(np.sin(angle)) * 2e-4
                columns.append(
                    (np.full(fixes, f"d{device}", object), T + day * DAY_US + seconds * 1_000_000, lon, lat)
                )
    device, time, lon, lat = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return fixes_at(device, time, lon.round(7), lat.round(7)).take(np.argsort(time, kind="stable"))


def fixes_at(device, time, lon, lat):
    """Return fixes with everything else as a receiver of a patrol car says it."""
    n = len(time)
    return FixColumns(
        device=device,
        time=time,
        lon=lon,
        lat=lat,
        alt_m=np.full(n, 63.5, np.float32),
        speed_mps=np.full(n, 8.25, np.float32),
        course_deg=np.full(n, NAN, np.float32),
        accuracy_m=np.full(n, 2.5, np.float32),
        quality=np.full(n, 4, np.uint8),
        satellites=np.full(n, 30, np.uint8),
        beidou_satellites=np.full(n, 18, np.uint8),
        cell=np.zeros(n, np.uint64),
        source=np.full(n, "nmea0183:tcp:7001", object),
        received=time + 250_000,
    )


def rows(fixes):
    """Return fixes as sorted tuples, to compare what two ways of keeping them give."""
    names = ("device", "time", "lon", "lat", "speed_mps", "quality", "source", "received")
    return sorted(zip(*(getattr(fixes, name).tolist() for name in names), strict=True))
