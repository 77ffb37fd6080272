"""Which parts of a day are merged, so that few are left and each fix is seldom written again.

The newest ones, from the oldest on that has few fixes beside all that came after it. So each part has a
certain share of what came after it at least, and the number of parts grows with the logarithm of their fixes:
a log-structured merge.
"""

from geo_policing.store.history.manifest import Part

#: Of the running day: of 18 million fixes sealed by a quarter of a million five parts at most, three mostly,
#: and a fix is written again three times before the day has ended.
RUNNING = 0.75
#: Of a day that has ended: a few late fixes do not write the whole day anew.
ENDED = 16.0


def piled_up(parts: tuple[Part, ...], times: float) -> tuple[Part, ...]:
    """Return the parts of a day that are to become one, the newest ones; none, or two at least.

    Parameters
    ----------
    parts : tuple of Part
        All of the day, by id.
    times : float
        A part stays by itself if each from it on has so many times as many fixes as all after that, or more.
    """
    first, after = len(parts), 0
    for number in reversed(range(len(parts))):
        if parts[number].rows < times * after:
            first = number
        after += parts[number].rows
    return parts[first:]
