"""From bytes to verified sentences, whatever stands between them and however they are cut into chunks.

Source: NMEA 0183 4.10, clause 5.3 (sentence structure and checksum) and clause 7 (TAG blocks).
"""

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor

#: Groups of lines that were begun and not ended; the oldest makes room.
MAX_GROUPS = 256
#: A sentence has 82 characters, a TAG block 80; receivers exceed both. What is longer holds no sentence.
MAX_LINE = 1024

_SENTENCE = re.compile(rb"(?:\\([^\\$!\r\n]{1,120})\\)?[$!]([ -#%-)+-\[\]-~]{5,400})\*([0-9A-Fa-f]{2})")
_GROUP = re.compile(r"([0-9]{1,3})-([0-9]{1,3})-([0-9]{1,9})")
_END = re.compile(rb"[\r\n]")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence whose checksum is right.

    Parameters
    ----------
    address : str
        Like ``GNRMC``.
    fields : tuple of str
        What follows the address.
    source : str
        Who speaks, of the TAG block; empty without one.
    tag_us : int
        Time of the TAG block, microseconds of UTC; 0 without one.
    """

    address: str
    fields: tuple[str, ...]
    source: str = ""
    tag_us: int = 0


@dataclass(slots=True)
class Counts:
    """What a framer met; ``junk_bytes`` is all that is neither a verified sentence nor a line end."""

    bytes: int = 0
    sentences: int = 0
    bad_checksums: int = 0
    bad_tag_blocks: int = 0
    overlong: int = 0
    junk_bytes: int = 0


class Framer:
    """Cuts a stream of bytes into sentences. Memory is bounded by MAX_LINE and MAX_GROUPS."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._rest = b""
        self._groups: dict[str, tuple[str, int]] = {}  # source and time by the group's number

    def feed(self, chunk: bytes) -> list[Sentence]:
        """Take in bytes; return the sentences of the lines they complete."""
        self.counts.bytes += len(chunk)
        data = self._rest + chunk
        found: list[Sentence] = []
        start = 0
        while True:
            end = _END.search(data, start, start + MAX_LINE)
            if end is not None:
                found += self._line(data[start : end.start()])
                start = end.end()
            elif len(data) - start >= MAX_LINE:
                # The cut depends on the stream alone, never on how it came in chunks.
                self.counts.overlong += 1
                found += self._line(data[start : start + MAX_LINE])
                start += MAX_LINE
            else:
                self._rest = data[start:]
                return found

    def flush(self) -> list[Sentence]:
        """Return the sentences of an unfinished last line."""
        rest, self._rest = self._rest, b""
        return self._line(rest)

    def _line(self, line: bytes) -> list[Sentence]:
        """Find every sentence in a line: several may have run together, with anything between."""
        found = []
        self.counts.junk_bytes += len(line)
        for match in _SENTENCE.finditer(line):
            tag, body, given = match.groups()
            if reduce(xor, body) != int(given, 16):
                self.counts.bad_checksums += 1
                continue
            self.counts.sentences += 1
            self.counts.junk_bytes -= len(match.group())
            address, *fields = body.decode("ascii").split(",")
            source, tag_us = self._tag(tag) if tag else ("", 0)
            found.append(Sentence(address, tuple(fields), source, tag_us))
        return found

    def _tag(self, tag: bytes) -> tuple[str, int]:
        """Source and time of a TAG block; nothing of one whose checksum is wrong."""
        body, _, given = tag.rpartition(b"*")
        try:
            right = reduce(xor, body, 0) == int(given, 16)
        except ValueError:
            right = False
        if not right:
            self.counts.bad_tag_blocks += 1
            return "", 0
        parts = dict(part.partition(":")[::2] for part in body.decode("ascii", "replace").split(","))
        clock = parts.get("c", "")
        seconds = int(clock) if clock.isascii() and clock.isdigit() and len(clock) < 15 else 0
        # 4.10 allows seconds and milliseconds; seconds stay below 1e11 for the next 3,000 years.
        tag_us = seconds * (1_000_000 if seconds < 100_000_000_000 else 1_000)
        return self._of_group(parts.get("g", ""), parts.get("s", ""), tag_us)

    def _of_group(self, group: str, source: str, tag_us: int) -> tuple[str, int]:
        """Source and time of a line of ``line-lines-number``: what it does not say, the first line did."""
        found = _GROUP.fullmatch(group)
        if found is None:
            return source, tag_us
        line, lines, number = found.groups()
        if int(line) == 1:
            self._groups.pop(number, None)
            if len(self._groups) == MAX_GROUPS:
                del self._groups[next(iter(self._groups))]
            self._groups[number] = (source, tag_us)
        first = self._groups.get(number, ("", 0))
        if int(line) >= int(lines):
            self._groups.pop(number, None)
        return source or first[0], tag_us or first[1]
