"""Pages that are no maps, from the templates beside."""

from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template; every value is escaped, and halves of surrogate pairs become question marks."""
    text = _TEMPLATES.get_template(template).render(**values)
    return HTMLResponse(text.encode("utf-8", "replace"), status)
