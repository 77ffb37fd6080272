"""The sentences of one receiver, gathered by instant into fixes.

Receivers say one instant in several sentences. A fix is told when its instant is known to be complete:
another begins, the receiver sends the sentence that ended its last instants, or the line falls quiet.
"""

import math
from dataclasses import dataclass, field
from datetime import date, timedelta

from geo_policing.ingest.nmea0183.framing import Sentence
from geo_policing.ingest.nmea0183.satellites import BeidouSatellites
from geo_policing.ingest.nmea0183.sentences import DAY_US, READERS, Report, at
from geo_policing.model import Fix

#: User equivalent range error of a single-frequency receiver in the open, metres, 1 sigma
#: (GPS SPS Performance Standard 2020, table B.2-1, rounded); accuracy is HDOP times this without a GST.
UERE_M = 5.0
HALF_DAY_US = DAY_US // 2
WEEKS_1024_US = 1024 * 7 * DAY_US


@dataclass(slots=True)
class Counts:
    """What became of sentences that were framed right."""

    fixes: int = 0
    unreadable: int = 0
    undated: int = 0
    ignored: int = 0


@dataclass(slots=True)
class _Epoch:
    """One instant while it is being told."""

    clock_us: int
    day: date | None = None
    position: tuple[float, float, int] | None = None
    made_of: list[str] = field(default_factory=list)
    alt_m: float = math.nan
    speed_mps: float = math.nan
    course_deg: float = math.nan
    hdop: float = math.nan
    sigma_m: float = math.nan
    quality: int = 0
    satellites: int = 0
    tag_us: int = 0
    told: bool = False


class Receiver:
    """One receiver's sentences, in order."""

    def __init__(self, device: str, counts: Counts) -> None:
        self._device = device
        self._counts = counts
        self._epoch: _Epoch | None = None
        self._dated: tuple[date, int] | None = None
        self._motion: Report | None = None
        self._instant = 0  # how many there were
        self._beidou = BeidouSatellites()
        self._spoken: dict[str, int] = {}  # how often this instant had each address
        self._last = ("", 0)  # address of the last sentence, and how often the instant had it
        self._ender = ("", 0)  # the one that ended the last instant
        self._trusted = ("", 0)  # the one that ended the last two

    def take(self, sentence: Sentence, received_us: int) -> list[Fix]:
        """Take in a sentence; return the fixes that it completes."""
        talker, kind = sentence.address[:2], sentence.address[2:]
        reader = READERS.get(kind)
        try:
            if kind == "GSA":
                follows = self._last[0].endswith("GSA")
                self._beidou.gsa(talker, sentence.fields, self._instant, follows_gsa=follows)
            elif kind == "GSV":
                self._beidou.gsv(talker, sentence.fields, self._instant)
            elif reader is None:
                self._counts.ignored += 1
                return []
            report = reader(sentence.fields) if reader else Report()
        except (ValueError, IndexError, OverflowError):
            self._counts.unreadable += 1
            return []
        done: list[Fix] = []
        epoch = self._epoch
        if report.clock_us is not None and (epoch is None or epoch.clock_us != report.clock_us):
            done += self._close(received_us)
            # Only a sentence that ended two instants in a row is trusted to end the next.
            self._trusted = self._last if self._last == self._ender else ("", 0)
            self._ender = self._last
            epoch = self._epoch = _Epoch(report.clock_us)
            self._instant += 1
            self._spoken.clear()
            if self._motion is not None:
                self._merge(epoch, "VTG", self._motion)
                self._motion = None
        if kind == "VTG" and (epoch is None or epoch.told):
            self._motion = report
        elif epoch is not None and reader is not None:
            self._merge(epoch, kind, report)
            epoch.tag_us = sentence.tag_us or epoch.tag_us
        address = sentence.address
        self._spoken[address] = self._spoken.get(address, 0) + 1
        self._last = (address, self._spoken[address])
        if epoch is not None and not epoch.told and self._last == self._trusted:
            done += self._close(received_us)
        return done

    def flush(self, received_us: int) -> list[Fix]:
        """Tell the instant at hand: the line is quiet or at its end."""
        return self._close(received_us)

    def _merge(self, epoch: _Epoch, kind: str, report: Report) -> None:
        if report.day is not None:
            epoch.day = report.day
        if not report.valid:
            return
        if report.position is not None and (
            epoch.position is None or report.position[2] >= epoch.position[2]
        ):
            epoch.position = report.position
        if kind not in epoch.made_of:
            epoch.made_of.append(kind)
        for name in ("alt_m", "speed_mps", "course_deg", "hdop", "sigma_m"):
            value = getattr(report, name)
            if not math.isnan(value):
                setattr(epoch, name, value)
        epoch.quality = report.quality or epoch.quality
        epoch.satellites = epoch.satellites if report.satellites is None else report.satellites

    def _close(self, received_us: int) -> list[Fix]:
        epoch = self._epoch
        if epoch is None or epoch.told:
            return []
        epoch.told = True
        day = self._date(epoch, received_us)
        if epoch.position is None:
            return []
        if day is None:
            self._counts.undated += 1
            return []
        lon, lat, _ = epoch.position
        self._counts.fixes += 1
        accuracy = epoch.hdop * UERE_M if math.isnan(epoch.sigma_m) else epoch.sigma_m
        return [
            Fix(
                device=self._device,
                time=_unrolled(at(day, epoch.clock_us), received_us),
                lon=lon,
                lat=lat,
                alt_m=epoch.alt_m,
                speed_mps=epoch.speed_mps,
                course_deg=epoch.course_deg,
                accuracy_m=accuracy,
                quality=min(epoch.quality or 1, 255),
                satellites=min(epoch.satellites, 255),
                beidou_satellites=min(self._beidou.count(self._instant), 255),
                source="nmea0183",
                received=received_us,
                sentence="+".join(epoch.made_of),
            )
        ]

    def _date(self, epoch: _Epoch, received_us: int) -> date | None:
        """Date of an instant: its own, else by the last dated one, else by the TAG block, else by receipt."""
        day = epoch.day
        if day is None and self._dated is not None:
            day, clock_us = self._dated
            if epoch.clock_us < clock_us - HALF_DAY_US:
                day += timedelta(days=1)
            elif epoch.clock_us > clock_us + HALF_DAY_US:
                day -= timedelta(days=1)
        if day is None and (near_us := epoch.tag_us or received_us):
            midnight = near_us - near_us % DAY_US
            best = min(
                (midnight + d * DAY_US for d in (-1, 0, 1)), key=lambda m: abs(m + epoch.clock_us - near_us)
            )
            # Not remembered: a date that a sentence says must win over one that was inferred.
            return date(1970, 1, 1) + timedelta(days=best // DAY_US)
        if day is not None:
            self._dated = (day, epoch.clock_us)
        return day


def _unrolled(time_us: int, received_us: int) -> int:
    """Undo a GPS week rollover: only when whole rollovers bring the time to within a day of its receipt.

    An old log that is replayed is not touched, nor a receiver whose clock is merely wrong.
    """
    if not received_us:
        return time_us
    weeks = round((received_us - time_us) / WEEKS_1024_US)
    moved = time_us + weeks * WEEKS_1024_US
    return moved if weeks > 0 and abs(moved - received_us) < DAY_US else time_us
