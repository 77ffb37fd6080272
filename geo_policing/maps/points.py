"""Maps of many points: incidents and fixes of a data frame, in colours by category."""

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from geo_policing.errors import InvalidInput
from geo_policing.maps.basemap import Basemap, Theme
from geo_policing.maps.live import check_time_zone
from geo_policing.maps.page import CityMap, OwnElement, box_around
from geo_policing.model import BoundingBox

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

ASSETS = ("data.css", "symbols.js", "points.js")
#: Colours that stay apart for most colour-blind readers, in the order in which they are given out.
COLOURS = ("#1c5fa8", "#e0701a", "#1d8a5f", "#a63d7d", "#7a5cc0", "#b58900", "#3aa0c9", "#8c4a2f", "#c23b3b")
OTHERS = "#7d8894"
#: Grades of incidents, as on the live map.
SEVERITY_COLOURS = {1: "#c62828", 2: "#e8710a", 3: "#d9a400", 4: "#6b7f8f"}
SEVERITY_LABELS = {1: "特急 Critical", 2: "紧急 Urgent", 3: "一般 Ordinary", 4: "轻微 Minor"}
INCIDENT_COLUMNS = {
    "id": "编号 Id",
    "kind": "类型 Kind",
    "occurred": "发生 Occurred",
    "severity": "等级 Grade",
    "state": "状态 State",
    "address": "地址 Address",
    "summary": "内容 Summary",
}
#: Which of the page's words stand for the values of a column.
WORDS = {"类型 Kind": "incident", "等级 Grade": "severity", "状态 State": "state"}
FIX_COLUMNS = {
    "device": "设备 Device",
    "time": "时间 Time",
    "speed_mps": "速度 m/s",
    "course_deg": "航向 Course",
    "accuracy_m": "精度 m",
}


def incident_map(
    frame: "GeoDataFrame",
    *,
    by: str | None = None,
    tiles_url: str | Path | None = None,
    bounds: BoundingBox | None = None,
    time_zone: str = "Asia/Shanghai",
    theme: Theme = "light",
    attribution: str = "",
) -> CityMap:
    """Make a map of incidents.

    Parameters
    ----------
    frame : GeoDataFrame
        Points; the columns id, kind, occurred, severity, state, address and summary are shown where they are.
    by : str, optional
        Column whose values get the colours; severity or else kind by default, the commonest first.
    tiles_url, theme, attribution
        The basemap: a URL, or a file of which the part around the points is written into the page; see
        `Basemap`.
    bounds : BoundingBox, optional
        What is shown of an empty frame; otherwise the map shows the points.
    time_zone : str
        In which times are shown, a name of the IANA database.

    Raises
    ------
    InvalidInput
        If the geometries are no points, a column is not there, or there is nothing to show.
    """
    frame = _degrees(frame)
    chosen = by or next((name for name in ("severity", "kind") if name in frame.columns), None)
    graded = chosen == "severity"
    data = _columns(frame, INCIDENT_COLUMNS, extra=by)
    data |= _categories(
        frame,
        chosen,
        colours=SEVERITY_COLOURS if graded else None,
        labels=SEVERITY_LABELS if graded else None,
    )
    label = INCIDENT_COLUMNS.get(chosen or "", chosen or "")
    options = {
        "title": "警情 Incidents",
        "by": label,
        "words": None if graded else WORDS.get(label),
        "timeZone": check_time_zone(time_zone),
        "lines": False,
    }
    return _page(data, options, bounds, tiles_url, theme, attribution)


def fixes_map(
    frame: "GeoDataFrame",
    *,
    lines: bool = True,
    tiles_url: str | Path | None = None,
    bounds: BoundingBox | None = None,
    time_zone: str = "Asia/Shanghai",
    theme: Theme = "light",
    attribution: str = "",
) -> CityMap:
    """Make a map of fixes, a colour for each device.

    Parameters
    ----------
    frame : GeoDataFrame
        Points; the columns device, time (with its zone, or microseconds of UTC), speed_mps, course_deg and
        accuracy_m are shown where they are.
    lines : bool
        Whether the fixes of a device are joined by straight lines, in the order of their times.
    tiles_url, theme, attribution, bounds, time_zone
        As for `incident_map`.

    Raises
    ------
    InvalidInput
        If the geometries are no points, or there is nothing to show.
    """
    frame = _degrees(frame)
    if "time" in frame.columns:
        frame = frame.sort_values("time", kind="stable")
    by = "device" if "device" in frame.columns else None
    data = _columns(frame, FIX_COLUMNS) | _categories(frame, by)
    # A line through several devices would be none of theirs.
    single = data["others"] is None
    options = {
        "title": "定位点 Fixes",
        "by": "",
        "timeZone": check_time_zone(time_zone),
        "lines": lines and single,
    }
    return _page(data, options, bounds, tiles_url, theme, attribution)


def _page(
    data: dict[str, Any],
    options: dict[str, Any],
    bounds: BoundingBox | None,
    tiles: str | Path | None,
    theme: Theme,
    attribution: str,
) -> CityMap:
    box = box_around(np.asarray(data["lon"]), np.asarray(data["lat"]), bounds)
    page = CityMap(box, title=options["title"], right_px=300, zoom_control="topleft")
    Basemap(tiles, bounds=box, theme=theme, attribution=attribution).add_to(page)
    page.add_child(OwnElement("pointMap", data, options, assets=ASSETS))
    return page


def _degrees(frame: "GeoDataFrame") -> "GeoDataFrame":
    if frame.crs is None:
        raise InvalidInput("the frame has no CRS; say frame.set_crs(4326) if it is in degrees", field="frame")
    frame = frame if frame.crs.to_epsg() == 4326 else frame.to_crs(epsg=4326)
    shapes = frame.geometry.to_numpy()
    drawn = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    if not (shapely.get_type_id(shapes[drawn]) == shapely.GeometryType.POINT).all():
        raise InvalidInput(
            "the frame has shapes that are no points; say frame.representative_point()", field="frame"
        )
    frame = frame if drawn.all() else frame[drawn]
    if len(frame) and not ((frame.geometry.x.abs() <= 180) & (frame.geometry.y.abs() <= 90)).all():
        raise InvalidInput(
            "the frame says it is in degrees, but its numbers are not; say its real system with "
            "frame.set_crs(EPSG, allow_override=True)",
            field="frame",
        )
    return frame


def _columns(frame: "GeoDataFrame", known: Mapping[str, str], extra: str | None = None) -> dict[str, Any]:
    names = {name: label for name, label in known.items() if name in frame.columns}
    if extra is not None and extra not in names:
        names[extra] = extra
    columns = []
    for name, label in names.items():
        values, is_time = _values(_column(frame, name), name)
        words = WORDS.get(label)
        columns.append({"label": label, "values": values, "time": is_time, "words": words})
    shapes = frame.geometry.to_numpy()
    lon: Any = shapely.get_x(shapes)
    lat: Any = shapely.get_y(shapes)
    return {"columns": columns, "lon": lon.round(6).tolist(), "lat": lat.round(6).tolist()}


def _column(frame: "GeoDataFrame", name: str) -> "pd.Series[Any]":
    if name not in frame.columns:
        raise InvalidInput(
            f"the frame has no column {name!r}; it has {', '.join(map(str, frame.columns))}",
            field="by",
            value=name,
        )
    return frame[name]


def _values(column: "pd.Series[Any]", name: str) -> tuple[list[Any], bool]:
    """Return what JSON can say of a column, instants as milliseconds, and whether they are instants."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        ms = column.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[ms]")
        return [None if pd.isna(v) else int(v.timestamp() * 1000) for v in ms], True
    if name == "time" and pd.api.types.is_integer_dtype(column.dtype):
        return [int(v) // 1000 for v in column], True
    if pd.api.types.is_float_dtype(column.dtype):
        return [None if not np.isfinite(v) else round(float(v), 2) for v in column], False
    return [None if _nothing(v) else _text(v) for v in column], False


def _text(value: object) -> str:
    """Return the value of an enumeration's member, or else what ``str`` says."""
    return str(value.value if isinstance(value, Enum) else value)


def _nothing(value: object) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value))


def _categories(
    frame: "GeoDataFrame",
    by: str | None,
    *,
    colours: Mapping[Any, str] | None = None,
    labels: Mapping[Any, str] | None = None,
) -> dict[str, Any]:
    """Give each value a colour, in the order given or the commonest first; the rest share one."""
    if by is None:
        return {
            "category": [0] * len(frame),
            "categories": [{"label": "全部 All", "colour": COLOURS[0], "count": len(frame)}],
            "others": None,
        }
    column = _column(frame, by)
    counts = column.value_counts()
    order: Sequence[Any] = [v for v in colours if v in counts.index] if colours else list(counts.index)
    chosen = list(order[: len(colours or COLOURS)])
    number = {value: k for k, value in enumerate(chosen)}
    category = [number.get(value, len(chosen)) for value in column.tolist()]
    categories = [
        {
            "label": (labels or {}).get(value, _text(value)),
            "colour": (colours or {}).get(value, COLOURS[k % len(COLOURS)]),
            "count": int(counts[value]),
        }
        for k, value in enumerate(chosen)
    ]
    rest = category.count(len(chosen))
    if rest:
        categories.append({"label": "其他 Others", "colour": OTHERS, "count": rest})
    return {"category": category, "categories": categories, "others": len(chosen) if rest else None}
