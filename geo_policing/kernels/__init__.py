"""numba: arrays in, arrays out, one algorithm a file, no I/O, no Python objects.

May import: numpy, numba, each other.
"""
