"""Security headers of every response."""

import secrets

from flask import Flask, Response, g, request

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
    app.context_processor(lambda: {"csp_nonce": csp_nonce})


def csp_nonce() -> str:
    """This response's nonce for `<style>` elements."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


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
    if "csp_nonce" in g:
        sources["style-src"] += f" 'nonce-{g.csp_nonce}'"
    sources["frame-ancestors"] = g.get("frame_ancestors", sources["frame-ancestors"])
    for directive, extra in g.get("csp_extra", {}).items():
        present = sources.get(directive, "'none'")
        sources[directive] = " ".join(extra if present == "'none'" else [present, *extra])
    return "; ".join(f"{directive} {source}" for directive, source in sources.items())
