"""Security headers of every response."""

import base64
import hashlib
from functools import lru_cache

from flask import Flask, Response, g, request
from markupsafe import Markup

from infra.settings import Settings
from webapp.host import MEDIA

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "style-src-attr": "'unsafe-inline'",  # Aspect ratios and placeholder colours of tiles.
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}

_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # A share link's token is in its path: other sites must not read it from a Referer.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def init_app(app: Flask) -> None:
    settings: Settings = app.extensions["vitrine.settings"]
    if settings.scheme == "https":

        @app.after_request
        def only_https(response: Response) -> Response:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
            return response

    app.after_request(_secure)
    app.add_template_global(style_element)


def style_element(text: Markup) -> Markup:
    """`<style>` with that text, which this response's policy then allows by its hash (CSP 3, 6.7.2.3).

    A nonce would do for a page that is made once; a kept page (`webapp/kept.py`) would show the same one to everybody.
    """
    if "styles" not in g:
        g.styles = []
    g.styles.append(_hash(text))
    return Markup(f"<style>{text}</style>")  # noqa: S704 (Markup already)


@lru_cache(maxsize=512)
def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def allow(directive: str, source: str) -> None:
    """Widen one directive of this response's policy, such as `connect-src` by the upload host."""
    if "csp_extra" not in g:
        g.csp_extra = {}
    g.csp_extra.setdefault(directive, []).append(source)


def frame_by(*origins: str) -> None:
    """Let pages of these origins (or `*`) show this response in a frame, which X-Frame-Options cannot say."""
    g.frame_ancestors = " ".join(origins)


def _secure(response: Response) -> Response:
    for name, value in _FIXED.items():
        response.headers.setdefault(name, value)
    if "frame_ancestors" in g:
        del response.headers["X-Frame-Options"]
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers.setdefault("Content-Security-Policy", _policy())
    if "Cache-Control" not in response.headers:
        # Pages depend on the session; the back button may still show them.
        response.headers["Cache-Control"] = "private, no-cache"
    if request.cookies and request.endpoint not in MEDIA:
        # Pictures are the same for whoever may have them: a cookie that is renewed must not make a cache forget them.
        response.vary.add("Cookie")
    return response


def _policy() -> str:
    sources = dict(_POLICY)
    if "styles" in g:
        sources["style-src"] = " ".join([sources["style-src"], *g.styles])
    sources["frame-ancestors"] = g.get("frame_ancestors", sources["frame-ancestors"])
    for directive, extra in g.get("csp_extra", {}).items():
        present = sources.get(directive, "'none'")
        sources[directive] = " ".join(extra if present == "'none'" else [present, *extra])
    return "; ".join(f"{directive} {source}" for directive, source in sources.items())
