"""``geo-policing search NAME …``: the detectives' searches, recorded as those of the service."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from geo_policing.tracks.inquiry import Question, Search

#: Options of every search, beside those of its question.
_COMMON = {
    "case": Annotated[str, typer.Option(help="Number of the case.")],
    "reason": Annotated[str, typer.Option(help="What it is for; it is recorded.")],
    "out": Annotated[
        Path | None, typer.Option(help="GeoJSON to write: results, and the fixes that prove them.")
    ],
    "map": Annotated[Path | None, typer.Option("--map", help="Map to write: HTML, one file.")],
    "tiles": Annotated[Path | None, typer.Option(help="Ground of the map (.pmtiles).")],
    "roads": Annotated[
        Path | None, typer.Option(help="Road network (.roads); DATA_DIR/city.roads when it is there.")
    ],
    "data_dir": Annotated[
        Path | None,
        typer.Option(
            help="Folder of the databases; as the service has it by default (GEO_POLICING_DATA_DIR)."
        ),
    ],
}
#: How shapes are given on the command line, by the kind that the question says of its field.
_SHAPES = {
    "area": "GeoJSON file of the area, or LON,LAT,METRES of a circle.",
    "line": "GeoJSON file of the line.",
    "places": "GeoJSON file: a FeatureCollection of areas, each with a window (start/end) in its properties.",
    "collection": "GeoJSON or CSV file of sightings and watches, as for geo-policing reconstruct.",
}


class Searches(TyperGroup):
    """One command a search, made of the table of searches when it is needed, so that help stays instant."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - as typer calls it
        """Return the names of the searches."""
        from geo_policing.tracks.inquiry import SEARCHES

        return list(SEARCHES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - as typer calls it
        """Return the command of a search, or nothing."""
        from geo_policing.tracks.inquiry import SEARCHES

        search = SEARCHES.get(cmd_name)
        if search is None:
            return None
        one = typer.Typer(add_completion=False, rich_markup_mode=None)
        one.command(cmd_name)(_command(cmd_name, search))
        return typer.main.get_command(one)


search = typer.Typer(
    cls=Searches,
    help="Search the history for a case; who asked what and why is recorded.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _command(name: str, search: "Search") -> Any:
    """Make the function of a command with an option for each field of the question."""

    def run(**given: Any) -> None:
        _run(name, search, given)

    options = {field: _option(info) for field, info in search.question.model_fields.items()}
    required = [
        "case",
        "reason",
        *(f for f, info in search.question.model_fields.items() if info.is_required()),
    ]
    kinds: dict[str, Any] = _COMMON | options
    parameters = [
        inspect.Parameter(
            field,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field in required else _default(search, field),
            annotation=kinds[field],
        )
        for field in dict.fromkeys([*required, *options, *_COMMON])
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = dict(kinds)
    run.__doc__ = f"{search.title.split()[0]} {search.definition}"
    return run


def _option(info: "FieldInfo") -> Any:
    extra = info.json_schema_extra
    kind = str(extra.get("kind", "")) if isinstance(extra, dict) else ""
    if kind in _SHAPES:
        return Annotated[str | None, typer.Option(help=_SHAPES[kind])]
    kind_of: Any = info.annotation
    if list in {get_origin(part) for part in (kind_of, *get_args(kind_of))}:
        kind_of = list[str] | None  # the command line knows no lists of more than that
    return Annotated[kind_of, typer.Option(help=info.description)]


def _default(search: "Search", field: str) -> Any:
    info = search.question.model_fields.get(field)
    # What the question makes itself where nothing is given, like no scenes, stays for it to make.
    return None if info is None or info.default_factory is not None else info.default


def _run(name: str, search: "Search", given: dict[str, Any]) -> None:
    import getpass
    import json
    from zoneinfo import ZoneInfo

    from geo_policing.cli.options import given as settings_of
    from geo_policing.cli.options import one_line
    from geo_policing.cli.writing import write_private
    from geo_policing.errors import InvalidInput, Unavailable
    from geo_policing.service.searches import Asker, ask
    from geo_policing.service.tracks import Tracks
    from geo_policing.settings import ServiceSettings
    from geo_policing.store import FixStore, open_records

    for field in ("out", "map"):
        path: Path | None = given[field]
        if path is not None and not path.parent.is_dir():
            raise InvalidInput(f"{path.parent} is no folder; make it first", field=field, value=str(path))
    question = _question(search, given)
    case, reason = one_line("case", given["case"], 1, 64), one_line("reason", given["reason"], 4, 500)
    asker = Asker(case, reason, getpass.getuser(), "command line", "", f"geo-policing search {name}")
    settings = settings_of(ServiceSettings, data_dir=given["data_dir"], roads=given["roads"])
    fixes = settings.data_dir / "fixes.duckdb"
    beside = settings.data_dir / "city.roads"
    if not fixes.is_file():
        raise Unavailable(f"there is no history at {fixes}; name its folder with --data-dir")
    with open_records(settings.data_dir, settings.records_url) as records, FixStore(fixes) as store:
        tracks = Tracks(store, records, settings.roads or (beside if beside.is_file() else None))
        answer = ask(store, records, tracks, ZoneInfo(settings.time_zone), name, question, asker)
    if given["out"] is not None:
        write_private(given["out"], json.dumps(answer, ensure_ascii=False))
    if given["map"] is not None:
        from geo_policing.maps import render, search_map
        from geo_policing.model import BoundingBox

        # The main urban area, where nobody was found and no area was asked for.
        page = search_map(
            answer,
            tiles_url=given["tiles"],
            bounds=BoundingBox(113.0, 27.7, 113.27, 27.96),
            time_zone=settings.time_zone,
        )
        write_private(given["map"], render(page, None))
    for note in answer["notes"]:
        typer.echo(note, err=True)
    for result in answer["results"]:
        print(*(_shown(value) for value in result.values()), sep="\t")
    if answer["next"] is not None:
        typer.echo(f"{answer['found']} found; the next ones with --skip {answer['next']}", err=True)


def _question(search: "Search", given: dict[str, Any]) -> "Question":
    from pydantic import ValidationError

    from geo_policing.errors import InvalidInput

    values = {}
    for field, info in search.question.model_fields.items():
        extra = info.json_schema_extra
        kind = extra.get("kind") if isinstance(extra, dict) else None
        read = _READERS.get(str(kind))
        if given[field] is not None:
            values[field] = read(given[field], field) if read else given[field]
    try:
        return search.question.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise InvalidInput(
            f"{name} {str(first['input'])[:60]!r}: {first['msg']}; correct it", field=name
        ) from None


def _area(text: str, field: str) -> dict[str, Any]:
    """Read an area: a file, or a circle."""
    parts = text.split(",")
    if len(parts) == 3:
        try:
            lon, lat, radius_m = map(float, parts)
        except ValueError:
            return _one_shape(text, field)
        return {"type": "Point", "coordinates": [lon, lat], "radius_m": radius_m}
    return _one_shape(text, field)


def _one_shape(text: str, field: str) -> dict[str, Any]:
    """Read a geometry or feature of a file; a collection must have one."""
    from geo_policing.errors import InvalidFile

    found = _json(text, field)
    if found.get("type") != "FeatureCollection":
        return found
    features = found.get("features")
    if not isinstance(features, list) or len(features) != 1 or not isinstance(features[0], dict):
        raise InvalidFile(f"{field}: {text} has not exactly one feature; leave one", field=field, value=text)
    return features[0]


def _places(text: str, field: str) -> list[dict[str, Any]]:
    """Read areas with their windows."""
    from geo_policing.errors import InvalidFile

    features = _json(text, field).get("features")
    if not isinstance(features, list) or not all(isinstance(one, dict) for one in features):
        raise InvalidFile(
            f"{field}: {text} is no FeatureCollection; give areas, each with a window in its properties",
            field=field,
            value=text,
        )
    places = []
    for number, feature in enumerate(features, 1):
        about = feature.get("properties")
        window = about.get("window") if isinstance(about, dict) else None
        if not isinstance(window, str):
            raise InvalidFile(
                f"{field}: {text}: feature {number} has no window in its properties; write start/end there",
                field="window",
            )
        places.append({"area": feature, "window": window})
    return places


def _collection(text: str, field: str) -> dict[str, Any]:  # noqa: ARG001 - as the others are called
    """Read sightings: rows of a CSV file become features that say in their properties where."""
    from geo_policing.cli.reconstruct import rows_of

    features = [{"type": "Feature", "geometry": None, "properties": row} for row in rows_of(Path(text))]
    return {"type": "FeatureCollection", "features": features}


def _json(text: str, field: str) -> dict[str, Any]:
    import json

    from geo_policing.errors import InvalidFile

    try:
        found = json.loads(Path(text).read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InvalidFile(
            f"{field}: {text} is no JSON ({error}); correct it", field=field, value=text
        ) from None
    except OSError as error:
        raise InvalidFile(
            f"{field}: {text} cannot be read ({error.strerror}); correct its name", field=field, value=text
        ) from None
    if not isinstance(found, dict):
        raise InvalidFile(f"{field}: {text} is no GeoJSON; give an object", field=field, value=text)
    return found


_READERS: dict[str, Callable[[str, str], Any]] = {
    "area": _area,
    "line": _one_shape,
    "places": _places,
    "collection": _collection,
}


def _shown(value: Any) -> str:
    return "" if value is None else ",".join(map(str, value)) if isinstance(value, list) else str(value)
