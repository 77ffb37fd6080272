"""On which side of a line a point is, without the error of rounding."""

from numba import njit

_SPLIT = 134_217_729.0  # 2^27 + 1
#: Twice what rounding two products and their difference can make of it, for each part of their sum.
_SURE = 4.0 * 2.0**-53


@njit(cache=True, nogil=True)
def _rest(a: float, b: float, product: float) -> float:
    """Return a b - product, where product is a b rounded (T. J. Dekker, Numerische Mathematik 18, 1971)."""
    t = _SPLIT * a
    a_high = t - (t - a)
    a_low = a - a_high
    t = _SPLIT * b
    b_high = t - (t - b)
    b_low = b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@njit(cache=True, nogil=True)
def cross(ax: float, ay: float, bx: float, by: float) -> float:
    """Return ax by - ay bx with the sign that it has, and 0 only where it is 0.

    Where rounding could hide it, the products are taken with their rests. Of coordinates in one city the
    differences that go in are exact (P. H. Sterbenz, Floating-Point Computation, 1974).
    """
    left, right = ax * by, ay * bx
    value = left - right
    if abs(value) > _SURE * (abs(left) + abs(right)):
        return value
    return value + (_rest(ax, by, left) - _rest(ay, bx, right))
