"""What the model of the matcher believes."""

from dataclasses import dataclass


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
        Edges this near are candidates; the wide radius serves where no fix of a trace has one.
    candidates, held : int
        Candidates kept a fix, and states of the fix before that may hold.
    hold_cost : float
        Cost of taking a fix for an outlier.
    jump_cost : float
        Cost of a gap in the network.
    beta_m, beta_share : float
        Scale of |route - straight|: a part that is always there and a share of the straight way.
    backward_m : float
        Jitter backward along an edge that is standing still.
    u_turn_m : float
        Cost of turning back where the road goes on.
    thin_m : float
        Fixes nearer than this to the last one used tell nothing new.
    gap_s, gap_intervals : float
        A time without fixes on the path is a gap if longer than both: seconds, and the median interval of
        the trace this many times.
    gap_m : float
        What was passed over a gap or over outliers is inferred if it is this far across.
    fastest_mps : float
        Nobody drives faster: what would take more is a gap too.
    """

    sigma_m: float = 5.0
    course_kappa: float = 1.0
    course_mps: float = 3.0
    radius_m: float = 50.0
    wide_radius_m: float = 200.0
    candidates: int = 12
    held: int = 4
    hold_cost: float = 8.0
    jump_cost: float = 25.0
    beta_m: float = 8.0
    beta_share: float = 0.05
    backward_m: float = 40.0
    u_turn_m: float = 60.0
    thin_m: float = 10.0
    gap_s: float = 15.0
    gap_intervals: float = 4.0
    gap_m: float = 100.0
    fastest_mps: float = 70.0
