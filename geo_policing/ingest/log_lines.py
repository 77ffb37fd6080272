r"""Lines of a receiver's log: who said them and when, and the same lines with other times in them.

The time of a line is that of its TAG block (``\c:…``, when it was received), or else that of its first
sentence, dated by the last RMC or ZDA of the same source. Restamping rewrites the times of day, the dates and
the TAG times, with their checksums; all else, broken sentences and binary junk included, stays as it was.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import xor

from geo_policing.ingest.nmea0183.sentences import DAY_US, READERS, at
from geo_policing.model import from_us

#: Field of the time of day, by kind of sentence.
_CLOCK_FIELD = {"RMC": 0, "GGA": 0, "GNS": 0, "GLL": 4, "ZDA": 0, "GST": 0}
_RMC_DATE = 8
_BLOCK = re.compile(rb"\\([^\\$!\r\n]{1,120})\*([0-9A-Fa-f]{2})\\")
_SENTENCE = re.compile(rb"\$([ -#%-)+-\[\]-~]{5,400})\*([0-9A-Fa-f]{2})")
_SOURCE = re.compile(rb"(?:^|,)s:([^,]+)")
_GROUP = re.compile(rb"(?:^|,)g:\d{1,2}-\d{1,2}-(\d{1,6})(?=,|$)")
_TIME = re.compile(rb"(?:^|,)c:(\d{1,14})(?=,|$)")
#: TAG times below are seconds, from here on milliseconds.
_MILLISECONDS_FROM = 100_000_000_000


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line.

    Parameters
    ----------
    data : bytes
        As it stands in the log, with its end.
    source : str
        Who said it, of its TAG block; empty without one.
    time : int or None
        Microseconds of UTC; None when it tells no time.
    tag_us : int or None
        Of that, what the TAG block says.
    """

    data: bytes
    source: str
    time: int | None
    tag_us: int | None


class LogReader:
    """Reads the lines of one log in order; remembers the date of each source."""

    def __init__(self) -> None:
        self._dated: dict[str, tuple[date, int]] = {}
        self._group = (b"", "")

    def read(self, data: bytes) -> LogLine:
        """Read one line; its sentences only when no TAG block says when it was."""
        source, tag_us = "", None
        block = _BLOCK.search(data)
        if block is not None and _is_right(block):
            if said := _SOURCE.search(block[1]):
                source = said[1].decode("ascii", "replace")
            if group := _GROUP.search(block[1]):
                # The first line of a group says who speaks in all of it; they follow each other.
                if source:
                    self._group = group[1], source
                elif group[1] == self._group[0]:
                    source = self._group[1]
            if told := _TIME.search(block[1]):
                tag_us = _tag_us(int(told[1]))
        if tag_us is not None:
            return LogLine(data, source, tag_us, tag_us)
        _, time = next(self._clocks(data, source, None), (None, None))
        return LogLine(data, source, time, None)

    def restamped(self, line: LogLine, moved: Callable[[int], int], *, decimals: int = 0) -> bytes:
        """Return a line with each of its times moved.

        Parameters
        ----------
        line : LogLine
            The line that was read last.
        moved : callable
            From a time in the log to the time to write, both in microseconds of UTC.
        decimals : int
            Decimals of the seconds to write at least; a receiver's own when it has more.
        """
        parts, done = [], 0
        for sentence, time in self._clocks(line.data, line.source, line.tag_us):
            try:
                new = _signed(_retimed(sentence[1].decode("ascii"), moved(time), decimals))
            except OverflowError:
                # Moved out of all years; the receiver's clock was absurd and stays so.
                continue
            parts += [line.data[done : sentence.start()], b"$", new]
            done = sentence.end()
        parts.append(line.data[done:])
        return _BLOCK.sub(lambda block: _moved_block(block, moved), b"".join(parts))

    def _clocks(self, data: bytes, source: str, tag_us: int | None) -> Iterator[tuple[re.Match[bytes], int]]:
        """Yield each right sentence that tells the time, with the instant that it is about."""
        for sentence in _SENTENCE.finditer(data):
            time = self._time(sentence, source, tag_us) if _is_right(sentence) else None
            if time is not None:
                yield sentence, time

    def _time(self, sentence: re.Match[bytes], source: str, tag_us: int | None) -> int | None:
        """Return the instant that a sentence is about."""
        address, *fields = sentence[1].decode("ascii").split(",")
        kind = address[2:]
        if kind not in _CLOCK_FIELD:
            return None
        try:
            report = READERS[kind](tuple(fields))
        except (ValueError, IndexError, OverflowError):
            return None
        if report.clock_us is None:
            return None
        day = report.day or self._day(source, report.clock_us, tag_us)
        self._dated[source] = (day, report.clock_us)
        return at(day, report.clock_us)

    def _day(self, source: str, clock_us: int, tag_us: int | None) -> date:
        if source in self._dated:
            day, before_us = self._dated[source]
            return day + timedelta(days=round((before_us - clock_us) / DAY_US))
        near_us = tag_us or 0
        days = round((near_us - clock_us) / DAY_US)
        return date(1970, 1, 1) + timedelta(days=max(days, 0))


def _is_right(match: re.Match[bytes]) -> bool:
    return reduce(xor, match[1]) == int(match[2], 16)


def _signed(body: str) -> bytes:
    data = body.encode("ascii")
    return b"%b*%02X" % (data, reduce(xor, data))


def _tag_us(number: int) -> int:
    return number * (1_000_000 if number < _MILLISECONDS_FROM else 1_000)


def _moved_block(block: re.Match[bytes], moved: Callable[[int], int]) -> bytes:
    if not _is_right(block):
        return block[0]

    def retime(told: re.Match[bytes]) -> bytes:
        number = int(told[1])
        unit_us = 1_000_000 if number < _MILLISECONDS_FROM else 1_000
        return told[0][: -len(told[1])] + b"%d" % (moved(_tag_us(number)) // unit_us)

    body = _TIME.sub(retime, block[1])
    return b"\\%b\\" % _signed(body.decode("latin-1"))


def _retimed(body: str, time: int, decimals: int) -> str:
    """Return a sentence with another time, and date where it has one."""
    address, *fields = body.split(",")
    kind = address[2:]
    then = from_us(time)
    index = _CLOCK_FIELD[kind]
    digits = max(len(fields[index].partition(".")[2]), decimals)
    part = f".{then.microsecond:06d}"[: digits + 1] if digits else ""
    fields[index] = f"{then:%H%M%S}{part}"
    if kind == "RMC" and fields[_RMC_DATE]:
        fields[_RMC_DATE] = f"{then:%d%m%y}"
    elif kind == "ZDA" and all(fields[1:4]):
        fields[1:4] = f"{then:%d}", f"{then:%m}", f"{then:%Y}"
    return ",".join((address, *fields))
