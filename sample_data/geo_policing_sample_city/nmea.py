"""NMEA 0183 sentences of what receivers observed, each with a TAG block that names the device.

Source: NMEA 0183 4.11, clauses 5.3 (checksum), 7 (TAG blocks) and 8.3 (sentences). The text is put
together in Python with the checksums left open; one compiled pass over the bytes fills them in.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing_sample_city.receivers import FIX, NO_TIME, Model, Observations
from geo_policing_sample_city.sky import Satellite, satellites

KNOT_MPS = 1852.0 / 3600.0
SYSTEM_ID = {"GP": "1", "GL": "2", "GA": "3", "GB": "4"}
#: GPS L1 C/A, GLONASS G1 C/A, Galileo E1, BeiDou B1I (4.11, table 19).
SIGNAL_ID = {"GP": "1", "GL": "1", "GA": "7", "GB": "1"}
#: Few receivers use more than this of one constellation.
CHANNELS = {"GP": 10, "GL": 7, "GA": 8, "GB": 16}
#: Height of the geoid above the ellipsoid here, metres.
GEOID_M = "-16.5"


class Epoch(NamedTuple):
    """One instant in the words of NMEA; fields are empty where there is nothing to say."""

    valid: bool
    clock: str
    date: str
    place: str = ",,,"
    knots: str = ""
    kmh: str = ""
    course: str = ""
    alt: str = ""
    hdop: str = "99.9"
    sigma: str = ""
    used: str = "00"
    modes: str = "N"
    status: str = ""


class Sky:
    """What the satellites look like above a place, and what is said of them.

    Parameters
    ----------
    lon, lat : float
        The place; over a city the sky is one.
    """

    def __init__(self, lon: float, lat: float) -> None:
        self._place = (lon, lat)
        self._view: dict[int, dict[str, list[Satellite]]] = {}
        self._used: dict[tuple[int, str, tuple[int, ...], str], list[str]] = {}
        self._seen: dict[tuple[int, str, int], list[str]] = {}

    def counts(self, model: Model, minute: int, openness: float) -> tuple[int, ...]:
        """How many satellites of each of its systems a receiver uses."""
        view = self._at(minute)
        return tuple(
            min(CHANNELS[system], max(round(len(view[system]) * openness), 2)) for system in model.systems
        )

    def gsa(self, model: Model, minute: int, counts: tuple[int, ...], hdop: str) -> list[str]:
        """GSA sentences of the satellites used, the highest first, twelve in a sentence."""
        key = (minute, model.talker + model.version, counts, hdop)
        told = self._used.get(key)
        if told is None:
            view = self._at(minute)
            told = self._used[key] = []
            for system, count in zip(model.systems, counts, strict=True):
                numbers = [satellite.number for satellite in view[system][:count]]
                if model.version == "4.0" and system == "GB" and model.talker == "GN":
                    numbers = [number + 200 for number in numbers]
                tail = f",{SYSTEM_ID[system]}" if model.version == "4.11" else ""
                for i in range(0, len(numbers), 12):
                    used = ",".join(f"{number:02d}" for number in numbers[i : i + 12])
                    empty = "," * max(12 - len(numbers[i : i + 12]), 0)
                    dop = f"{float(hdop) * 1.8:.1f},{hdop},{float(hdop) * 1.5:.1f}"
                    told.append(f"{model.talker}GSA,A,3,{used}{empty},{dop}{tail}")
        return told

    def gsv(self, model: Model, minute: int, openness: float) -> list[str]:
        """GSV sentences of the satellites in view; those behind buildings have no signal."""
        blocked = round((1.0 - openness) * 10)
        key = (minute, model.talker + model.version + "".join(model.systems), blocked)
        told = self._seen.get(key)
        if told is None:
            told = self._seen[key] = []
            for system in model.systems:
                talker = "BD" if system == "GB" and model.version == "4.0" else system
                view = self._at(minute)[system][: CHANNELS[system] + 4]
                pages = -(-len(view) // 4)
                tail = f",{SIGNAL_ID[system]}" if model.version == "4.11" else ""
                for page in range(pages):
                    some = ",".join(
                        _in_view(satellite, blocked, minute) for satellite in view[4 * page : 4 * page + 4]
                    )
                    told.append(f"{talker}GSV,{pages},{page + 1},{len(view):02d},{some}{tail}")
        return told

    def _at(self, minute: int) -> dict[str, list[Satellite]]:
        view = self._view.get(minute)
        if view is None:
            if len(self._view) > 64:  # a day has many minutes, and none comes back
                self._view.clear()
                self._used.clear()
                self._seen.clear()
            view = self._view[minute] = satellites(*self._place, minute * 60.0)
        return view


def _in_view(satellite: Satellite, blocked: int, minute: int) -> str:
    """Return number, elevation, azimuth and signal in dB-Hz of one satellite."""
    dip = (satellite.number * 7 + satellite.azimuth_deg // 5 + minute) % 9
    signal = 30 + satellite.elevation_deg // 5 - dip - blocked
    heard = satellite.elevation_deg > 10 + 5 * blocked
    return (
        f"{satellite.number:02d},{satellite.elevation_deg:02d},{satellite.azimuth_deg:03d},"
        f"{f'{signal:02d}' if heard else ''}"
    )


def write_epochs(device: str, observed: Observations, part: slice, sky: Sky) -> list[bytes]:
    """Sentences of some epochs of a device, one text an epoch, with all checksums right.

    Parameters
    ----------
    device : str
        Id for the TAG blocks.
    observed : Observations
        What its receiver measured.
    part : slice
        Which epochs, from a first to a last.
    sky : Sky
        Above the city, shared by all.
    """
    if part.start == part.stop:
        return []
    model = observed.model
    words = [(kind, f"{model.talker}{kind},", _SAY.get(kind)) for kind in model.sentences]
    # What satellites there are is said now and then, and when the position is found again.
    found_again = set((np.flatnonzero(np.diff(observed.state) > 0) + 1).tolist())
    every, tail = model.every, "*00\r\n"
    texts = []
    for index, (received_s, minute, openness, epoch, counts) in enumerate(
        _epochs(observed, part, sky), part.start
    ):
        tag = f"\\s:{device},c:{received_s}*00\\$"
        lines = []
        for kind, address, say in words:
            if say is not None:
                lines.append(f"{tag}{address}{say(epoch)}{tail}")
            elif epoch.valid and (index % every == 0 or index in found_again):
                told = (
                    sky.gsa(model, minute, counts, epoch.hdop)
                    if kind == "GSA"
                    else sky.gsv(model, minute, openness)
                )
                lines += [f"{tag}{line}{tail}" for line in told]
        texts.append("".join(lines))
    data = np.frombuffer(bytearray("".join(texts), "ascii"), np.uint8)
    _fill_checksums(data)
    ends = np.cumsum([0, *map(len, texts)]).tolist()
    whole = data.tobytes()
    return [whole[a:b] for a, b in pairwise(ends)]


def _epochs(
    o: Observations, part: slice, sky: Sky
) -> Iterator[tuple[int, int, float, Epoch, tuple[int, ...]]]:
    """Second of receipt, minute, openness, words and satellites used of each epoch."""
    scale = 10**o.model.decimals
    units = [np.rint(value[part] * 60 * scale).astype(np.int64) for value in (o.lat, o.lon)]
    status = ",V" if o.model.version == "4.11" else ""
    void = {"modes": "N" * len(o.model.systems), "status": status}
    day = ("", -1)
    for state, received, true_ms, time_ms, lat, lon, alt, speed, course, sigma, hdop, openness in zip(
        o.state[part].tolist(),
        o.received_ms[part].tolist(),
        o.true_ms[part].tolist(),
        o.time_ms[part].tolist(),
        *(unit.tolist() for unit in units),
        o.alt_m[part].tolist(),
        o.speed_mps[part].tolist(),
        o.course_deg[part].tolist(),
        o.sigma_m[part].tolist(),
        o.hdop[part].tolist(),
        o.openness[part].tolist(),
        strict=True,
    ):
        minute = true_ms // 60_000
        if state == NO_TIME:
            yield received // 1000, minute, openness, Epoch(False, "", "", **void), ()
            continue
        days, ms = divmod(time_ms, 86_400_000)
        if days != day[1]:
            day = (datetime.fromtimestamp(days * 86_400, UTC).strftime("%d%m%y"), days)
        s = ms // 1000
        clock = f"{s // 3600:02d}{s // 60 % 60:02d}{s % 60:02d}.{ms % 1000 // 10:02d}"
        if state != FIX:
            yield received // 1000, minute, openness, Epoch(False, clock, day[0], **void), ()
            continue
        counts = sky.counts(o.model, minute, openness)
        yield (
            received // 1000,
            minute,
            openness,
            Epoch(
                True,
                clock,
                day[0],
                f"{_angle(lat, scale, o.model.decimals, 2)},N,{_angle(lon, scale, o.model.decimals, 3)},E",
                f"{speed / KNOT_MPS:.2f}",
                f"{speed * 3.6:.1f}",
                f"{course:.1f}" if not math.isnan(course) else "",
                f"{alt:.1f}",
                f"{hdop:.1f}",
                f"{sigma:.1f}",
                f"{sum(counts):02d}",
                "A" * len(counts),
                status,
            ),
            counts,
        )


def _angle(units: int, scale: int, decimals: int, width: int) -> str:
    minutes, part = divmod(units, scale)
    return f"{minutes // 60:0{width}d}{minutes % 60:02d}.{part:0{decimals}d}"


def _rmc(e: Epoch) -> str:
    if not e.valid:
        return f"{e.clock},V,,,,,,,{e.date},,,N{e.status}"
    return f"{e.clock},A,{e.place},{e.knots},{e.course},{e.date},,,A{e.status}"


def _gga(e: Epoch) -> str:
    if not e.valid:
        return f"{e.clock},,,,,0,00,99.9,,,,,,"
    return f"{e.clock},{e.place},1,{e.used},{e.hdop},{e.alt},M,{GEOID_M},M,,"


def _gns(e: Epoch) -> str:
    if not e.valid:
        return f"{e.clock},,,,,{e.modes},00,99.9,,,,,V"
    return f"{e.clock},{e.place},{e.modes},{e.used},{e.hdop},{e.alt},{GEOID_M},,,V"


def _gll(e: Epoch) -> str:
    return f"{e.place},{e.clock},{'A,A' if e.valid else 'V,N'}"


def _vtg(e: Epoch) -> str:
    return f"{e.course},T,,M,{e.knots},N,{e.kmh},K,{'A' if e.valid else 'N'}"


def _zda(e: Epoch) -> str:
    day = f"{e.date[:2]},{e.date[2:4]},20{e.date[4:]}" if e.date else ",,"
    return f"{e.clock},{day},00,00"


def _gst(e: Epoch) -> str:
    return (
        f"{e.clock},{e.sigma},{e.sigma},{e.sigma},0.0,{e.sigma},{e.sigma},{e.sigma}"
        if e.valid
        else (f"{e.clock},,,,,,,")
    )


_SAY = {"RMC": _rmc, "GGA": _gga, "GNS": _gns, "GLL": _gll, "VTG": _vtg, "ZDA": _zda, "GST": _gst}


def _fill_checksums_loop(data: NDArray[Any]) -> None:
    r"""Write the two hexadecimal digits after each ``*``: the XOR of what stands since ``\`` or ``$``."""
    i = 0
    n = data.shape[0]
    while i < n:
        opened = data[i]
        i += 1
        if opened not in (36, 92):
            continue
        check = 0
        while data[i] != 42:
            check ^= data[i]
            i += 1
        for k in range(2):
            digit = (check >> (4 - 4 * k)) & 15
            data[i + 1 + k] = digit + (48 if digit < 10 else 55)
        i += 4 if opened == 92 else 3


_fill_checksums = njit(cache=True, nogil=True)(_fill_checksums_loop)
