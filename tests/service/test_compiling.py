"""Who asks first, on a machine that has compiled nothing yet, is not told that it took too long."""

from concurrent.futures import ThreadPoolExecutor

import numba

from geo_policing.model import Halt
from geo_policing.service.compiling import compiling_here


def new_kernel():
    return numba.njit(lambda x: x * x + 1.0)


def test_the_clock_goes_while_its_thread_compiles_and_stands_otherwise():
    kernel, compiling_s = new_kernel(), compiling_here()
    before = compiling_s()
    kernel(3.0)
    after = compiling_s()
    assert after > before
    assert kernel(4.0) == 17.0
    assert compiling_s() == after


def test_what_another_thread_compiles_counts_for_that_one_alone():
    with ThreadPoolExecutor(1) as pool:
        theirs, mine = pool.submit(compiling_here).result(), compiling_here()
        before = (theirs(), mine())
        assert pool.submit(new_kernel(), 3.0).result() == 10.0
    assert theirs() > before[0]
    assert mine() == before[1]


def test_a_search_may_compile_for_longer_than_it_may_take():
    limit_s, compiling_s = 2.0, compiling_here()
    began_s = compiling_s()
    with Halt(limit_s, compiling_here) as halt:
        while compiling_s() - began_s < 1.5 * limit_s:
            new_kernel()(3.0)
            halt.check()
        assert halt.took_s < limit_s
        assert halt.flag.tolist() == [0]
