"""The NMEA 0183 decoder: one for each connection, whoever speaks on it."""

from collections import OrderedDict

from geo_policing.ingest.nmea0183 import epoch, framing
from geo_policing.model import Fix

#: Receivers behind one connection whose state is kept; the one silent longest makes room.
MAX_SOURCES = 4096


class Decoder:
    """Decode NMEA 0183 without doing any I/O.

    Parameters
    ----------
    device_id : str
        Device of the sentences whose TAG block names no source; may be empty.

    Attributes
    ----------
    framing : framing.Counts
        Bytes, sentences, and what was wrong with them.
    decoding : epoch.Counts
        Fixes, and sentences that gave none.
    last_sentence : str
        The last sentence with a right checksum, without it.
    """

    def __init__(self, device_id: str = "") -> None:
        self._device = device_id
        self._framer = framing.Framer()
        self._receivers: OrderedDict[str, epoch.Receiver] = OrderedDict()
        self.framing = self._framer.counts
        self.decoding = epoch.Counts()
        self.last_sentence = ""

    def feed(self, chunk: bytes, received_at: int = 0) -> list[Fix]:
        """Take in bytes as they came.

        Parameters
        ----------
        chunk : bytes
            Any part of the stream; where it is cut makes no difference.
        received_at : int
            Microseconds of UTC when it was received; 0 when that says nothing about when it was sent.

        Returns
        -------
        list of Fix
            Fixes that are complete, in order.
        """
        return self._decode(self._framer.feed(chunk), received_at)

    def flush(self, received_at: int = 0) -> list[Fix]:
        """Return the fixes still being told: the stream has ended or is quiet."""
        fixes = self._decode(self._framer.flush(), received_at)
        for receiver in self._receivers.values():
            fixes += receiver.flush(received_at)
        return fixes

    def _decode(self, sentences: list[framing.Sentence], received_at: int) -> list[Fix]:
        fixes: list[Fix] = []
        for sentence in sentences:
            device = sentence.source or self._device
            receiver = self._receivers.get(device)
            if receiver is None:
                receiver = self._receivers[device] = epoch.Receiver(device, self.decoding)
                if len(self._receivers) > MAX_SOURCES:
                    _, silent = self._receivers.popitem(last=False)
                    fixes += silent.flush(received_at)
            self._receivers.move_to_end(device)
            fixes += receiver.take(sentence, received_at)
        if sentences:
            last = sentences[-1]
            self.last_sentence = "$" + ",".join((last.address, *last.fields))
        return fixes
