"""What an import of roads read, mended and left out."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any


def _count(label: str) -> Any:
    return field(default=0, metadata={"label": label})


@dataclass
class Report:
    """Counts of one import; lengths in metres along directed edges.

    What each count says in words is its label in `rows`.
    """

    source: str = ""
    roads: int = _count("roads read")
    no_lines: int = _count("features that are no lines, left out")
    no_geometry: int = _count("features without a readable geometry, left out")
    multi_lines: int = _count("lines of several parts, taken apart")
    split_lines: int = _count("lines split where they meet others")
    closed: int = _count("roads open to nobody, left out")
    missing_nodes: int = _count("nodes that roads name and the file lacks")
    mended_gaps: int = _count("short gaps at such nodes, drawn straight")
    ends_without_id: int = _count("ends without a node id, joined by place")
    ends_apart: int = _count("ends far from their node id's place, joined by place")
    snapped_ends: int = _count("ends moved to a node within the tolerance")
    touching_ends: int = _count("ends on another line between its vertices, joined there")
    repeated_ids: int = _count("ids that stand for several roads, numbered")
    zero_length: int = _count("edges of no length, dropped")
    merged_nodes: int = _count("nodes merged at such edges")
    duplicates: int = _count("duplicate edges, merged")
    self_loops: int = _count("self-loops, kept")
    restrictions: int = _count("turn restrictions in force")
    restrictions_over_ways: int = _count("turn restrictions over a way, not supported")
    restrictions_unusable: int = _count("turn restrictions that fit no edges or several")
    pieces: int = _count("disconnected pieces")
    dropped_pieces: int = _count("small pieces, dropped")
    dropped_edges: int = _count("edges of these")
    dropped_m: float = _count("metres of these")
    nodes: int = _count("nodes")
    edges: int = _count("directed edges")
    length_m: float = _count("metres of road, each direction counted")
    bounds: tuple[float, float, float, float] | None = None
    notes: list[str] = field(default_factory=list)

    def rows(self) -> list[tuple[str, str]]:
        """Return (what, how many) of each count that is not zero."""
        counts = [(f.metadata["label"], getattr(self, f.name)) for f in fields(self) if "label" in f.metadata]
        return [(label, f"{count:,.0f}") for label, count in counts if count]

    def to_json(self) -> dict[str, Any]:
        """Return all counts, zeros too, and the notes."""
        return asdict(self)
