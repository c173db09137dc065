"""What proxies and the domain doctor ask this deployment about hosts, before any of them is a tenant's."""

import ipaddress

from flask import Flask, Response, request

from infra.errors import Problem
from infra.settings import listed
from tenants import domain_steps, domains
from tenants.db import db
from tenants.scope import settings

ASK_PATH = "/.well-known/certificate-ask"
_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "Via", "X-Real-IP")


def init_app(app: Flask) -> None:
    app.add_url_rule("/.well-known/host-probe/<nonce>", "host_probe", _probe)
    app.add_url_rule(ASK_PATH, "certificate_ask", _ask)


def _probe(nonce: str) -> Response:
    """Proves to the doctor (`tenants/probe.py`) that a request under this host arrived here."""
    host = domains.normalise(request.headers.get("Host", ""))
    answer = domain_steps.prober().answer(nonce, host) if host else None
    if answer is None:
        raise Problem("not-found")
    return _plain(answer)


def _ask() -> Response:
    """200 if the proxy may get a certificate for `domain`, else 404: the contract of Caddy's on-demand TLS.

    Only for a proxy of ours that asks by itself. What it passes on for somebody else is not answered: from there, any
    stranger could ask.
    """
    if not _is_asked_by_proxy():
        raise Problem("not-found")
    host = domains.normalise(request.args.get("domain", ""))
    if host is None or not _is_served(host):
        raise Problem("not-found")
    return _plain("yes")


def _is_asked_by_proxy() -> bool:
    original = request.environ.get("werkzeug.proxy_fix.orig", {})
    peer = original.get("REMOTE_ADDR") or request.environ.get("REMOTE_ADDR", "")
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False  # A socket of the file system has no address.
    networks = [ipaddress.ip_network(network) for network in listed(settings().certificate_askers)]
    return any(address in network for network in networks if network.version == address.version)


def _is_served(host: str) -> bool:
    chosen = settings()
    if host in (chosen.base_domain, chosen.upload_host):
        return True
    return domains.resolve(db.session(), host, chosen.base_domain) is not None


def _plain(text: str) -> Response:
    response = Response(text + "\n", content_type="text/plain; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    return response
