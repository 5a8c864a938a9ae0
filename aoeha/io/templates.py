"""Renders files with jinja2. A misspelt name in a template is an error, never an empty line."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from jinja2 import TemplateNotFound as _NotFound

from aoeha.io.host import Place
from aoeha.io.trusted_files import why_untrusted

__all__ = ["CHECKOUT", "RenderError", "render", "template_folders", "write_atomically"]


def _checkout() -> Path | None:
    folder = Path(__file__).parents[2]
    return folder if (folder / "pyproject.toml").is_file() else None


CHECKOUT = _checkout()
"""The source checkout that this package runs from, None when the package is installed."""


class RenderError(Exception):
    """A template cannot be rendered. The message is a sentence."""


def template_folders(place: Place) -> tuple[Path, ...]:
    """Return the template directories: the user's, the source checkout's, the installed one."""
    return (
        place.configuration_directory / "templates",
        *((CHECKOUT / "etc" / "templates",) if CHECKOUT is not None else ()),
        Path(sys.prefix, "share", "aoeha", "etc", "templates"),
    )


def render(folders: tuple[Path, ...], name: str, values: Mapping[str, object]) -> str:
    """Return the template `name` rendered with `values`. The first directory that has it wins. Raises RenderError."""
    environment = Environment(
        loader=FileSystemLoader([str(folder) for folder in folders]),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  # these are configuration files, not web pages
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    own = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if own is not None and own.parent == folders[0] and (why := why_untrusted(own)):
        raise RenderError(f"cannot trust the template {own}: {why}")
    try:
        return environment.get_template(name).render(values)
    except _NotFound:
        searched = ", ".join(str(folder) for folder in folders)
        raise RenderError(f"cannot find the template {name} in {searched}; reinstall aoeha or put one there") from None
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        place = f"{name}:{line}" if line else name
        raise RenderError(f"cannot render the template {place}: {error}") from None


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that a reader sees the old or the new text, never half of one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # exportfs reads only names that end in .exports: a leftover of this one is never taken for a table.
    scratch = path.with_name(f".{path.name}.new")
    scratch.write_text(text)
    os.replace(scratch, path)  # noqa: PTH105  # the one call whose atomicity is documented
