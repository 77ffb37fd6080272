"""Fields of the sentences that tell where and when. Source: NMEA 0183 4.11, clause 8.3."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

NAN = math.nan
KNOT_MPS = 1852.0 / 3600.0
DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Report:
    """What one sentence says; None and NaN where it says nothing.

    ``clock_us`` is the time of day in microseconds; a leap second 60 counts into the next minute.
    ``position`` is (lon, lat, decimals of the minutes); ``valid`` is False where the sentence says that
    there is no fix.
    """

    clock_us: int | None = None
    day: date | None = None
    position: tuple[float, float, int] | None = None
    valid: bool = True
    alt_m: float = NAN
    speed_mps: float = NAN
    course_deg: float = NAN
    hdop: float = NAN
    sigma_m: float = NAN
    quality: int = 0
    satellites: int | None = None


def decimal(text: str) -> float:
    """Read a number; NaN when the field is empty. Nothing that a receiver measures reaches 1e9."""
    value = float(text) if text else NAN
    if abs(value) >= 1e9:
        raise ValueError(text)
    return value


def course(text: str) -> float:
    """Degrees clockwise from north in [0, 360), whatever a receiver says; NaN when the field is empty.

    What rounding would make 360, in two decimals or in 32 bits, is north.
    """
    value = decimal(text) % 360.0  # of -1e-30 it is 360.0
    return 0.0 if value >= 359.994 else value


def count(text: str) -> int | None:
    """Read a number of satellites; None when the field is empty."""
    if text and not text.isdigit():
        raise ValueError(text)
    return int(text) if text else None


def clock(text: str) -> int | None:
    """Microseconds of the day of ``hhmmss[.sss]``."""
    if not text:
        return None
    whole, _, part = text.partition(".")
    if len(whole) != 6 or not (whole + part).isdigit():
        raise ValueError(text)
    hours, minutes, seconds = int(whole[:2]), int(whole[2:4]), int(whole[4:])
    if hours > 23 or minutes > 59 or seconds > 60:
        raise ValueError(text)
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + int(part[:6].ljust(6, "0"))


def angle(text: str, half: str, negative: str) -> tuple[float, int]:
    """Degrees and decimals of the minutes of ``d…dmm.mmm`` and its hemisphere."""
    whole, _, part = text.partition(".")
    if not (3 <= len(whole) <= 5) or not (whole + part).isdigit() or len(half) != 1:
        raise ValueError(text)
    minutes = float(whole[-2:] + "." + (part or "0"))
    if minutes >= 60:
        raise ValueError(text)
    degrees = int(whole[:-2]) + minutes / 60.0
    return (-degrees if half == negative else degrees), len(part)


def place(lat: str, north: str, lon: str, east: str) -> tuple[float, float, int] | None:
    """Position of four fields, None when they are empty."""
    if not lat or not lon:
        return None
    if north not in {"N", "S"} or east not in {"E", "W"}:
        raise ValueError(north + east)
    y, digits = angle(lat, north, "S")
    x, _ = angle(lon, east, "W")
    if abs(x) > 180 or abs(y) > 90:
        raise ValueError(lat)
    return x, y, digits


def _field(fields: tuple[str, ...], index: int) -> str:
    return fields[index] if index < len(fields) else ""


def rmc(f: tuple[str, ...]) -> Report:
    """``hhmmss.ss,A,llll.ll,a,yyyyy.yy,a,knots,course,ddmmyy,magnetic,a[,mode[,status]]``."""
    text = f[8]
    day = None
    if text:
        year = int(text[4:6])
        day = date(year + (2000 if year < 80 else 1900), int(text[2:4]), int(text[:2]))
    valid = f[1] == "A" and _field(f, 11) != "N"
    return Report(
        clock_us=clock(f[0]),
        day=day,
        position=place(f[2], f[3], f[4], f[5]) if valid else None,
        valid=valid,
        speed_mps=decimal(f[6]) * KNOT_MPS if valid else NAN,
        course_deg=course(f[7]) if valid else NAN,
    )


def gga(f: tuple[str, ...]) -> Report:
    """``hhmmss.ss,llll.ll,a,yyyyy.yy,a,quality,satellites,hdop,altitude,M,…``."""
    quality = int(f[5] or 0)
    valid = quality > 0
    return Report(
        clock_us=clock(f[0]),
        position=place(f[1], f[2], f[3], f[4]) if valid else None,
        valid=valid,
        quality=quality,
        satellites=count(f[6]),
        hdop=decimal(f[7]),
        alt_m=decimal(f[8]) if valid else NAN,
    )


#: GGA quality of a GNS mode letter; the best constellation counts.
_GNS_QUALITY = {"N": 0, "E": 6, "M": 7, "S": 8, "A": 1, "D": 2, "P": 2, "F": 5, "R": 4}
_GNS_ORDER = "NSMEAPDFR"


def gns(f: tuple[str, ...]) -> Report:
    """``hhmmss.ss,llll.ll,a,yyyyy.yy,a,modes,satellites,hdop,altitude,…``, one mode a constellation."""
    mode = max(f[5] or "N", key=_GNS_ORDER.find)
    quality = _GNS_QUALITY.get(mode, 0)
    valid = quality > 0
    return Report(
        clock_us=clock(f[0]),
        position=place(f[1], f[2], f[3], f[4]) if valid else None,
        valid=valid,
        quality=quality,
        satellites=count(f[6]),
        hdop=decimal(f[7]),
        alt_m=decimal(f[8]) if valid else NAN,
    )


def gll(f: tuple[str, ...]) -> Report:
    """``llll.ll,a,yyyyy.yy,a,hhmmss.ss,A[,mode]``; the oldest receivers end at the longitude."""
    valid = _field(f, 5) in {"A", ""} and _field(f, 6) != "N"
    return Report(
        clock_us=clock(_field(f, 4)),
        position=place(f[0], f[1], f[2], f[3]) if valid else None,
        valid=valid,
    )


def vtg(f: tuple[str, ...]) -> Report:
    """``course,T,course,M,knots,N,km/h,K[,mode]``, or before NMEA 2.3 the numbers without letters."""
    if _field(f, 1) == "T":
        knots, kmh = _field(f, 4), _field(f, 6)
    else:
        knots, kmh = _field(f, 2), _field(f, 3)
    speed = decimal(kmh) / 3.6 if kmh else decimal(knots) * KNOT_MPS
    return Report(speed_mps=speed, course_deg=course(f[0]), valid=_field(f, 8) != "N")


def zda(f: tuple[str, ...]) -> Report:
    """``hhmmss.ss,dd,mm,yyyy,zone hours,zone minutes``."""
    day = date(int(f[3]), int(f[2]), int(f[1])) if f[1] and f[2] and f[3] else None
    if day is not None and not 1970 <= day.year < 2170:
        raise ValueError(f[3])
    return Report(clock_us=clock(f[0]), day=day)


def gst(f: tuple[str, ...]) -> Report:
    """``hhmmss.ss,rms,major,minor,orientation,sigma lat,sigma lon,sigma alt``, metres."""
    return Report(clock_us=clock(f[0]), sigma_m=math.hypot(decimal(f[5]), decimal(f[6])))


READERS: dict[str, Callable[[tuple[str, ...]], Report]] = {
    "RMC": rmc,
    "GGA": gga,
    "GNS": gns,
    "GLL": gll,
    "VTG": vtg,
    "ZDA": zda,
    "GST": gst,
}

BEIDOU_TALKERS = frozenset({"GB", "BD"})
#: NMEA system id of BeiDou (4.11, table 20).
BEIDOU_SYSTEM = "4"


def beidou_used(talker: str, f: tuple[str, ...]) -> tuple[str, int]:
    """GSA: (key of the constellation it is about, BeiDou satellites used).

    A receiver sends one GSA a constellation. Which, says the system id of 4.11, else the talker, else the
    numbers: 201 to 263 and 401 to 463 are how receivers before 4.11 wrote BeiDou's 1 to 63.
    """
    used = [int(number) for number in f[2:14] if number]
    system = _field(f, 17)
    if len(system) == 1:  # longer is something of the maker's own
        return system, len(used) if system == BEIDOU_SYSTEM else 0
    if talker in BEIDOU_TALKERS:
        return BEIDOU_SYSTEM, len(used)
    of_beidou = [n for n in used if 201 <= n <= 263 or 401 <= n <= 463]
    return (BEIDOU_SYSTEM if of_beidou else talker), len(of_beidou)


def at(day: date, clock_us: int) -> int:
    """Microseconds of UTC of a date and a time of day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000 + clock_us
