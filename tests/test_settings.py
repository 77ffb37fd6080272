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
