from pathlib import Path

import pytest

from geo_policing.cli.options import given
from geo_policing.errors import InvalidInput
from geo_policing.settings import IngestSettings, ServiceSettings

DOCS = Path(__file__).parent.parent / "docs" / "settings.md"


@pytest.mark.parametrize("group", [ServiceSettings, IngestSettings])
def test_every_setting_is_documented_and_nothing_else(group):
    prefix = group.model_config["env_prefix"]
    names = {f"{prefix}{name.upper()}" for name in group.model_fields}
    other = "GEO_POLICING_INGEST_" if group is ServiceSettings else "no such prefix"
    written = {
        line.split("`")[1] for line in DOCS.read_text().splitlines() if line.startswith(f"| `{prefix}")
    }
    assert {name for name in written if not name.startswith(other)} == names


def test_what_is_given_wins_over_the_environment_and_that_over_the_default(monkeypatch):
    monkeypatch.setenv("GEO_POLICING_PORT", "9000")
    monkeypatch.setenv("GEO_POLICING_HOST", "10.0.0.1")
    settings = given(ServiceSettings, port=9001, host=None)
    assert (settings.port, settings.host, settings.time_zone) == (9001, "10.0.0.1", "Asia/Shanghai")


def test_a_setting_that_cannot_be_used_is_named_with_its_variable(monkeypatch):
    monkeypatch.setenv("GEO_POLICING_INGEST_TCP_PORT", "70000")
    with pytest.raises(InvalidInput, match=r"GEO_POLICING_INGEST_TCP_PORT.*65535.*70000"):
        given(IngestSettings)


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("TIME_ZONE", "Mars/Olympus", "like Asia/Shanghai"),
        ("TIME_ZONE", "../../etc/passwd", "like Asia/Shanghai"),
        ("SESSION_HOURS", "nan", "finite number"),
        ("SESSION_HOURS", "inf", "finite number"),
        ("SESSION_HOURS", "1e300", "less than or equal to 8784"),
        ("HEARTBEAT_SECONDS", "inf", "finite number"),
        ("ROADS", "/no/such/city.roads", "a file that is there"),
        ("TILES", "/", "a file that is there"),
        ("RECORDS_URL", "records.sqlite", "like sqlite:///"),
        ("RECORDS_URL", "mongodb://host/name", "like sqlite:///"),
        ("RECORDS_URL", "postgresql://host:port/name", "like sqlite:///"),
        ("FORWARDED_ALLOW_IPS", "*", "like 127.0.0.1,10.0.0.0/8"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.1/8", "like 127.0.0.1,10.0.0.0/8"),
    ],
)
def test_a_setting_that_would_fail_later_is_refused_at_the_start(monkeypatch, variable, value, remedy):
    monkeypatch.setenv(f"GEO_POLICING_{variable}", value)
    with pytest.raises(InvalidInput) as refused:
        given(ServiceSettings)
    said = str(refused.value)
    assert f"(GEO_POLICING_{variable})" in said
    assert remedy in said
    assert repr(value) in said
    assert "\n" not in said


@pytest.mark.parametrize("name", ["batch_seconds", "max_future_s", "max_speed_mps"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_what_is_believed_of_receivers_has_finite_bounds(name, value):
    with pytest.raises(InvalidInput, match=name):
        given(IngestSettings, **{name: value})


@pytest.mark.parametrize("url", ["mongodb://user:secret@host/name", "secret://a:secret@b@c/d"])
def test_the_password_in_an_address_is_not_told_again(monkeypatch, url):
    monkeypatch.setenv("GEO_POLICING_RECORDS_URL", url)
    with pytest.raises(InvalidInput) as refused:
        given(ServiceSettings)
    assert ":secret@" not in str(refused.value)
    assert ":secret@" not in str(refused.value.value)


def test_no_host_is_not_every_host():
    with pytest.raises(InvalidInput, match=r"setting host \(GEO_POLICING_HOST\).*at least 1 character"):
        given(ServiceSettings, host="")
    with pytest.raises(InvalidInput, match="setting tcp_host"):
        given(IngestSettings, tcp_host="")


def test_an_empty_variable_is_not_set(monkeypatch):
    for name in ("ROADS", "TIME_ZONE", "RECORDS_URL", "PORT", "FORWARDED_ALLOW_IPS"):
        monkeypatch.setenv(f"GEO_POLICING_{name}", "")
    assert given(ServiceSettings) == ServiceSettings()


def test_what_can_be_used_is_taken(monkeypatch, tmp_path):
    roads = tmp_path / "city.roads"
    roads.touch()
    monkeypatch.setenv("GEO_POLICING_ROADS", str(roads))
    monkeypatch.setenv("GEO_POLICING_RECORDS_URL", "postgresql+psycopg://user:secret@host/name")
    monkeypatch.setenv("GEO_POLICING_FORWARDED_ALLOW_IPS", "127.0.0.1, ::1, 10.0.0.0/8")
    settings = given(ServiceSettings)
    assert (settings.roads, settings.records_url) == (roads, "postgresql+psycopg://user:secret@host/name")


def test_a_setting_that_is_no_json_is_named_with_its_variable_its_value_and_an_example(monkeypatch):
    monkeypatch.setenv("GEO_POLICING_INGEST_LINES", "{x")
    with pytest.raises(
        InvalidInput, match=r"GEO_POLICING_INGEST_LINES\) '\{x' is no JSON; .*\"patrol-07\""
    ) as refused:
        given(IngestSettings)
    assert (refused.value.field, refused.value.value) == ("lines", "{x")
