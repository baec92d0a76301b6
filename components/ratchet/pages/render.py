"""Templates to pages: whatever comes from a file is shown as text, and nothing is left undefined."""

from functools import cache
from typing import TYPE_CHECKING, Any

from ratchet.pages.text import visible

if TYPE_CHECKING:
    from jinja2 import Environment


def rendered(package: str, template: str, **shown: Any) -> str:
    """The template in a package's folder with these values; `base.html.j2` is the look that all pages share.

    Every value is escaped and made `visible`, but for the pictures, which the template marks as safe.
    """
    return _environment(package).get_template(template).render(**shown)


@cache
def _environment(package: str) -> "Environment":
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=ChoiceLoader([PackageLoader(package, "."), PackageLoader("ratchet.pages", ".")]),
        autoescape=True,  # names and reasons come from files that others wrote
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: Any) -> Any:
    """Plain text made visible; numbers and what is marked as safe as they are."""
    return visible(value) if type(value) is str else value
