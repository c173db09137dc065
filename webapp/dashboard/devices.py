"""Browsers as people call them."""

from flask_babel import gettext as _


def name(agent: str) -> str:
    """Of a User-Agent: `Firefox on Android`."""
    from ua_parser import parse  # Its table of patterns is large: only who looks at the list loads it.

    found = parse(agent[:300])
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    if browser and system:
        return str(_("%(browser)s on %(system)s", browser=browser, system=system))
    return browser or system or str(_("An unknown browser"))
