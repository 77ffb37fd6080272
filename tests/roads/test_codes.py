"""What values in columns mean."""

import pytest

from geo_policing.errors import InvalidInput
from geo_policing.roads import Access, RoadClass
from geo_policing.roads.codes import Codes, text


@pytest.mark.parametrize(
    ("value", "signs"),
    [
        *[(v, "+-") for v in ("", None, float("nan"), "no", "N", 0, 0.0, False, "B", "both", "双向")],
        *[(v, "+") for v in ("yes", "Y", 1, 1.0, True, "F", "FT", " ft ", "true", "单向")],
        *[(v, "-") for v in ("-1", -1, -1.0, "T", "TF", "reverse")],
    ],
)
def test_one_way_codes_of_the_usual_makers_are_known(value, signs):
    codes = Codes()
    assert codes.signs(value) == signs
    assert codes.unknown.total() == 0


def test_an_unknown_code_is_two_way_and_named_with_what_to_say():
    codes = Codes()
    assert [codes.signs("X"), codes.signs("X")] == ["+-", "+-"]
    (note,) = codes.notes()
    assert note.startswith("oneway 'X' of 2 roads has no known meaning, taken as both directions; ")
    assert note.endswith("say what it means with --code oneway:X=…")


def test_what_the_caller_says_goes_before_what_is_usual():
    codes = Codes({("oneway", "1"): "both", ("oneway", "2"): "forward", ("class", "41000"): "expressway"})
    assert [codes.signs(1), codes.signs(2.0), codes.signs(0)] == ["+-", "+", "+-"]
    assert codes.road_class(41000)[0] == RoadClass.EXPRESSWAY
    assert codes.notes() == []


def test_true_and_false_in_one_letter_are_pointed_out():
    codes = Codes()
    assert [codes.signs("T"), codes.signs("F")] == ["-", "+"]
    assert "if they mean true and false say --code oneway:T=forward" in codes.notes()[0]
    codes.signs("B")
    assert codes.notes() == []


@pytest.mark.parametrize(
    ("value", "road_class", "access"),
    [
        ("motorway", RoadClass.EXPRESSWAY, Access.CAR),
        ("Arterial", RoadClass.ARTERIAL, Access.ALL),
        ("次干路", RoadClass.SECONDARY, Access.ALL),
        ("footway", RoadClass.FOOTWAY, Access.FOOT),
        (None, RoadClass.UNKNOWN, Access.ALL),
    ],
)
def test_classes_are_ours_or_openstreetmaps_or_of_the_chinese_standard(value, road_class, access):
    codes = Codes()
    assert codes.road_class(value)[:2] == (road_class, access)
    assert codes.unknown.total() == 0


@pytest.mark.parametrize(
    ("value", "access"),
    [
        ("car", Access.CAR),
        ("bicycle, foot", Access.BICYCLE | Access.FOOT),
        ("机动车", Access.CAR),
        ("all", Access.ALL),
        ("no", Access(0)),
        ("", Access.FOOT),
        ("yes", Access.FOOT),
    ],
)
def test_access_is_that_of_the_value_or_of_the_class(value, access):
    codes = Codes()
    assert codes.access(value, Access.FOOT) == access
    assert codes.unknown.total() == 0


def test_access_in_a_word_nobody_knows_is_that_of_the_class_and_named():
    codes = Codes()
    assert codes.access("camels", Access.ALL) == Access.ALL
    assert "access 'camels' of 1 roads" in codes.notes()[0]


@pytest.mark.parametrize(
    ("value", "kmh"),
    [(50, 50.0), (62.5, 62.5), ("50", 50.0), ("30 mph", 48.28032), (0, 40.0), (None, 40.0), ("none", 40.0)],
)
def test_speeds_are_kmh_unless_they_say_their_unit(value, kmh):
    codes = Codes()
    assert codes.speed_mps(value, 40.0) * 3.6 == pytest.approx(kmh)
    assert codes.unknown.total() == 0


@pytest.mark.parametrize("value", ["fast", 9999, -5])
def test_a_speed_that_cannot_be_is_that_of_the_class_and_named(value):
    codes = Codes()
    assert codes.speed_mps(value, 40.0) * 3.6 == pytest.approx(40.0)
    assert f"speed_kmh {str(value)!r} of 1 roads" in codes.notes()[0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({("colour", "1"): "red"}, "colour has no codes; those that have are oneway, class"),
        (
            {("oneway", "1"): "sideways"},
            "oneway '1' cannot mean 'sideways'; give one of both, forward, backward",
        ),
        ({("class", "1"): "big"}, "class '1' cannot mean 'big'; give one of expressway"),
        ({("access", "1"): "car, camels"}, "access '1' cannot mean 'car, camels'"),
    ],
)
def test_a_meaning_that_is_none_is_refused(given, says):
    with pytest.raises(InvalidInput, match=says):
        Codes(given)


def test_a_class_that_means_none_is_open_to_nobody():
    codes = Codes({("class", "proposed"): "none"})
    _, usual, _ = codes.road_class("proposed")
    assert usual == codes.access("car", usual) == Access(0)


def test_many_unknown_values_are_not_all_named():
    codes = Codes()
    for value in range(100, 125):
        codes.signs(value)
    assert len(codes.notes()) == 11
    assert codes.notes()[-1] == "15 more values of no known meaning"


def test_cells_become_text():
    assert [text(v) for v in (None, float("nan"), 2.0, 2.5, True, " a ")] == ["", "", "2", "2.5", "yes", "a"]
