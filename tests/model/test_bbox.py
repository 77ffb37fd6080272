import pytest

from geo_policing.errors import InvalidBoundingBox
from geo_policing.model import BoundingBox


def test_a_box_is_west_south_east_north():
    box = BoundingBox.parse("113.0,27.7,113.3,27.9")
    assert box.contains(113.1, 27.8)
    assert box.contains(113.0, 27.7)
    assert not box.contains(112.9, 27.8)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nan,27,114,28", "not finite"),
        ("113,27,inf,28", "not finite"),
        ("114,27,113,28", "swapped"),
        ("113,28,114,27", "swapped"),
        ("113,27,113,28", "equal"),
        ("27,113,28,114", "latitudes"),
        ("-190,27,114,28", "longitudes"),
        ("113,27,114", "four numbers"),
        ("113,27,114,28,5", "four numbers"),
        ("a,b,c,d", "four numbers"),
        ("", "four numbers"),
    ],
)
def test_a_bad_box_says_what_is_wrong(text, says):
    with pytest.raises(InvalidBoundingBox, match=says):
        BoundingBox.parse(text)
