"""The side of a line is told without the error of rounding."""

from fractions import Fraction

import numpy as np

from geo_policing.kernels.exact_cross import cross


def exact(ax, ay, bx, by):
    return Fraction(ax) * Fraction(by) - Fraction(ay) * Fraction(bx)


def sign(value):
    return (value > 0) - (value < 0)


def test_the_sign_is_that_of_fractions_where_rounding_hides_it():
    rng = np.random.default_rng(1)
    hidden = 0
    for ax, ay, share in rng.uniform(-0.1, 0.1, (5_000, 3)).tolist():
        # Nearly along (ax, ay), to the last bits.
        bx, by = ax * share, ay * share
        for up in (0, 1, -1, 2):
            y = by + up * float(np.spacing(by))
            value = exact(ax, ay, bx, y)
            assert sign(cross(ax, ay, bx, y)) == sign(value)
            hidden += sign(ax * y - ay * bx) != sign(value)
    assert hidden > 1000


def test_what_is_along_it_is_zero_and_what_is_not_is_its_value():
    assert cross(0.3, 0.7, 0.3 * 4, 0.7 * 4) == 0
    assert cross(0.0, 0.0, 1.0, 2.0) == 0
    rng = np.random.default_rng(2)
    for four in rng.normal(0, 1, (1_000, 4)).tolist():
        assert abs(cross(*four) - float(exact(*four))) <= 1e-15
