"""A town of walkers in a history, what is asked of it over the API, and how an answer is looked at."""

import json
import sqlite3
import time

import numpy as np
import shapely

from geo_policing.model import TimeWindow, format_instant, parse_instant
from tests.tracks.searches.towns import MIDNIGHT, SOUTH, STEP, WEST, town

CASE = "A20260302001"
URL = f"/api/investigations/{CASE}/searches"
WHY = {"reason": "盗窃案嫌疑车辆排查"}
MINUTE = 60_000_000
DAY = 86_400_000_000
SEED = 11


def span(start_us, end_us):
    return f"{format_instant(start_us)}/{format_instant(end_us)}"


def window(text):
    return TimeWindow.parse(text)


TWO_DAYS = span(MIDNIGHT - DAY, MIDNIGHT + DAY)
EVENING = span(MIDNIGHT - 50 * MINUTE, MIDNIGHT + 50 * MINUTE)


def wait_until(true, most_s=60):
    end = time.monotonic() + most_s
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def geojson(shape):
    return json.loads(json.dumps(shape.__geo_interface__))


def history():
    """Six who walk about, one who follows the first, and one who does so under community corrections."""
    found = town(np.random.default_rng(SEED))
    found["follower"] = [(t + 20_000_000, x, y) for t, x, y in found["d0"]]
    found["ankle"] = [(t + 10_000_000, x, y) for t, x, y in found["d0"]]
    return found


def ask(client, name, **question):
    answer = client.post(f"{URL}/{name}", json=WHY | question)
    assert answer.status_code == 200, answer.text
    return answer.json()


def areas():
    """Three areas on the way of the first: around where it begins, where it is later, and where it ends."""
    track = history()["d0"]
    return [
        shapely.box(x - size * STEP, y - size * STEP, x + size * STEP, y + size * STEP)
        for (_, x, y), size in zip((track[0], track[12], track[-1]), (1.5, 1, 0.5), strict=True)
    ]


WHOLE = shapely.box(WEST - STEP, SOUTH - STEP, WEST + 11 * STEP, SOUTH + 11 * STEP)


def proofs(answer, rank):
    return [
        f
        for f in answer["features"]
        if f["properties"].get("rank") == rank and f["properties"]["what"] != "place"
    ]


def check_evidence(answer, town_found):
    """Each stretch of evidence is of fixes that the device has sent, around the time it is told for."""
    for result in answer["results"]:
        found = proofs(answer, result["rank"])
        assert len(found) == min(result["evidence"], 25) > 0
        for feature in found:
            about = feature["properties"]
            sent = {(format_instant(t), round(x, 7), round(y, 7)) for t, x, y in town_found[about["device"]]}
            told = {
                (t, x, y)
                for t, (x, y) in zip(about["times"], feature["geometry"]["coordinates"], strict=True)
            }
            assert told
            assert told <= sent
            assert set(about["sources"]) == {"nmea0183"}
            assert about["fixes"] >= len(about["times"])
            assert parse_instant(about["from"]) <= parse_instant(about["until"])


def newest(admin):
    return admin.get("/api/looks", params={"limit": 1}).json()["looks"][0]


def change(folder, sql):
    with sqlite3.connect(folder / "records.sqlite") as db:
        db.execute(sql)
    db.close()


POINT = {"type": "Point", "coordinates": [113.14, 27.83], "radius_m": 100}
SQUARE = [[113.13, 27.83], [113.14, 27.83], [113.14, 27.84], [113.13, 27.84], [113.13, 27.83]]


def poly(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


TEN_YEARS = "2016-01-01T00:00:00Z/2026-01-01T00:00:00Z"
A_DAY = "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z"
BOW = [[113.13, 27.83], [113.14, 27.84], [113.14, 27.83], [113.13, 27.84], [113.13, 27.83]]
WIDE = [[113.0, 27.0], [115.0, 27.0], [115.0, 29.0], [113.0, 29.0], [113.0, 27.0]]
PLACE = {"area": POINT, "window": A_DAY}
