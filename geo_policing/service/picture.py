"""The picture of the city now: the newest position of every device, and who it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from geo_policing.model import BoundingBox, Device, Fix, Incident, Unit, format_instant
from geo_policing.model.fix import number
from geo_policing.model.instant import to_us


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
        self._who: dict[str, _Who] = {}
        self._incident: dict[str, Incident] = {}

    def introduce(self, devices: Iterable[Device], units: Iterable[Unit]) -> None:
        """Learn who the devices are; replaces what was known."""
        who = {d.id: _Who(d.kind.value, d.name or d.id) for d in devices}
        for unit in units:
            if unit.device_id is not None:
                known = who.get(unit.device_id, _Who("unknown", unit.device_id))
                who[unit.device_id] = _Who(known.kind, known.name, unit.call_sign, unit.status.value)
        self._who = who

    def name_of(self, device: str) -> str:
        """Return what people call a device; its id when nobody has said."""
        who = self._who.get(device)
        return device if who is None else who.call_sign or who.name

    def move(self, fixes: Iterable[Fix]) -> list[dict[str, Any]]:
        """Take in fixes; return the features of the devices whose newest position changed."""
        changed = {}
        for fix in fixes:
            present = self._fix.get(fix.device)
            if present is None or fix.time > present.time:
                self._fix[fix.device] = fix
                changed[fix.device] = fix
        return [self._feature(fix) for fix in changed.values()]

    def report(self, incident: Incident) -> dict[str, Any]:
        """Take in an incident as it is now; return its feature. Final ones leave the picture."""
        if incident.state.is_final:
            self._incident.pop(incident.id, None)
        else:
            self._incident[incident.id] = incident
        return incident_feature(incident)

    def units(self, box: BoundingBox | None = None) -> dict[str, Any]:
        """FeatureCollection of newest positions, of those in a box when one is given."""
        inside = (f for f in self._fix.values() if box is None or box.contains(f.lon, f.lat))
        return {"type": "FeatureCollection", "features": [self._feature(f) for f in inside]}

    def snapshot(self) -> dict[str, Any]:
        """Units and open incidents."""
        incidents = [incident_feature(i) for i in self._incident.values()]
        return {
            "units": self.units(),
            "incidents": {"type": "FeatureCollection", "features": incidents},
        }

    def _feature(self, fix: Fix) -> dict[str, Any]:
        who = self._who.get(fix.device) or _Who("unknown", fix.device)
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
