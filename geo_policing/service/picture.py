"""The picture of the city now: the newest position of every device, and who it is."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from geo_policing.model import BoundingBox, Device, DeviceKind, Fix, Incident, Unit, format_instant
from geo_policing.model.fix import number
from geo_policing.model.instant import to_us
from geo_policing.service.matched import Matched
from geo_policing.service.sight import Sight, seen_by


@dataclass(frozen=True, slots=True)
class _Who:
    kind: str
    name: str
    call_sign: str | None = None
    status: str | None = None


class Picture:
    """Newest fixes by device. An older fix never replaces a newer one."""

    def __init__(self) -> None:
        self._fix: dict[str, Fix] = {}
        self._matched: dict[str, Matched | None] = {}
        self._who: dict[str, _Who] = {}
        self._incident: dict[str, Incident] = {}
        self._recast: set[str] = set()
        self._crossed = False

    @property
    def introduced(self) -> Set[str]:
        """Ids of the devices of which it is known who they are."""
        return self._who.keys()

    @property
    def incidents(self) -> Mapping[str, Incident]:
        """The incidents that are not final, by id."""
        return MappingProxyType(self._incident)

    def introduce(self, devices: Iterable[Device], units: Iterable[Unit]) -> list[dict[str, Any]]:
        """Learn who the devices are, in place of what was known; return the features that changed by it."""
        before = {device: self._who_is(device) for device in self._fix}
        who = {d.id: _Who(d.kind.value, d.name or d.id) for d in devices}
        for unit in units:
            if unit.device_id is not None:
                known = who.get(unit.device_id, _Who("unknown", unit.device_id))
                who[unit.device_id] = _Who(known.kind, known.name, unit.call_sign, unit.status.value)
        self._who = who
        changed = [device for device, known in before.items() if self._who_is(device) != known]
        for device in changed:
            self._learn(device, before[device])
        return [self._feature(self._fix[device]) for device in changed]

    def present(self, device: Device) -> list[dict[str, Any]]:
        """Learn who one device is; return its feature when it has a position."""
        known = self._who_is(device.id)
        self._who[device.id] = replace(known, kind=device.kind.value, name=device.name or device.id)
        self._learn(device.id, known)
        return [self._feature(self._fix[device.id])] if device.id in self._fix else []

    def recast(self) -> set[str]:
        """Return the devices that are carried by something else than when this was asked before."""
        recast, self._recast = self._recast, set()
        return recast

    def crossed(self) -> bool:
        """Whether since this was asked before a device has become one that others see."""
        crossed, self._crossed = self._crossed, False
        return crossed

    def sight_of(self, device: str) -> Sight:
        """Return who sees a device."""
        return seen_by(self.kind_of(device))

    def name_of(self, device: str) -> str:
        """Return what people call a device; its id when nobody has said."""
        who = self._who_is(device)
        return who.call_sign or who.name

    def kind_of(self, device: str) -> DeviceKind:
        """Return what carries a device."""
        return DeviceKind(self._who_is(device).kind)

    def move(self, fixes: Iterable[Fix]) -> list[dict[str, Any]]:
        """Take in fixes; return the features of the devices whose newest position changed."""
        newest: dict[str, Fix] = {}
        for fix in fixes:
            present = newest.get(fix.device) or self._fix.get(fix.device)
            if present is None or fix.time > present.time:
                newest[fix.device] = fix
        # Before they are in the picture: what cannot be shown would spoil every snapshot.
        features = [self._feature(fix) for fix in newest.values()]
        self._fix |= newest
        return features

    def match(self, places: Mapping[str, Matched | None]) -> list[dict[str, Any]]:
        """Take in where on the roads devices are; return ``device`` and ``matched`` of those on the map."""
        self._matched |= places
        return [
            {"device": device, "matched": place.as_json() if place else None}
            for device, place in places.items()
            if device in self._fix
        ]

    def report(self, incident: Incident) -> dict[str, Any]:
        """Take in an incident as it is now; return its feature. Final ones leave the picture."""
        if incident.state.is_final:
            self._incident.pop(incident.id, None)
        else:
            self._incident[incident.id] = incident
        return incident_feature(incident)

    def restate(self, incidents: Iterable[Incident]) -> None:
        """Take these for all the incidents that are not final."""
        self._incident = {incident.id: incident for incident in incidents}

    def units(self, box: BoundingBox | None = None, sight: Sight = Sight.POLICE) -> dict[str, Any]:
        """FeatureCollection of the newest positions that one sees, of those in a box when one is given."""
        inside = (f for f in self._fix.values() if box is None or box.contains(f.lon, f.lat))
        seen = [self._feature(f) for f in inside if self.sight_of(f.device) is sight]
        return {"type": "FeatureCollection", "features": seen}

    def snapshot(self, sight: Sight = Sight.POLICE) -> dict[str, Any]:
        """Units that one sees, and for the police open incidents."""
        incidents = [incident_feature(i) for i in self._incident.values() if sight is Sight.POLICE]
        return {
            "units": self.units(sight=sight),
            "incidents": {"type": "FeatureCollection", "features": incidents},
        }

    def _learn(self, device: str, before: _Who) -> None:
        """Take note where a device is carried by something else than was known."""
        now = self._who_is(device).kind
        if now != before.kind:
            self._recast.add(device)
            # Who has no position is on no map, and gone from none.
            moved = seen_by(DeviceKind(now)) is not seen_by(DeviceKind(before.kind))
            self._crossed |= moved and device in self._fix

    def _who_is(self, device: str) -> _Who:
        return self._who.get(device) or _Who("unknown", device)

    def _feature(self, fix: Fix) -> dict[str, Any]:
        who, matched = self._who_is(fix.device), self._matched.get(fix.device)
        return {
            "type": "Feature",
            "id": fix.device,
            "geometry": point(fix.lon, fix.lat),
            "properties": {
                "device": fix.device,
                "kind": who.kind,
                "name": who.name,
                "call_sign": who.call_sign,
                "status": who.status,
                "time": format_instant(fix.time),
                "received": format_instant(fix.received) if fix.received else None,
                "speed_mps": number(fix.speed_mps, 2),
                "course_deg": number(fix.course_deg, 1),
                "accuracy_m": number(fix.accuracy_m, 1),
                "matched": matched.as_json() if matched else None,
            },
        }


def point(lon: float, lat: float) -> dict[str, Any]:
    """GeoJSON point, rounded to 1e-7 degrees (1 cm)."""
    return {"type": "Point", "coordinates": [round(lon, 7), round(lat, 7)]}


def incident_feature(incident: Incident) -> dict[str, Any]:
    """GeoJSON feature of an incident."""
    return {
        "type": "Feature",
        "id": incident.id,
        "geometry": point(incident.lon, incident.lat),
        "properties": {
            "kind": incident.kind,
            "state": incident.state.value,
            "may_follow": [state.value for state in incident.state.may_follow],
            "severity": int(incident.severity),
            "occurred": format_instant(to_us(incident.occurred)),
            "summary": incident.summary,
            "address": incident.address,
            "source": incident.source,
            "units": list(incident.units),
        },
    }
