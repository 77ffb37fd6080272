"""The matcher for the live city: fixes of many devices as they come in to places that become final."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo_policing.errors import InvalidInput
from geo_policing.kernels import edge_candidates, online_matching
from geo_policing.kernels.online_matching import Final
from geo_policing.matching.matcher import Matcher
from geo_policing.matching.trace import Trace
from geo_policing.roads import RoadNetwork


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where n devices likeliest are, not final: of each the place of the last fix that told something new.

    Parameters
    ----------
    edge : (n,) int32
        -1 where there is none: nothing was heard, no road is near, or that fix is likeliest an outlier. All
        others are NaN there.
    offset_m : (n,) float64
        How far along the edge.
    lon, lat : (n,) float64
        That place, degrees WGS 84.
    distance_m : (n,) float64
        How far the fix was from it.
    time_s : (n,) float64
        Of that fix. Those that came later were too near to it to tell anything new.
    """

    edge: NDArray[np.int32]
    offset_m: NDArray[np.float64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    distance_m: NDArray[np.float64]
    time_s: NDArray[np.float64]


class OnlineMatcher:
    """Match the fixes of many devices to one network, fix by fix, with the model of `Matcher`.

    Parameters
    ----------
    roads : Matcher or RoadNetwork
        The matcher whose network, tables and parameters are used; of a network one is made.
    devices : int
        How many devices there are; they are numbered from 0. `grow` makes room for more.
    lag_s, lag_fixes : float, int
        A place is final at the latest when lag_fixes later fixes of its device were used, or when the first
        of these is more than lag_s old: the place of one that stands waits until it moves on.

    Raises
    ------
    InvalidInput
        If a number of devices or a lag makes no sense.
    """

    def __init__(
        self, roads: Matcher | RoadNetwork, devices: int, *, lag_s: float = 10.0, lag_fixes: int = 5
    ) -> None:
        if devices < 1:
            raise InvalidInput(f"{devices} devices; give 1 or more", field="devices", value=devices)
        if not lag_s >= 0.0:
            raise InvalidInput(f"lag_s is {lag_s}; give 0 s or more", field="lag_s", value=lag_s)
        if lag_fixes < 0:
            raise InvalidInput(
                f"lag_fixes is {lag_fixes}; give 0 or more", field="lag_fixes", value=lag_fixes
            )
        self.matcher = roads if isinstance(roads, Matcher) else Matcher(roads)
        self.lag_s, self.lag_fixes = float(lag_s), int(lag_fixes)
        self._reading, self._model = self.matcher.parameters.reading, self.matcher.parameters.model
        self._devices = online_matching.devices(devices, self.lag_fixes, self._reading)

    @property
    def n_devices(self) -> int:
        """Number of devices."""
        return len(self._devices.heard)

    @property
    def state_bytes(self) -> int:
        """Memory that the state of each device takes."""
        return sum(column.nbytes for column in self._devices) // self.n_devices

    def grow(self, devices: int) -> None:
        """Make room for more devices; those there are keep their numbers and what was heard of them.

        All their state is copied: double it rather than add one by one.

        Raises
        ------
        InvalidInput
            If there are more already.
        """
        if devices < self.n_devices:
            raise InvalidInput(
                f"there are {self.n_devices} devices already and {devices} would be fewer; give more",
                field="devices",
                value=devices,
            )
        self._devices = online_matching.grown(self._devices, devices, self.lag_fixes, self._reading)

    def feed(
        self,
        device: ArrayLike,
        t_s: ArrayLike,
        lon: ArrayLike,
        lat: ArrayLike,
        *,
        speed_mps: ArrayLike | None = None,
        course_deg: ArrayLike | None = None,
        accuracy_m: ArrayLike | None = None,
    ) -> Final:
        """Take fixes of any devices, those of each in order of time.

        Parameters
        ----------
        device : (n,) array_like of int
            Whose fix it is.
        t_s : (n,) array_like
            Seconds. A fix older than one of its device before it is passed over.
        lon, lat : (n,) array_like
            Degrees WGS 84.
        speed_mps, course_deg, accuracy_m : (n,) array_like, optional
            As in `Matcher.match`.

        Returns
        -------
        Final
            Places that became final, in order for each device. Of fixes that told nothing new, or have no
            road near them, there is none; of an outlier one with edge -1.

        Raises
        ------
        InvalidInput
            If a length differs, a device is not known, or a time or position is not finite or off the earth;
            then no fix was taken.
        """
        trace = Trace.checked(t_s, lon, lat, speed_mps, course_deg, accuracy_m, ordered=False)
        who = self._known(device)
        if len(who) != len(trace):
            raise InvalidInput(
                f"device has {len(who)} values but t_s has {len(trace)}; give one for each fix",
                field="device",
                value=len(who),
            )
        x, y = self.matcher.network.plane.forward(trace.lon, trace.lat)
        graph = self.matcher.graph
        return online_matching.feed(
            *(who, trace.t_s, x, y, trace.speed_mps, trace.course_deg, trace.accuracy_m),
            *(self.lag_s, self.lag_fixes, graph.grid, graph.shapes, graph.ways, graph.table),
            *(self._reading, self._model, self._devices),
        )

    def finish(self, device: ArrayLike) -> Final:
        """Tell all places of some devices (n,) that are not final yet; the next fix of each starts anew."""
        return online_matching.finish(self._known(device), self._reading, self._model, self._devices)

    def now(self, device: ArrayLike) -> Places:
        """Return where some devices (n,) likeliest are.

        Raises
        ------
        InvalidInput
            If a device is not known.
        """
        who, graph, network = self._known(device), self.matcher.graph, self.matcher.network
        edge, offset_m, time_s = online_matching.likeliest(who, self._reading.candidates, self._devices)
        shapes = graph.shapes
        x, y = edge_candidates.points(edge, offset_m, shapes.offset, shapes.x, shapes.y, shapes.along)
        lon, lat = network.plane.inverse(x, y)
        last_x, last_y = self._devices.origin_x[who, 0], self._devices.origin_y[who, 0]
        return Places(edge, offset_m, lon, lat, np.hypot(x - last_x, y - last_y), time_s)

    def _known(self, device: ArrayLike) -> NDArray[np.int64]:
        given = np.asarray(device)
        if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
            raise InvalidInput(
                f"device is {given.dtype} of the shape {given.shape}; give one whole number for each fix",
                field="device",
                value=given.shape,
            )
        who = given.astype(np.int64)
        unknown = (who < 0) | (who >= self.n_devices)
        if unknown.any():
            at = int(np.argmax(unknown))
            raise InvalidInput(
                f"fix {at}: device {who[at]} is none of the {self.n_devices}, which are numbered from 0",
                field="device",
                value=int(who[at]),
            )
        return who
