"""What several commands read and write alike: settings from options, addresses."""

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from geo_policing.errors import InvalidInput

Group = TypeVar("Group", bound=BaseSettings)


def given(group: type[Group], **values: Any) -> Group:
    """Make settings of what was given on the command line, then the environment, then the defaults.

    Raises
    ------
    InvalidInput
        If a value, of the command line or the environment, cannot be used; in one line.
    """
    try:
        return group(**{key: value for key, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            f"setting {name} ({group.model_config['env_prefix']}{name.upper()}): {first['msg']}, "
            f"not {first['input']!r}",
            field=name,
            value=first["input"],
        ) from None


def url(address: tuple[str, int]) -> str:
    """Write where browsers connect."""
    host, port = address[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
