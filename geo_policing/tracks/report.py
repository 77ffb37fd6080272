"""A report to print: what was put in, with what it was computed, what came out, and how sure that is.

The same document gives the same bytes, so that who doubts it can repeat it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from io import BytesIO
from typing import Any

from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from geo_policing.tracks.figures import Figure, figures

#: A font that readers of PDF carry themselves; it has Chinese and Latin letters.
FONT = "STSong-Light"
#: How wide what is printed is on A4, points.
PRINTED = A4[0] - 84
#: A row does not go over the end of a page, so that the way of hours takes several.
EDGES_A_ROW = 100
#: How many of the gates are told.
GATES_TOLD = 40
WARNING = (
    "概率是地点的概率,不是有罪的概率。 "
    "These are probabilities of places under a model of how people travel, "
    "not of guilt. That the suspect was probably somewhere proves neither that this person was there nor "
    "what was done. The report shows where to look for evidence; it is none itself."
)
_STYLE = """body{font:14px/1.5 "Noto Sans CJK SC","Microsoft YaHei",system-ui,sans-serif;max-width:52em;
margin:2em auto;padding:0 1em;color:#1d2733}h1{font-size:22px}h2{font-size:16px;margin-top:1.6em}
table{border-collapse:collapse;width:100%;font-size:12.5px}th,td{border:1px solid #c5ced8;padding:4px 7px;
text-align:left;vertical-align:top;overflow-wrap:anywhere}th{background:#f3f5f8}
.warning{border:2px solid #b0302a;padding:8px 12px}figure{margin:1em 0;break-inside:avoid}
figure div,.wide{overflow-x:auto}.wide table{min-width:560px}
figure svg{display:block;width:100%;min-width:560px;background:#fff}
figcaption{font-size:12.5px}
@media print{body{margin:0}h2{break-after:avoid}tr{break-inside:avoid}}"""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, what it needs to be read, and a table.

    Parameters
    ----------
    title, note : str
        Plain text.
    head : tuple of str
        Names of the columns.
    rows : sequence of tuple of str
        The table.
    widths : tuple of int
        How wide the columns are beside each other on paper; all the same where there are none.
    """

    title: str
    note: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    widths: tuple[int, ...] = ()


def report_html(document: dict[str, Any], at: datetime | None = None) -> str:
    """Return the report as a page that loads nothing.

    Parameters
    ----------
    document : dict
        What ``geo-policing reconstruct`` writes and the service keeps.
    at : datetime, optional
        Moment of the picture of the regions; see `figures`.

    Raises
    ------
    InvalidInput
        If the moment is outside of the window.
    """
    parts = [f"<p class=warning>{escape(WARNING)}</p>"]
    drawn = figures(document, at)
    for number, section in enumerate(sections(document)):
        parts += [_on_page(figure) for figure in drawn if figure.before == number]
        head = "".join(f"<th>{escape(name)}</th>" for name in section.head)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in section.rows
        )
        note = f"<p>{escape(section.note)}</p>" if section.note else ""
        columns = "".join(f'<col style="width:{w / sum(section.widths):.0%}"/>' for w in section.widths)
        body = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
        # On a narrow screen it is moved sideways: squeezed, its words would be broken anywhere.
        table = f'<div class="wide"><table>{columns}{body}</table></div>'
        parts.append(f"<h2>{escape(section.title)}</h2>{note}{table}")
    title = "轨迹还原报告 Reconstruction of a track"
    return (
        '<!DOCTYPE html><html lang="zh-Hans"><head><meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f'<link rel="icon" href="data:,"/><title>{title}</title><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1>{''.join(parts)}</body></html>"
    )


def report_pdf(document: dict[str, Any], at: datetime | None = None) -> bytes:
    """Return the report as PDF, A4; the same document gives the same bytes. `at` is as for `report_html`."""
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    text = ParagraphStyle("text", fontName=FONT, fontSize=9, leading=13, wordWrap="CJK", spaceAfter=4)
    small = ParagraphStyle("small", parent=text, fontSize=7.5, leading=10, spaceAfter=0)
    head = ParagraphStyle("head", parent=text, fontSize=12, leading=17, spaceBefore=10, keepWithNext=1)
    title = ParagraphStyle("title", parent=text, fontSize=16, leading=22)
    boxed = ParagraphStyle("boxed", parent=text, borderWidth=1, borderColor=colors.red, borderPadding=6)
    story: list[Any] = [
        Paragraph("轨迹还原报告 Reconstruction of a track", title),
        Spacer(1, 8),
        Paragraph(escape(WARNING), boxed),
        Spacer(1, 8),
    ]
    grid = TableStyle(
        [
            ("GRID", (0, 0), (-1, -1), 0.4, colors.HexColor("#c5ced8")),
            ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#f3f5f8")),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ]
    )
    drawn = figures(document, at)
    for number, section in enumerate(sections(document)):
        story += [_on_paper(figure, head, small) for figure in drawn if figure.before == number]
        story.append(Paragraph(escape(section.title), head))
        if section.note:
            story.append(Paragraph(escape(section.note), text))
        cells = [[Paragraph(escape(cell), small) for cell in row] for row in (section.head, *section.rows)]
        weights = section.widths or (1,) * len(section.head)
        widths = [PRINTED * weight / sum(weights) for weight in weights]
        story.append(Table(cells, colWidths=widths, style=grid, repeatRows=1, splitInRow=1))
    written = BytesIO()
    # Without the time of printing and a random id: the same input gives the same bytes.
    invariant, rl_config.invariant = rl_config.invariant, 1
    try:
        SimpleDocTemplate(
            written,
            pagesize=A4,
            leftMargin=42,
            rightMargin=42,
            topMargin=42,
            bottomMargin=48,
            title="Reconstruction of a track",
            author="geo_policing",
            invariant=1,
        ).build(story, onFirstPage=_page_number, onLaterPages=_page_number)
    finally:
        rl_config.invariant = invariant
    return written.getvalue()


def sections(document: dict[str, Any]) -> list[Section]:
    """Return what a report says, in order."""
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for feature in document["features"]:
        by_kind.setdefault(feature["properties"]["what"], []).append(feature["properties"])
    return [
        _inputs(document),
        _sightings(by_kind.get("sighting", [])),
        _paths(by_kind.get("path", [])),
        _regions(by_kind.get("region", [])),
        *([_gates(by_kind["gate"])] if by_kind.get("gate") else []),
        _cameras(by_kind.get("camera", [])),
    ]


def _inputs(document: dict[str, Any]) -> Section:
    case = (
        [("Case 案件", document["case"]), ("Reason 事由", document["reason"])] if "case" in document else []
    )
    rows = [
        *case,
        ("Window 时段", " – ".join(document["window"])),
        ("Travels by 出行方式", document["mode"]),
        *_modes(document.get("modes", [])),
        ("Step, bins 步长", f"{document['step_s']:g} s, {document['bin_m']:.1f} m"),
        ("H3 resolution", str(document["resolution"])),
        ("Seed 随机种子", str(document["seed"])),
        ("Watches in vain 未见监视", str(document["watches"])),
        ("Roads 路网", document["roads"]),
        *((f"SHA-256 of {name}", value) for name, value in sorted(document["inputs"].items())),
        *((name, value) for name, value in sorted(document["versions"].items())),
    ]
    note = "Who has the same inputs and versions gets the same answer, to the byte."
    return Section(
        "输入与版本 Inputs and versions", note, ("", "Value 值"), [(a, b) for a, b in rows], (2, 5)
    )


def _modes(modes: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return how probable each mode is, where that is not known, and why one cannot be."""
    return [
        (
            f"By {one['mode']} 方式概率",
            f"{one['probability']:.1%}, prior 先验 {one['prior']:.1%}"
            + (f"; {one['problem']}" if one["problem"] else ""),
        )
        for one in modes
    ]


def _sightings(found: Sequence[dict[str, Any]]) -> Section:
    rows = []
    for number, one in enumerate(found, 1):
        alone = one["leave_one_out"]
        fits = "—" if alone is None else f"{alone:.3f}" + ("" if one["fits"] else " 不符 does not fit")
        when = one["time"] + ("" if one["until"] is None else " – " + one["until"])
        rows.append(
            (
                *(str(number), when, one["observer"] or "—", one["kind"], f"{one['given_probability']:.2f}"),
                *(f"{one['probability']:.3f}", fits),
            )
        )
    note = (
        "By their numbers in the pictures. Given: as it was entered. After all: that it is the suspect, by "
        "all sightings. By the others: that the suspect was near, by the other sightings alone, each as "
        "probable as it is; small is a misfit."
    )
    head = (
        *("No. 序号", "Time 时间", "Observer 来源", "Kind 类型"),
        *("Given 初值", "After all 后验", "By the others"),
    )
    return Section("目击 Sightings", note, head, rows, (1, 5, 3, 2, 2, 2, 3))


def _paths(found: Sequence[dict[str, Any]]) -> Section:
    rows = []
    for one in found:
        beside = one.get("cells") or [None] * len(one["edges"])
        passed = [
            f"{edge or f'off road {cell}'}@{_time(at)}"
            for edge, cell, at in zip(one["edges"], beside, one["entered"], strict=True)
        ]
        share = "最具代表 representative" if one["kind"] == "best" else f"{one['probability']:.1%}"
        share += f" {one['mode']}" if "mode" in one else ""
        when = _time(one["entered"][0]) + " – " + _time(one["entered"][-1])
        for first in range(0, len(passed), EDGES_A_ROW):
            text = " ".join(passed[first : first + EDGES_A_ROW])
            rows.append((share, when, text) if first == 0 else ("", "", text))
    note = (
        "Edges with the times at which they were entered. Shares are of sampled paths with just these edges."
    )
    return Section("路径 Paths", note, ("Share 占比", "From, to 起止", "Edges 路段"), rows, (2, 2, 7))


def _regions(found: Sequence[dict[str, Any]]) -> Section:
    by_time: dict[str, dict[float, float]] = {}
    for one in found:
        by_time.setdefault(one["time"], {})[one["share"]] = one["area_km2"]
    rows = [(time, f"{areas[0.5]:.3f}", f"{areas[0.9]:.3f}") for time, areas in by_time.items()]
    note = (
        "How small the places are that hold 50 and 90 % of the probability; their cells are in the GeoJSON."
    )
    return Section("可信区域 Credible regions", note, ("Time 时间", "50 % km²", "90 % km²"), rows)


def _gates(found: Sequence[dict[str, Any]]) -> Section:
    rows = [
        (
            one["name"],
            one["kind"],
            _time(one["earliest"]),
            f"{one['passed'][0]:.1%}",
            f"{one['passed'][-1]:.1%}",
            *([_units(one["units"])] if "units" in one else []),
        )
        for one in found[:GATES_TOLD]
    ]
    first, last = _time(found[0]["times"][0]), _time(found[0]["times"][-1])
    note = (
        f"Probability of having passed by {first} and by {last}. Nobody comes there before the earliest time."
    )
    if len(found) > GATES_TOLD:
        note += f" The {GATES_TOLD} likeliest of {len(found)}; all are in the GeoJSON."
    head = ("Gate 卡口", "Kind 类型", "Earliest 最早", first, last)
    if "units" not in found[0]:
        return Section("围堵 Containment", note, head, rows)
    note += (
        " Units: those that are there first, when in the median, and how probably before the suspect. Each "
        "is told for every gate, though it can hold but one."
    )
    return Section("围堵 Containment", note, (*head, "Units 先到警力"), rows, (4, 2, 2, 2, 2, 5))


def _units(arrivals: Sequence[dict[str, Any]]) -> str:
    return (
        ", ".join(f"{one['unit']} {_time(one['arrives'])} ({one['in_time']:.0%})" for one in arrivals) or "—"
    )


def _cameras(found: Sequence[dict[str, Any]]) -> Section:
    rows = [
        (one["camera"] or "—", one["edge"], one["name"] or "—", f"{one['bits']:.3f}", f"{one['passing']:.1%}")
        for one in found
    ]
    note = "Bits that asking there is expected to tell about the path."
    head = ("Camera 摄像机", "Edge 路段", "Road 道路", "Bits", "Passing 经过")
    return Section("下一步查看 Where to look next", note, head, rows)


def _on_page(figure: Figure) -> str:
    caption = f"<figcaption>{escape(figure.caption)}</figcaption>"
    return f"<h2>{escape(figure.title)}</h2><figure><div>{figure.drawing.svg()}</div>{caption}</figure>"


def _on_paper(figure: Figure, head: ParagraphStyle, small: ParagraphStyle) -> KeepTogether:
    parts = [Paragraph(escape(figure.title), head), figure.drawing.flowable(PRINTED - 12, FONT)]
    return KeepTogether([*parts, Spacer(1, 4), Paragraph(escape(figure.caption), small), Spacer(1, 8)])


def _time(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%H:%M:%S")


def _page_number(canvas: Any, page: Any) -> None:
    canvas.setFont(FONT, 8)
    canvas.drawCentredString(A4[0] / 2, 26, str(page.page))
