"""Who may speak: known devices, which line belongs to which device, and the quarantine of all others."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from geo_policing.errors import Conflict, InvalidInput, NotFound
from geo_policing.ingest.transports.base import Origin
from geo_policing.model.device import check_device_id

#: A sentence has 82 characters; longer ones are kept cut.
SENTENCE_KEPT = 256
KEY_KEPT = 96


@dataclass(slots=True)
class Stranger:
    """Somebody unknown who sends.

    Parameters
    ----------
    key : str
        The device id that was named, or ``RECEIVER/HOST`` of a line that named none.
    named : bool
        Whether `key` is a device id.
    origin : str
        ``RECEIVER/HOST`` it was last heard on.
    first_seen, last_seen : int
        Microseconds of UTC.
    bytes : int
        Bytes received from it.
    fixes : int
        Fixes that were not stored.
    last_sentence : str
        The last line it sent, as text.
    """

    key: str
    named: bool
    origin: str
    first_seen: int
    last_seen: int
    bytes: int = 0
    fixes: int = 0
    last_sentence: str = ""


class Registry:
    """Knows the devices; for one event loop.

    Parameters
    ----------
    known : iterable of str
        Ids of the devices that have been admitted.
    lines : mapping of str to str
        Which device speaks on a line that names none: from ``RECEIVER/HOST``, or RECEIVER alone
        (``tcp:7001``), or HOST alone, to a device id. The narrowest counts. Nothing changes these.
    admitted_lines : mapping of str to str
        The same, as they were admitted before; of a line that is in both, `lines` says who speaks.
    default : str
        The device of every line that neither says nor is told which; none when empty.
    admit_all : bool
        Whether an unknown device that names itself, by a right id, is admitted at once.
    max_strangers : int
        Entries of the quarantine; the one silent longest makes room.
    max_devices : int
        Devices that `admit_all` may reach; what comes after them is quarantined.
    """

    def __init__(
        self,
        known: Iterable[str] = (),
        lines: Mapping[str, str] | None = None,
        *,
        admitted_lines: Mapping[str, str] | None = None,
        default: str = "",
        admit_all: bool = False,
        max_strangers: int = 1_000,
        max_devices: int = 20_000,
    ) -> None:
        self._lines = {**(admitted_lines or {}), **(lines or {})}
        self._fixed = frozenset(lines or {})
        self._default = default
        named = (*known, *self._lines.values(), *filter(None, [default]))
        self._known = {check_device_id(device) for device in named}
        self._admit_all = admit_all
        self._strangers: OrderedDict[str, Stranger] = OrderedDict()
        self._max_strangers, self._max_devices = max_strangers, max_devices

    @property
    def known(self) -> frozenset[str]:
        """Ids of the devices that are known now."""
        return frozenset(self._known)

    def __contains__(self, device: object) -> bool:
        """Whether a device is known now; admits nobody."""
        return device in self._known

    @property
    def quarantine(self) -> list[Stranger]:
        """The strangers, the one heard last first."""
        return list(reversed(self._strangers.values()))

    def device_of(self, origin: Origin) -> str:
        """Return the device of a line that names none itself; empty when nobody has said which."""
        for key in (origin.key, origin.receiver, origin.host):
            if device := self._lines.get(key):
                return device
        return self._default

    def is_known(self, device: str) -> bool:
        """Whether fixes of a device are stored; with `admit_all`, this admits it."""
        if device in self._known:
            return True
        if not self._admit_all or not device or len(self._known) >= self._max_devices:
            return False
        try:
            self.admit(device)
        except InvalidInput:
            return False
        return True

    def note(self, device: str, origin: Origin, now_us: int, size: int = 0, sentence: bytes = b"") -> None:
        """Count bytes of somebody unknown, and keep the last sentence."""
        stranger = self._stranger(device, origin, now_us)
        stranger.bytes += size
        if sentence:
            text = sentence[:SENTENCE_KEPT].decode("ascii", "replace")
            stranger.last_sentence = "".join(
                c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text
            )

    def refuse(self, device: str, origin: Origin, now_us: int, fixes: int) -> None:
        """Count fixes of somebody unknown that are not stored."""
        self._stranger(device, origin, now_us).fixes += fixes

    def check(self, key: str, device: str = "") -> tuple[str, str]:
        """Return whom `admit` is to admit when somebody asks for it; admits nobody.

        Parameters
        ----------
        key : str
            A device id, in quarantine or not, or the ``RECEIVER/HOST`` of a line that names no device.
        device : str
            Which device speaks there; needed for a line, and not to be given for a device id. A line that
            was admitted before may be given to another device.

        Returns
        -------
        tuple of str
            The device id, and the line on which it speaks; no line (empty) when it names itself.

        Raises
        ------
        InvalidInput
            If it is no device id, or a line is admitted without saying which device speaks on it.
        Conflict
            If a device that names itself is to be admitted under another id, or the settings say who
            speaks on that line.
        NotFound
            If `device` is given and `key` is no line in quarantine, nor one that was admitted.
        """
        stranger = self._strangers.get(key)
        if (stranger is None and key in self._lines) or (stranger is not None and not stranger.named):
            if key in self._fixed:
                raise Conflict(f"the settings say that {self._lines[key]} speaks on {key}; change it there")
            if not device:
                raise InvalidInput(
                    f"{key} names no device; say which device speaks there", field="device", value=""
                )
            return check_device_id(device), key
        if device and device != key:
            if stranger is None:
                raise NotFound("line in quarantine", key)
            raise Conflict(f"{key} names itself; admit it under its own id, or set the receiver's name")
        return check_device_id(key), ""

    def admit(self, device: str, line: str = "") -> None:
        """Make a device known, and who speaks on a line: its next fixes are stored, also on open lines.

        Parameters
        ----------
        device : str
            A device id.
        line : str
            Where it speaks without naming itself; empty when it names itself.

        Raises
        ------
        InvalidInput
            If it is no device id.
        """
        self._known.add(check_device_id(device))
        self._strangers.pop(device, None)
        if line:
            self._lines[line] = device
            self._strangers.pop(line, None)

    def _stranger(self, device: str, origin: Origin, now_us: int) -> Stranger:
        key = device[:KEY_KEPT] or origin.key
        stranger = self._strangers.get(key)
        if stranger is None:
            stranger = self._strangers[key] = Stranger(key, bool(device), origin.key, now_us, now_us)
            if len(self._strangers) > self._max_strangers:
                self._strangers.popitem(last=False)
        self._strangers.move_to_end(key)
        stranger.origin, stranger.last_seen = origin.key, now_us
        return stranger
