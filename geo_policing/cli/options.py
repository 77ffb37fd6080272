"""What several commands read and write alike: settings from options, addresses."""

import os
import re
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

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
        # A part of a setting, like one entry of a mapping, is named behind it.
        name, *parts = (str(part) for part in first["loc"])
        # An address may have a password in it.
        value = re.sub(r"://.*@", "://…@", str(first["input"])[:200], flags=re.DOTALL)
        raise InvalidInput(
            f"setting {'.'.join([name, *parts])} ({group.model_config['env_prefix']}{name.upper()}): "
            f"{first['msg']}, not {value!r}",
            field=name,
            value=value,
        ) from None
    except SettingsError as error:
        found = re.search(r'field "(\w+)"', str(error))
        if found is None:
            raise InvalidInput(f"a setting cannot be read: {error}; write it as JSON") from None
        name = found[1]
        variable = f"{group.model_config['env_prefix']}{name.upper()}"
        value = os.environ.get(variable, "")[:200]
        raise InvalidInput(
            f"setting {name} ({variable}) {value!r} is no JSON; correct it: "
            f"{group.model_fields[name].description}",
            field=name,
            value=value,
        ) from None


def one_line(name: str, text: str, least: int, most: int) -> str:
    """Return a text of one line without the spaces around it.

    Raises
    ------
    InvalidInput
        If it is not one line of so many characters.
    """
    line = text.strip()
    if not (least <= len(line) <= most and line.isprintable()):
        raise InvalidInput(
            f"{name} {text[:60]!r} is not one line of {least} to {most} characters; give it",
            field=name,
            value=text,
        )
    return line


def url(address: tuple[str, int], scheme: str = "http") -> str:
    """Write where browsers or receivers connect, without a slash at the end."""
    host, port = address[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
