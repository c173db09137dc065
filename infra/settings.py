"""The environment, read once, validated, frozen.

Every setting is an environment variable with the prefix ``VITRINE_``. A wrong one stops the process at start with
one line that names the variable and says what is wrong (`load`).
"""

import contextlib
import os
import re
import secrets
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MIB = 1024 * 1024
GIB = 1024 * MIB
S3_MOST = 10_000 * 5 * MIB

# (setting, choice): the settings without which that adapter cannot work.
_NEEDS = {
    ("blobs", "s3"): ("aws_region", "s3_bucket"),
    ("losses", "sqs"): ("aws_region", "s3_bucket", "sqs_lost_queue"),
    ("queue", "sqs"): ("aws_region", "sqs_queue"),
    ("media_metadata", "simpledb"): ("aws_region", "simpledb_domain"),
    ("metrics", "cloudwatch"): ("aws_region",),
    ("deliveries", "cloudfront"): ("aws_region", "cloudfront_distribution", "cloudfront_log_bucket"),
    ("billing", "stripe"): ("stripe_key",),  # And the web fleet, to which webhooks come, their secret.
    ("mail", "smtp"): ("smtp_host", "mail_from"),
    ("mail", "ses"): ("aws_region", "mail_from"),
    ("edge", "cloudfront"): (
        "cloudfront_distribution",
        "cloudfront_connection_group",
        "cloudfront_base_tenant",
        "cloudfront_keys",
        "domain_target",
    ),
}


def listed(text: str) -> list[str]:
    """The parts of a setting that holds several, separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


class SettingsError(SystemExit):
    """Raised with one line per mistake; as a SystemExit it ends a command without a traceback."""


class Settings(BaseSettings):
    """Sizes are bytes, durations seconds, addresses absolute URLs without a trailing slash."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_", frozen=True, extra="ignore")

    data_dir: Path = Path("var")
    secret_key: SecretStr = SecretStr("")

    # Which adapter stands behind each port; `infra/wiring.py` reads these and nothing else does.
    blobs: Literal["files", "s3"] = "files"
    losses: Literal["none", "sqs"] = "none"
    queue: Literal["sql", "sqs"] = "sql"
    media_metadata: Literal["sql", "simpledb"] = "sql"
    metrics: Literal["sql", "cloudwatch"] = "sql"
    edge: Literal["app", "cloudfront"] = "app"
    deliveries: Literal["app", "cloudfront"] = "app"
    notices: Literal["none", "ec2"] = "none"
    mail: Literal["folder", "smtp", "ses"] = "folder"

    # Who is told of usage and collects the money; `billing/backend.py` reads it and nothing else does.
    billing: Literal["local", "stripe"] = "local"
    invoice_from: str = Field(default="", description="The operator's name and address, as invoices show them.")
    stripe_key: SecretStr = SecretStr("")
    stripe_webhook_secret: SecretStr = Field(default=SecretStr(""), description="Several, with commas: any one fits.")
    stripe_api: str = Field(default="", pattern=r"^(https?://\S+)?$", description="Another server than Stripe's.")

    # What the adapters for AWS need; `_NEEDS` says which of them needs what.
    aws_region: str = Field(default="", pattern=r"^[a-z0-9-]*$")
    aws_endpoint_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Another server that speaks AWS's protocols, for all of it.",
    )
    s3_bucket: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$")
    s3_rendition_class: Literal["STANDARD", "REDUCED_REDUNDANCY", "ONEZONE_IA", "INTELLIGENT_TIERING"] = "STANDARD"
    sqs_queue: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,75}$")
    sqs_lost_queue: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,80}$")
    simpledb_domain: str = Field(default="", pattern=r"^([A-Za-z0-9_.-]{3,250})?$")
    simpledb_shards: int = Field(default=4, ge=1, le=100, description="Never changed once items are stored.")
    simpledb_domains: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), max_length=100, description="Domains that a stack made, in the order of shards, comma-separated."
    )
    cloudwatch_namespace: str = Field(default="Vitrine", pattern=r"^[A-Za-z0-9._/#-][A-Za-z0-9._/#:-]{0,254}$")
    metrics_spool_bytes: int = Field(default=64 * MIB, ge=MIB, description="On disk while CloudWatch is away.")

    cloudfront_distribution: str = Field(default="", description="Id of the multi-tenant distribution.")
    cloudfront_connection_group: str = Field(default="", description="Id of the connection group of custom domains.")
    cloudfront_base_tenant: str = Field(default="", description="Name of the distribution tenant of *.<base domain>.")
    cloudfront_keys: str = Field(default="", description="`<public key id>=<PEM file>`, comma-separated, newest first.")
    cloudfront_log_bucket: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$")
    cloudfront_log_prefix: str = Field(default="", description="What the names of its access logs begin with.")
    cloudfront_shared_seconds: int = Field(default=3600, ge=1, description="How long CloudFront keeps a picture.")

    # Invitations and budgets by mail.
    mail_from: str = Field(default="", pattern=r"^([^@\s<>]+@[^@\s<>]+)?$", description="The address mails come from.")
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"

    database_url: str = ""
    database_owner_url: str = Field(default="", description="For migrations: the role that owns the tables.")
    database_pool_size: int = Field(default=8, ge=1, le=100, description="Connections a process keeps (PostgreSQL).")
    database_pool_overflow: int = Field(default=8, ge=0, le=100, description="Connections it may open on top.")
    database_recycle: int = Field(default=1800, ge=1, description="Seconds after which a connection is replaced.")
    database_timeout: int = Field(default=5, ge=1, le=60, description="Seconds to wait for a connection.")
    redis_url: str = "redis://127.0.0.1:8009/0"

    # Where the outside reaches the fleets.
    base_domain: str = "localhost"
    scheme: Literal["http", "https"] = "http"
    web_port: int = Field(default=8000, ge=1, le=65535)
    upload_port: int = Field(default=8001, ge=1, le=65535)
    upload_host: str = ""
    operator_host: str = Field(default="", description="The operator console's own; the base domain by default.")
    public_port: int | None = Field(default=None, description="Port in public links, when a proxy stands in front.")
    proxies: int = Field(default=0, ge=0, le=4, description="How many trusted proxies set X-Forwarded-*.")

    # Tenants' own domains, and the pictures on them.
    edge_keys: SecretStr = Field(default=SecretStr(""), description="Secrets of media addresses, newest first.")
    domain_target: str = Field(default="", description="Where a CNAME points; the tenant's sub-domain by default.")
    domain_addresses: Annotated[tuple[IPv4Address | IPv6Address, ...], NoDecode] = Field(
        default=(), description="Where A and AAAA point, comma-separated."
    )
    domain_cas: str = Field(default="letsencrypt.org", description="Who issues certificates, as CAA records say it.")
    dns_servers: str = Field(default="", description="`address:port`, comma-separated; the machine's own by default.")
    certificate_askers: str = Field(default="127.0.0.0/8,::1/128", description="Networks of proxies that may ask.")

    webhook_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        default=(), description="Private networks that tenants' webhooks may reach, comma-separated."
    )

    # Limits.
    max_upload_bytes: int = Field(default=20 * GIB, ge=1)
    upload_expiry: int = Field(default=24 * 3600, ge=60, description="Seconds an idle upload is kept.")
    ticket_ttl: int = Field(default=6 * 3600, ge=60)
    min_free_bytes: int = Field(default=256 * MIB, ge=0, description="Less room on disk makes a fleet not ready.")
    max_pixels: int = Field(default=200_000_000, ge=1, description="Width x height x frames, checked before decoding.")
    max_video_seconds: int = Field(default=4 * 3600, ge=1)

    kept_pages_mb: int = Field(
        default=32, ge=0, le=4096, description="Memory for pages that a web process keeps, compressed; 0 keeps none."
    )
    downloads_at_once: int = Field(default=4, ge=1, le=10_000, description="Archives that a process sends at once.")

    # Processing.
    workers: int = Field(default=2, ge=1, le=256)
    visibility: int = Field(default=60, ge=2, description="Seconds a received message stays invisible between beats.")
    max_receives: int = Field(default=5, ge=1, description="After so many receives a message is a dead letter.")
    sandbox: Literal["auto", "bwrap", "unshare", "rlimits"] = "auto"
    video_threads: int = Field(default=2, ge=1, le=64, description="Threads of each codec that ffmpeg runs.")

    # Billing.
    metering_lateness: int = Field(default=600, ge=0, description="Seconds after its end until an hour is closed.")
    metering_patience: int = Field(
        default=24 * 3600, ge=0, description="Seconds after its end that an hour waits for metrics that are missing."
    )
    metering_overlap: int = Field(
        default=3600, ge=2, description="Longer than any transaction that records usage, in seconds."
    )

    aws_prices: Path | None = Field(default=None, description="What AWS asks; `infra/cost/prices.toml` by default.")

    # The end of a tenant.
    erasure_grace_days: int = Field(default=14, ge=0, le=365, description="Days in which an erasure can be undone.")
    backup_days: int = Field(default=35, ge=0, le=3650, description="Days that backups are kept; receipts say so.")

    log_format: Literal["text", "json"] = "text"

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("domain_addresses", "webhook_networks", "simpledb_domains", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return listed(value) if isinstance(value, str) else value

    @field_validator("simpledb_domains")
    @classmethod
    def _are_domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in value if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", name)]:
            raise ValueError(f"{wrong[0]!r} is no name of a SimpleDB domain")
        if len(set(value)) < len(value):
            raise ValueError("a domain is named twice")
        return value

    @field_validator("dns_servers")
    @classmethod
    def _are_addresses(cls, value: str) -> str:
        for server in listed(value):
            ip_address(server.rpartition(":")[0] if server.count(":") == 1 else server)
        return value

    @field_validator("certificate_askers")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for network in listed(value):
            ip_network(network)
        return value

    @field_validator("cloudfront_keys")
    @classmethod
    def _are_pairs(cls, value: str) -> str:
        if any(not all(pair.partition("=")) for pair in listed(value)):
            raise ValueError("write each key as <public key id>=<PEM file>")
        return value

    @field_validator("edge_keys")
    @classmethod
    def _are_long(cls, value: SecretStr) -> SecretStr:
        if any(len(secret) < 32 for secret in listed(value.get_secret_value())):
            raise ValueError("each needs at least 32 characters")
        return value

    @field_validator("database_url", "database_owner_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("must begin with postgresql:// or sqlite:///")
        return value

    @model_validator(mode="after")
    def _derive(self) -> "Settings":
        # Frozen for everyone else: defaults that depend on other fields are filled in here, once.
        fill = object.__setattr__
        if not self.database_url:
            fill(self, "database_url", f"sqlite:///{self.data_dir / 'vitrine.db'}")
        if not self.database_owner_url:
            fill(self, "database_owner_url", self.database_url)
        if self.database_owner_url.startswith("sqlite") != self.database_url.startswith("sqlite"):
            raise ValueError("database_owner_url: must be on the same kind of database as database_url")
        if self.blobs == "s3" and self.max_upload_bytes > S3_MOST:
            raise ValueError(f"max_upload_bytes: S3 takes {S3_MOST} at most, in 10,000 parts of at least 5 MiB")
        if self.simpledb_domain and self.simpledb_domains:
            raise ValueError("simpledb_domain: not together with simpledb_domains, which names each of them")
        if not self.upload_host:
            fill(self, "upload_host", f"upload.{self.base_domain}")
        if not self.operator_host:
            fill(self, "operator_host", self.base_domain)
        if len(self.secret_key.get_secret_value()) < 32 and self.secret_key.get_secret_value():
            raise ValueError("secret_key: needs at least 32 characters; leave it out to have one made")
        return self

    @property
    def upload_url(self) -> str:
        """Where tus clients create uploads, without the path."""
        return self._origin(self.upload_host, self.upload_port)

    def site_url(self, host: str) -> str:
        """The public origin of a tenant's host."""
        return self._origin(host, self.web_port)

    @property
    def site_port(self) -> int:
        """The port of public links to a tenant's site."""
        return self.public_port or self.web_port

    def _origin(self, host: str, port: int) -> str:
        shown = self.public_port or port
        standard = {"http": 80, "https": 443}[self.scheme]
        return f"{self.scheme}://{host}" + ("" if shown == standard else f":{shown}")

    @property
    def secure_cookies(self) -> bool:
        """`__Host-` cookies need Secure, and browsers accept Secure over http only on localhost names."""
        return self.scheme == "https" or self.base_domain.rpartition(".")[2] == "localhost"


def load(**overrides: object) -> Settings:
    """Settings from the environment; `SettingsError` with one clear line per mistake.

    Without ``VITRINE_SECRET_KEY`` a key is made on first use and kept in the data folder, so sessions and signed
    links survive a restart of a one-machine deployment.
    """
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]  # pydantic validates what a caller hands in
    except ValidationError as error:
        lines = []
        for mistake in error.errors():
            name = "VITRINE_" + "_".join(str(part) for part in mistake["loc"]).upper()
            lines.append(f"{name.rstrip('_')}: {mistake['msg']}")
        raise wrong(lines) from None
    if lines := _missing(settings):
        raise wrong(lines)
    if not settings.secret_key.get_secret_value():
        object.__setattr__(settings, "secret_key", SecretStr(_kept_key(settings.data_dir)))
    return settings


def wrong(lines: list[str]) -> SettingsError:
    """What stops a start: a line for each mistake."""
    return SettingsError("Wrong settings, nothing was started.\n" + "\n".join(lines))


def _missing(settings: Settings) -> list[str]:
    """A line for each setting that a chosen adapter cannot do without."""
    wanted: dict[str, list[str]] = {}
    for (port, choice), needed in _NEEDS.items():
        if getattr(settings, port) == choice:
            for name in needed:
                if not getattr(settings, name):
                    wanted.setdefault(name, []).append(f"VITRINE_{port.upper()}={choice}")
    if settings.simpledb_domains:
        wanted.pop("simpledb_domain", None)  # They are named one by one.
    return [f"VITRINE_{name.upper()}: is needed by {' and '.join(by)}" for name, by in wanted.items()]


def _kept_key(data_dir: Path) -> str:
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / "secret_key"
    if not path.exists():
        made = data_dir / f".secret_key.{secrets.token_hex(8)}"
        made.touch(mode=0o600)
        made.write_text(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(made, path)  # The fleets of one machine start together: one of them is first, whole.
        made.unlink()
    return path.read_text()
