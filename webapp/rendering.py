"""Large pages as bytes."""

from typing import Any

from flask import current_app


def rendered(template: str, **context: Any) -> bytes:
    """`flask.render_template` as UTF-8, encoded piece by piece.

    A page of 200 tiles is 300 kB of ASCII with a few dots and dashes between. As one string it would be widened to two
    bytes a character for their sake, and encoding that takes four times as long.
    """
    app = current_app
    app.update_template_context(context)
    found = app.jinja_env.get_template(template)
    if not isinstance(found.globals, dict):  # A chain of dictionaries, which is copied entry by entry for each page.
        found.globals = dict(found.globals)
    return b"".join([piece.encode() for piece in found.generate(context)])
