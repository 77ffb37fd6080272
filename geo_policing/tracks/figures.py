"""The pictures of a report: the paths with passing times, and where the suspect was at one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.geodesy import LocalPlane
from geo_policing.tracks.drawing import Disc, Drawing, Fill, Item, Stroke, Words
from geo_policing.tracks.moments import cells_at, region_features

Array = NDArray[np.float64]
Feature = dict[str, Any]

#: Width of the sheet, and how high and how low it may be.
WIDTH, LEAST_HEIGHT, MOST_HEIGHT = 680.0, 380.0, 520.0
#: Metres shown at least, and how much of the box is added around what is shown.
LEAST_M, MARGIN = 800.0, 0.08
#: How much of it is shown around a region on each side.
WIDER = 0.2
#: Minutes between times along the path, and how many there are at most.
MINUTES, MOST_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480), 12
ROAD, MAIN_ROAD, PATH, FITS, MISFIT = "#dfe3e8", "#c9d0d8", "#1f5fa8", "#2b7a3f", "#b0302a"
BORDER = "#c5ced8"
REGION_90, REGION_50 = "#f0b24a", "#d9642c"


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A drawing with what is to be read below it; before which section of a report it stands."""

    before: int
    title: str
    caption: str
    drawing: Drawing


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """Metres of a plane to units of a sheet."""

    plane: LocalPlane
    left_m: float
    top_m: float
    m_a_unit: float
    height: float

    @classmethod
    def around(cls, shown: shapely.Geometry) -> "_Sheet":
        """Return the sheet on which geometry in degrees is shown, with a margin."""
        west, south, east, north = shapely.bounds(shown).tolist()
        plane = LocalPlane.around((west + east) / 2.0, (south + north) / 2.0)
        x, y = plane.forward([west, east, west, east], [south, south, north, north])
        wide = max(float(np.ptp(x)) * (1 + 2 * MARGIN), LEAST_M)
        high = max(float(np.ptp(y)) * (1 + 2 * MARGIN), LEAST_M / 2)
        m_a_unit = max(wide / WIDTH, high / MOST_HEIGHT)
        height = max(LEAST_HEIGHT, round(high / m_a_unit))
        middle_x, middle_y = float(x.min() + x.max()) / 2, float(y.min() + y.max()) / 2
        return cls(
            *(plane, middle_x - WIDTH / 2 * m_a_unit, middle_y + height / 2 * m_a_unit, m_a_unit, height)
        )

    def put(self, lonlat: Array) -> Array:
        """Return (k, 2) units of (k, 2) degrees."""
        x, y = self.plane.forward(lonlat[:, 0], lonlat[:, 1])
        return np.column_stack([x - self.left_m, self.top_m - y]) / self.m_a_unit

    def lines(self, coordinates: Sequence[Any]) -> list[Array]:
        """Lines in degrees as what of them is on the sheet, without what is too fine to see."""
        kept = [np.asarray(line, np.float64) for line in coordinates]
        if not kept:
            return []
        row = np.repeat(np.arange(len(kept)), [len(line) for line in kept])
        drawn = shapely.linestrings(self.put(np.concatenate(kept)), indices=row)
        inside = shapely.clip_by_rect(shapely.simplify(drawn, 0.4), 0.0, 0.0, WIDTH, self.height)
        parts = shapely.get_parts(inside)
        return [shapely.get_coordinates(part) for part in parts[shapely.length(parts) > 0.0]]

    def rings(self, geometry: dict[str, Any]) -> list[Array]:
        """Rings of what of an area in degrees is on the sheet."""
        drawn = shapely.transform(shapely.geometry.shape(geometry), self.put)
        inside = shapely.clip_by_rect(drawn, 0.0, 0.0, WIDTH, self.height)
        return [
            shapely.get_coordinates(ring)
            for part in shapely.get_parts(inside)
            if part.geom_type == "Polygon"
            for ring in (part.exterior, *part.interiors)
        ]


def figures(document: dict[str, Any], at: datetime | None = None) -> list[Figure]:
    """Draw the pictures of a reconstruction.

    Parameters
    ----------
    document : dict
        What ``geo-policing reconstruct`` writes and the service keeps.
    at : datetime, optional
        Moment of which the regions are drawn, the nearest of those kept. Without it the last one, where the
        window goes on after the last sighting; else the one of which least is known.

    Raises
    ------
    InvalidInput
        If the moment is outside of the window.
    """
    by_kind: dict[str, list[Feature]] = {}
    for feature in document["features"]:
        by_kind.setdefault(feature["properties"]["what"], []).append(feature)
    paths, sightings = by_kind.get("path", []), by_kind.get("sighting", [])
    ground = document.get("ground") or {"main": [], "minor": []}
    found = [_of_paths(paths, sightings, ground)] if paths else []
    regions = by_kind.get("region", [])
    if regions:
        moment = _moment(document, regions, sightings, at)
        told = [f for f in regions if f["properties"]["time"] == moment]
        if any(f["geometry"] is None for f in told):
            drawn = region_features(cells_at(document["features"], moment))
            # The cells are told to a millionth, the areas by all that is known.
            told = [a | {"geometry": b["geometry"]} for a, b in zip(told, drawn, strict=True)]
        found.append(_of_regions(moment, told, paths, sightings, ground))
    return found


def _of_paths(paths: Sequence[Feature], sightings: Sequence[Feature], ground: dict[str, Any]) -> Figure:
    shown = [shapely.geometry.shape(f["geometry"]) for f in (*paths, *sightings)]
    sheet = _Sheet.around(shapely.GeometryCollection(shown))
    best = next((path for path in paths if path["properties"]["kind"] == "best"), paths[0])
    items: list[Item] = _roads(sheet, ground)
    for path in paths:
        if path is not best:
            share = path["properties"]["probability"] or 0.0
            line = sheet.lines([path["geometry"]["coordinates"]])
            items.append(Stroke(line, PATH, 1.6, opacity=0.25 + 0.5 * share, dashes=(4, 4)))
    items.append(Stroke(sheet.lines([best["geometry"]["coordinates"]]), PATH, 3.0))
    marks = _sightings(sheet, sightings)
    items += _times(sheet, best, [mark for mark in marks if isinstance(mark, Disc)])
    items += [*marks, *_measures(sheet)]
    caption = (
        "The representative path (thick) with the times at which it was probably passed, the most frequent "
        "sampled paths (dashed, fainter the rarer), and the sightings by their numbers; red ones do not fit "
        "the rest."
    )
    title = "路径图 Paths"
    return Figure(0, title, _with_roads(caption, ground), Drawing(WIDTH, sheet.height, items, title))


def _of_regions(
    moment: str,
    now: Sequence[Feature],
    paths: Sequence[Feature],
    sightings: Sequence[Feature],
    ground: dict[str, Any],
) -> Figure:
    outer = shapely.union_all([shapely.geometry.shape(f["geometry"]) for f in now])
    # A small region is shown with what lies around it.
    west, south, east, north = outer.bounds
    more_lon, more_lat = WIDER * (east - west), WIDER * (north - south)
    sheet = _Sheet.around(shapely.box(west - more_lon, south - more_lat, east + more_lon, north + more_lat))
    items: list[Item] = _roads(sheet, ground)
    colors = {0.9: (REGION_90, 0.45), 0.5: (REGION_50, 0.55)}
    for feature in sorted(now, key=lambda f: -f["properties"]["share"]):
        color, opacity = colors[feature["properties"]["share"]]
        items.append(Fill(sheet.rings(feature["geometry"]), color, opacity, color, width=0.5))
    best = [f["geometry"]["coordinates"] for f in paths if f["properties"]["kind"] == "best"]
    items.append(Stroke(sheet.lines(best), PATH, 1.6, opacity=0.7))
    items += [*_sightings(sheet, sightings), *_measures(sheet)]
    when = datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M:%S %z")
    areas = {f["properties"]["share"]: f["properties"]["area_km2"] for f in now}
    caption = (
        f"At {when}: the smallest regions of whole cells that hold 50 % (dark, {areas[0.5]:.3f} km²) and "
        f"90 % (light, {areas[0.9]:.3f} km²) of the probability, the representative path and the sightings "
        "near by."
    )
    title = f"可信区域图 Regions at {_clock(moment)}"
    # After inputs and sightings: on paper two pictures would leave half a page empty.
    return Figure(2, title, _with_roads(caption, ground), Drawing(WIDTH, sheet.height, items, title))


def _with_roads(caption: str, ground: dict[str, Any]) -> str:
    if ground["main"] or ground["minor"]:
        return caption
    return caption + " The answer was kept without the roads; ask anew to see them."


def _moment(
    document: dict[str, Any], regions: Sequence[Feature], sightings: Sequence[Feature], at: datetime | None
) -> str:
    first, last = (datetime.fromisoformat(text) for text in document["window"])
    times = list(dict.fromkeys(feature["properties"]["time"] for feature in regions))
    if at is not None:
        if not first <= at <= last:
            raise InvalidInput(
                f"{at.isoformat()} is outside {document['window'][0]} to {document['window'][1]}; "
                "give a moment of the window",
                field="at",
                value=at.isoformat(),
            )
        return min(times, key=lambda text: abs(datetime.fromisoformat(text) - at))
    seen = [f["properties"]["until"] or f["properties"]["time"] for f in sightings]
    if seen and last > max(map(datetime.fromisoformat, seen)):
        return times[-1]
    widest = [f["properties"] for f in regions if f["properties"]["share"] == 0.9]
    return str(max(widest, key=lambda about: about["area_km2"])["time"])


def _roads(sheet: _Sheet, ground: dict[str, Any]) -> list[Item]:
    return [
        Stroke(sheet.lines(ground["minor"]), ROAD, 0.8),
        Stroke(sheet.lines(ground["main"]), MAIN_ROAD, 2.0),
    ]


def _sightings(sheet: _Sheet, sightings: Sequence[Feature]) -> list[Item]:
    """Numbered as in the table; an area with its border. Those at one place are told in one mark."""
    areas: list[Item] = []
    at: dict[tuple[float, float], list[tuple[int, bool]]] = {}
    for number, feature in enumerate(sightings, 1):
        shape = shapely.geometry.shape(feature["geometry"])
        fits = feature["properties"]["fits"] is not False
        if shape.geom_type != "Point":
            color = FITS if fits else MISFIT
            areas.append(Fill(sheet.rings(feature["geometry"]), color, 0.12, color))
        middle = shape.centroid
        ((x, y),) = sheet.put(np.array([[middle.x, middle.y]])).round(1).tolist()
        if 0.0 <= x <= WIDTH and 0.0 <= y <= sheet.height:
            near = next((p for p in at if np.hypot(p[0] - x, p[1] - y) < 12.0), (x, y))
            at.setdefault(near, []).append((number, fits))
    marks: list[Item] = []
    for (x, y), here in at.items():
        text = _numbers([number for number, _ in here])
        color = FITS if all(fits for _, fits in here) else MISFIT
        marks.append(Disc(x, y, 8.0 if len(text) <= 2 else 3.0 + 3.3 * len(text), color))
        marks.append(Words(x, y + 3.8, text, 11, "#ffffff"))
    return [*areas, *marks]


def _numbers(numbers: list[int]) -> str:
    """Numbers in a row as from and to, others with commas."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _times(sheet: _Sheet, path: Feature, taken: Sequence[Disc]) -> list[Item]:
    """Mark times along a path, as dots with words, where there is room beside what is there already."""
    about = path["properties"]
    entered = [datetime.fromisoformat(text) for text in about["entered"]]
    line = np.array(path["geometry"]["coordinates"])
    # Answers of earlier versions do not say how far along the edges begin.
    if len(line) < 2 or about.get("length_m", 0.0) <= 0.0 or entered[-1] <= entered[0]:
        return []
    x, y = sheet.plane.forward(line[:, 0], line[:, 1])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    along *= about["length_m"] / max(along[-1], 1e-9)
    seconds = np.array([(moment - entered[0]).total_seconds() for moment in entered])
    whole = seconds[-1] / 60.0
    minutes = next((m for m in MINUTES if whole / m <= MOST_TIMES), MINUTES[-1])
    boxes = [(d.x - d.radius, d.y - d.radius, d.x + d.radius, d.y + d.radius) for d in taken]
    dots: list[Item] = []
    words: list[Item] = []
    for moment in _round_times(entered[0], entered[-1], minutes):
        at_m = float(np.interp((moment - entered[0]).total_seconds(), seconds, about["begins_m"]))
        near_m = at_m + np.array([0.0, -4.0, 4.0]) * sheet.m_a_unit
        place = np.column_stack([np.interp(near_m, along, line[:, k]) for k in (0, 1)])
        (px, py), before, after = sheet.put(place).tolist()
        level = abs(after[0] - before[0]) > abs(after[1] - before[1])
        word = _beside(px, py, moment.strftime("%H:%M"), boxes, sheet.height, level=level)
        if word is not None:
            dots.append(Disc(px, py, 3.2, PATH))
            words.append(word)
            boxes += [word.box, (px - 3, py - 3, px + 3, py + 3)]
    return [*dots, *words]


def _round_times(first: datetime, last: datetime, minutes: int) -> list[datetime]:
    """Multiples of so many minutes of the day from first to last."""
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    step = timedelta(minutes=minutes)
    n = -((midnight - first) // step)
    found = []
    while midnight + n * step <= last:
        found.append(midnight + n * step)
        n += 1
    return found


def _beside(
    x: float,
    y: float,
    text: str,
    taken: Sequence[tuple[float, float, float, float]],
    height: float,
    *,
    level: bool,
) -> Words | None:
    """Words beside a place of a line, which is level or upright there; None where there is no room."""
    half = Words(0.0, 0.0, text, 11).half
    sides, ends = [(half + 8, 4), (-half - 8, 4)], [(0, -8), (0, 17)]
    for dx, dy in (*(ends if level else sides), (half + 6, -8), (half + 6, 15), *(sides if level else ends)):
        word = Words(x + dx, y + dy, text, 11, PATH, ground=True)
        left, top, right, bottom = word.box
        inside = left >= 0 and top >= 0 and right <= WIDTH and bottom <= height
        if inside and not any(
            left < other[2] and other[0] < right and top < other[3] and other[1] < bottom for other in taken
        ):
            return word
    return None


def _measures(sheet: _Sheet) -> list[Item]:
    """Draw a scale bar at the lower left, north at the upper right, and the border."""
    room_m = sheet.m_a_unit * WIDTH / 4
    power = 10.0 ** np.floor(np.log10(room_m))
    length_m = max(step * power for step in (1.0, 2.0, 5.0) if step * power <= room_m)
    end = 14 + length_m / sheet.m_a_unit
    foot = sheet.height - 12
    text = f"{length_m:g} m" if length_m < 1000 else f"{length_m / 1000:g} km"
    bar = np.array([[14, foot - 5], [14, foot], [end, foot], [end, foot - 5]])
    x, top = WIDTH - 20, 14.0
    arrow = np.array([[x, top], [x - 6, top + 18], [x, top + 14], [x + 6, top + 18], [x, top]])
    return [
        Stroke([bar], "#1d2733", 1.5),
        Words((14 + end) / 2, foot - 7, text, 11, ground=True),
        Fill([arrow], "#1d2733", 1.0, "#1d2733"),
        Words(x, top + 31, "N", 12),
        Stroke(
            [np.array([[0, 0], [WIDTH, 0], [WIDTH, sheet.height], [0, sheet.height], [0, 0]])], BORDER, 1.0
        ),
    ]


def _clock(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%H:%M:%S")
