"""What can be configured, each with a default that runs.

Read once, in ``create_app`` or the command line, from environment variables (``GEO_POLICING_…``)
and passed down; the library below reads no environment.
"""

import ipaddress
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

_YEAR_S = 366 * 86_400.0


class IngestSettings(BaseSettings):
    """How receivers reach us and what is believed of what they say."""

    model_config = SettingsConfigDict(
        env_prefix="GEO_POLICING_INGEST_", extra="forbid", env_ignore_empty=True, allow_inf_nan=False
    )

    tcp_host: str = Field("127.0.0.1", min_length=1, description="Address on which receivers connect by TCP.")
    tcp_port: int = Field(
        7001, ge=0, le=65535, description="TCP port for NMEA 0183; 0 lets the system choose."
    )
    udp_port: int | None = Field(None, ge=0, le=65535, description="UDP port for NMEA 0183; none by default.")
    lines: dict[str, str] = Field(
        default_factory=dict,
        description="Which device speaks on a line that names none, as JSON: "
        '{"tcp:7001/10.0.0.7": "patrol-07"}; see docs/protocols.md.',
    )
    admit_all: bool = Field(
        False, description="Admit unknown devices that name themselves; quarantine when off."
    )
    batch_rows: int = Field(5_000, ge=1, description="Fixes appended to the history at once, at most.")
    batch_seconds: float = Field(0.2, gt=0, le=60, description="Longest that a fix waits for its batch.")
    max_future_s: float = Field(
        60.0, gt=0, le=_YEAR_S, description="A fix further ahead of the server's clock is refused."
    )
    max_speed_mps: float = Field(100.0, gt=0, description="A jump faster than this is refused.")


class ServiceSettings(BaseSettings):
    """The service and where it keeps things."""

    model_config = SettingsConfigDict(
        env_prefix="GEO_POLICING_", extra="forbid", env_ignore_empty=True, allow_inf_nan=False
    )

    host: str = Field("127.0.0.1", min_length=1, description="Address of the web interface.")
    port: int = Field(
        8000, ge=0, le=65535, description="Port of the web interface; 0 lets the system choose."
    )
    data_dir: Path = Field(Path("var"), description="Folder of the databases; made at first start.")
    roads: Path | None = Field(
        None, description="Road network (.roads); DATA_DIR/city.roads when it is there."
    )
    tiles: Path | None = Field(
        None, description="Basemap (.pmtiles); DATA_DIR/city.pmtiles when it is there."
    )
    speeds: Path | None = Field(
        None, description="Speeds by road class and hour, for reconstructions: a file of `learn-speeds`."
    )
    closed: Path | None = Field(
        None,
        description="Areas that nobody walks across but on roads, for reconstructions on foot: GeoJSON.",
    )
    time_zone: str = Field("Asia/Shanghai", description="Time zone of display; storage is UTC.")
    session_hours: float = Field(
        12.0, gt=0, le=_YEAR_S / 3600, description="A sign-in expires after so many hours."
    )
    heartbeat_seconds: float = Field(
        15.0, gt=0, le=3600, description="Silence on the live stream before a heartbeat."
    )
    search_seconds: float = Field(
        60.0, gt=0, le=3600, description="A search of the history that takes longer is ended."
    )
    answer_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="Answers of searches and reconstructions are deleted after so many days, but for those "
        "of cases that hold fixes; kept when not given.",
    )
    records_url: str | None = Field(
        None, description="SQLAlchemy address of the records; a SQLite file in DATA_DIR by default."
    )
    forwarded_allow_ips: str = Field(
        "",
        description="Addresses or networks of reverse proxies, separated by commas, whose X-Forwarded-For "
        "and X-Forwarded-Proto are believed; none by default.",
    )

    @field_validator("roads", "tiles", "speeds", "closed")
    @classmethod
    def _is_file(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise PydanticCustomError("file", "should be the path of a file that is there")
        return path

    @field_validator("time_zone")
    @classmethod
    def _is_time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise PydanticCustomError(
                "time_zone", "should be a time zone of the IANA database, like Asia/Shanghai"
            ) from None
        return name

    @field_validator("records_url")
    @classmethod
    def _is_database(cls, url: str | None) -> str | None:
        try:
            if url is not None:
                sa.make_url(url).get_dialect()
        except (sa.exc.ArgumentError, ValueError):
            raise PydanticCustomError(
                "records_url",
                "should be the address of a database, like sqlite:////var/lib/geo_policing/records.sqlite "
                "or postgresql+psycopg://user@host/name",
            ) from None
        return url

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _are_addresses(cls, text: str) -> str:
        try:
            for part in text.split(",") if text else ():
                ipaddress.ip_network(part.strip())
        except ValueError:
            raise PydanticCustomError(
                "addresses", "should be addresses or networks separated by commas, like 127.0.0.1,10.0.0.0/8"
            ) from None
        return text
