"""Who asks first, on a machine that has compiled nothing yet, is not told that it took too long."""

import numba

from geo_policing.model import Halt
from geo_policing.service.compiling import compiling_s


def new_kernel():
    return numba.njit(lambda x: x * x + 1.0)


def test_the_clock_goes_while_something_is_compiled_and_stands_otherwise():
    kernel = new_kernel()
    before = compiling_s()
    kernel(3.0)
    after = compiling_s()
    assert after > before
    assert kernel(4.0) == 17.0
    assert compiling_s() == after


def test_a_search_may_compile_for_longer_than_it_may_take():
    limit_s, began_s = 2.0, compiling_s()
    with Halt(limit_s, compiling_s) as halt:
        while compiling_s() - began_s < 1.5 * limit_s:
            new_kernel()(3.0)
            halt.check()
        assert halt.took_s < limit_s
        assert halt.flag.tolist() == [0]
