"""What the model of the matcher believes."""

from dataclasses import dataclass

from geo_policing.kernels import map_matching, trace_matching


@dataclass(frozen=True, slots=True)
class MatcherParameters:
    """What the model believes; lengths in metres, costs in nats.

    Parameters
    ----------
    sigma_m : float
        1 sigma of a fix whose accuracy is unknown.
    course_kappa, course_mps : float
        How sharply a course over ground tells the direction of the road, and the speed above which it does.
    radius_m, wide_radius_m : float
        Edges this near are candidates, of a fix of less accuracy those within 3 sigma; of one that has none
        there, those within the wide radius.
    candidates, held : int
        Candidates kept a fix, and states of the fix before that may hold.
    hold_cost, hold_share : float
        Cost of taking a fix for an outlier, and more for each metre from the fix before: the sparser the
        fixes, the more each says, and the fewer of them are outliers.
    jump_cost : float
        Cost of a gap in the network.
    beta_m, beta_share : float
        Scale of what a way costs more than the straight line: a part that is always there and a share.
    detour_cost : float
        No detour costs more: who makes a long one has a reason that the model does not know.
    right_angle_m, crossing_m, u_turn_m, turn_back_m : float
        What turning costs: a right angle, and other angles in proportion; passing a crossing; turning back
        at a crossing; turning back elsewhere, which must not explain jitter.
    through_share : float
        Long roads are better ones: the length of an edge feels shorter with this power of the length of the
        road it is part of, followed straight on through crossings.
    backward_m : float
        Jitter backward along an edge that is standing still.
    thin_m, thin_s, least_m : float
        Fixes nearer than ``thin_m`` to the last one used tell nothing new: errors of neighbours are alike.
        The usual time between fixes over ``thin_s`` makes them less so, exponentially, down to ``least_m``.
    gap_s, gap_intervals : float
        A time without fixes on the path is a gap if longer than both: seconds, and the median interval of
        the trace this many times.
    gap_m : float
        What was passed over a gap or over outliers is inferred if it is this far across.
    fastest_mps : float
        Nobody drives faster: what would take more is a gap too.
    """

    sigma_m: float = 6.0
    course_kappa: float = 1.0
    course_mps: float = 3.0
    radius_m: float = 35.0
    wide_radius_m: float = 200.0
    candidates: int = 10
    held: int = 2
    hold_cost: float = 14.0
    hold_share: float = 0.01
    jump_cost: float = 22.0
    beta_m: float = 8.5
    beta_share: float = 0.08
    detour_cost: float = 36.0
    right_angle_m: float = 13.0
    crossing_m: float = 4.0
    u_turn_m: float = 70.0
    turn_back_m: float = 160.0
    through_share: float = 0.045
    backward_m: float = 25.0
    thin_m: float = 35.0
    thin_s: float = 30.0
    least_m: float = 5.0
    gap_s: float = 15.0
    gap_intervals: float = 4.0
    gap_m: float = 100.0
    fastest_mps: float = 70.0

    @property
    def model(self) -> map_matching.Model:
        """What the kernels take of it."""
        return map_matching.Model(
            *(float(self.hold_cost), float(self.hold_share), float(self.jump_cost)),
            *(float(self.beta_m), float(self.beta_share), float(self.detour_cost)),
            *(float(self.backward_m), float(self.turn_back_m)),
        )

    @property
    def reading(self) -> trace_matching.Reading:
        """What the kernels take of it to read fixes."""
        return trace_matching.Reading(
            sigma_m=float(self.sigma_m),
            course_kappa=float(self.course_kappa),
            course_mps=float(self.course_mps),
            radius_m=float(self.radius_m),
            wide_radius_m=float(self.wide_radius_m),
            candidates=self.candidates,
            held=self.held,
            thin_m=float(self.thin_m),
            thin_s=float(self.thin_s),
            least_m=float(self.least_m),
            gap_s=float(self.gap_s),
            gap_intervals=float(self.gap_intervals),
            gap_m=float(self.gap_m),
            fastest_mps=float(self.fastest_mps),
        )
