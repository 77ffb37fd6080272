import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.model import Fix, FixColumns
from geo_policing.model.fix import FIX_SCHEMA

fixes = st.lists(
    st.builds(
        Fix,
        device=st.text(max_size=8),
        time=st.integers(0, 2**60),
        lon=st.floats(-180, 180),
        lat=st.floats(-90, 90),
        alt_m=st.floats(width=32),
        speed_mps=st.floats(width=32),
        quality=st.integers(0, 8),
        satellites=st.integers(0, 255),
        source=st.sampled_from(["", "nmea0183", "nmea0183:tcp:7001"]),
        received=st.integers(0, 2**60),
    ),
    max_size=20,
)


@given(fixes)
def test_columns_give_back_the_fixes_they_were_made_of(rows):
    columns = FixColumns.from_arrow(FixColumns.from_fixes(rows).to_arrow())
    assert len(columns) == len(rows)
    for back, row in zip(columns, rows, strict=True):
        for name in ("device", "time", "lon", "lat", "quality", "satellites", "source", "received"):
            assert getattr(back, name) == getattr(row, name)
        assert back.alt_m == row.alt_m or (math.isnan(back.alt_m) and math.isnan(row.alt_m))


def test_rows_are_taken_by_mask_and_by_slice():
    columns = FixColumns.from_fixes([Fix("a", t, 113.0, 27.8) for t in range(5)])
    assert columns.take(columns.time > 2).time.tolist() == [3, 4]
    assert columns.take(slice(1, 3)).time.tolist() == [1, 2]


def test_the_arrow_form_has_the_columns_of_the_history():
    table = FixColumns.from_fixes([]).to_arrow()
    assert table.schema == FIX_SCHEMA
    assert table.num_rows == 0


def test_json_writes_what_is_unknown_as_null():
    members = Fix("", 1_772_323_200_000_000, 113.1, 27.8, speed_mps=np.nan).as_json()
    assert members["device"] is None
    assert members["speed_mps"] is None
    assert members["time"] == "2026-03-01T00:00:00Z"


def test_fixes_that_say_the_same_are_equal_also_in_what_they_do_not_say():
    one, same = (Fix("car", 1, 113.1, 27.8, speed_mps=float("nan")) for _ in range(2))
    assert one == same
    assert len({one, same}) == 1
    assert one != Fix("car", 1, 113.1, 27.8, speed_mps=0.0)
    assert one != ("car", 1, 113.1, 27.8)
