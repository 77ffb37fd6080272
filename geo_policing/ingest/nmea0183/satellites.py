"""BeiDou satellites of one receiver: counted over the sentences that tell them, forgotten when they stop."""

from dataclasses import dataclass

from geo_policing.ingest.nmea0183.sentences import BEIDOU_TALKERS, beidou_used

#: Instants between two tellings, until it is known, and what is believed at most. Receivers tell satellites
#: with every instant, or every second where they tell ten positions in it.
_EVERY, _EVERY_MAX = 10, 60


@dataclass(slots=True)
class _Told:
    """A count, the number of the instant in which it was told, and how many instants after the one before."""

    count: int
    instant: int
    every: int = _EVERY

    def tell(self, count: int, instant: int, *, more: bool) -> None:
        """Take a count in, as the rest of the one at hand or in its place."""
        if instant > self.instant:
            self.every = min(instant - self.instant, _EVERY_MAX)
        self.count = count + (self.count if more else 0)
        self.instant = instant

    def is_stale(self, instant: int) -> bool:
        """Whether two tellings were missed."""
        return instant - self.instant > 2 * self.every + 1


class BeidouSatellites:
    """How many BeiDou satellites a receiver uses: by GSA, or as many as GSV shows with a signal.

    A constellation that is lost, so that no more is told of it, counts until two of its tellings were missed.
    """

    def __init__(self) -> None:
        self._used: dict[str, _Told] = {}
        self._in_view: _Told | None = None
        self._run: set[str] = set()  # constellations of the GSA that follow each other

    def gsa(self, talker: str, fields: tuple[str, ...], instant: int, *, follows_gsa: bool) -> None:
        """Take in a GSA, told in the instant of that number; ValueError or IndexError if it is none."""
        key, used = beidou_used(talker, fields)
        if not follows_gsa:
            self._run.clear()
        told = self._used.get(key)
        if told is None:
            self._used[key] = _Told(used, instant)
        else:
            # A GSA holds twelve satellites; the next of the same constellation goes on with the rest.
            told.tell(used, instant, more=key in self._run)
        self._run.add(key)

    def gsv(self, talker: str, fields: tuple[str, ...], instant: int) -> None:
        """Take in a GSV, told in the instant of that number; ValueError or IndexError if it is none."""
        if talker not in BEIDOU_TALKERS:
            return
        first = int(fields[1]) == 1
        # Four fields a satellite; a hexadecimal signal id may stand alone at the end.
        seen = sum(bool(fields[3 + 4 * i + 3]) for i in range((len(fields) - 3) // 4))
        if self._in_view is None:
            self._in_view = _Told(seen, instant)
        else:
            self._in_view.tell(seen, instant, more=not first)

    def count(self, instant: int) -> int:
        """Satellites used in the instant of that number."""
        self._used = {key: told for key, told in self._used.items() if not told.is_stale(instant)}
        if self._used:
            return sum(told.count for told in self._used.values())
        if self._in_view is None or self._in_view.is_stale(instant):
            return 0
        return self._in_view.count
