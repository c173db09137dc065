"""What an operator decides: `deployment.toml`, read once and validated. Defaults start cheap; each knob scales."""

import os
import re
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

EXAMPLE = Path(__file__).with_name("deployment.toml")

# Where SimpleDB is (AWS General Reference, "SimpleDB endpoints").
SIMPLEDB_REGIONS = frozenset(
    {
        "us-east-1",
        "us-west-1",
        "us-west-2",
        "eu-west-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-northeast-1",
        "sa-east-1",
    }
)

MOST_MADE_DOMAINS = 16
"""A managed policy has 6,144 characters, and each domain that a stack makes is named in it."""

EDGE_REGION = "us-east-1"

_PUBLIC_KEY = re.compile(r"-----BEGIN PUBLIC KEY-----\n[A-Za-z0-9+/=\n]+\n-----END PUBLIC KEY-----")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fleet(_Part):
    """One Auto Scaling group. The first instance type is preferred; more of them find Spot capacity more often."""

    instance_types: tuple[str, ...] = Field(min_length=1)
    least: int = Field(ge=1, description="Instances that always run.")
    most: int = Field(ge=1)
    on_demand_base: int = Field(default=0, ge=0, description="So many are On-Demand before any is Spot.")
    on_demand_percent: int = Field(default=100, ge=0, le=100, description="Of those above the base.")
    disk_gib: int = Field(default=20, ge=12, le=16_384)

    @model_validator(mode="after")
    def _ordered(self) -> "Fleet":
        if self.least > self.most:
            raise ValueError("least is more than most")
        return self


class Database(_Part):
    instance_class: str = Field(default="t4g.small", description="Without `db.`.")
    storage_gib: int = Field(default=20, ge=20)
    storage_most_gib: int = Field(default=200, ge=21, description="RDS grows the disk by itself up to here.")
    multi_az: bool = False
    proxy: bool = Field(default=False, description="RDS Proxy, for more connections than the class can hold.")
    backup_days: int = Field(default=7, ge=1, le=35)


class Deployment(_Part):
    """One installation. `name` is part of every physical name, so two of them fit into one account."""

    name: str = Field(default="vitrine", pattern=r"^[a-z][a-z0-9-]{1,20}$")
    account: str = Field(default="", pattern=r"^(\d{12})?$", description="Whoever's credentials deploy, if left out.")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    zones: tuple[str, ...] = Field(min_length=2, max_length=3, description="Of the region, like eu-west-1a.")
    base_domain: str = Field(pattern=r"^[a-z0-9.-]+\.[a-z]+$")
    hosted_zone_id: str = Field(pattern=r"^Z[A-Z0-9]+$", description="Route 53's, of the base domain.")
    release: str = Field(pattern=r"^[A-Za-z0-9._-]+$", description="What infra/hosts/pack.sh made, without .tar.gz.")
    release_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="What its .sha256 file says.")
    cloudfront_public_keys: tuple[str, ...] = Field(min_length=1, max_length=5, description="PEM; the first signs.")
    alarm_mail: str = Field(default="", description="Who gets alarms; nobody if left out.")

    image: str = Field(
        default="/aws/service/debian/release/12/latest/arm64",
        description="SSM parameter with the id of a Debian image.",
    )
    nat_gateways: int = Field(
        default=0, ge=0, le=3, description="0: instances have public addresses and closed doors, and pay no gateway."
    )
    edge: Literal["app", "cloudfront"] = "cloudfront"
    edge_certificate: str = Field(default="", pattern=r"^(arn:aws[a-z-]*:acm:us-east-1:\d{12}:certificate/\S+)?$")
    edge_web_acl: str = Field(default="", pattern=r"^(arn:aws[a-z-]*:wafv2:us-east-1:\d{12}:global/webacl/\S+)?$")
    edge_distribution: str = Field(
        default="", pattern=r"^(E[A-Z0-9]{6,20})?$", description="The edge's `Distribution`."
    )
    deliveries: Literal["app", "cloudfront"] = Field(
        default="app", description="What deliveries are billed by: what the app sends, or CloudFront's access logs."
    )
    mail_from: str = Field(
        default="",
        pattern=r"^([^@\s<>]+@[^@\s<>]+)?$",
        description="The address that letters come from, by SES; without one they stay on the machines.",
    )
    billing: Literal["local", "stripe"] = Field(default="local", description="stripe: infra/stack/stripe.sh first.")
    invoice_from: str = Field(default="", description="The operator's name and address, as invoices show them.")
    media_metadata: Literal["sql", "simpledb"] = "sql"
    simpledb_shards: int = Field(default=4, ge=1, le=100, description="Never changed once there are photos.")
    simpledb_domains: Literal["stack", "named"] = Field(
        default="stack", description="Who makes them: the data stack, or the application by names of its own."
    )
    rendition_class: Literal["STANDARD", "REDUCED_REDUNDANCY", "ONEZONE_IA", "INTELLIGENT_TIERING"] = "STANDARD"
    max_receives: int = Field(default=5, ge=1)
    workers: int = Field(default=2, ge=1, description="A processor's; one a core of the smallest instance type.")
    customer_key: bool = Field(default=False, description="A KMS key of one's own for objects, database and secrets.")
    keep: bool = Field(default=True, description="Buckets, database and secrets outlive their stack.")
    log_days: Literal[7, 14, 30, 90, 180, 365] = 30

    web: Fleet
    upload: Fleet
    processor: Fleet
    keeper: Fleet = Fleet(instance_types=("t4g.micro", "t4g.small"), least=1, most=1)
    database: Database = Database()

    @model_validator(mode="after")
    def _fits(self) -> "Deployment":
        if self.media_metadata == "simpledb" and self.region not in SIMPLEDB_REGIONS:
            raise ValueError(f"media_metadata: there is no SimpleDB in {self.region}")
        keys = [pem.strip() for pem in self.cloudfront_public_keys]
        if not all(_PUBLIC_KEY.fullmatch(key) for key in keys):
            raise ValueError("cloudfront_public_keys: each is what infra/stack/keys.sh prints, a PUBLIC KEY in PEM")
        if len(set(keys)) < len(keys):
            raise ValueError("cloudfront_public_keys: a key is there twice")
        if self.mail_from and self.mail_from.rpartition("@")[2] != self.base_domain:
            raise ValueError(f"mail_from: must be an address at {self.base_domain}, the sender that SES is told of")
        if self.deliveries == "cloudfront" and self.edge != "cloudfront":
            raise ValueError('deliveries: only edge = "cloudfront" has access logs of CloudFront; write "app"')
        if self.deliveries == "cloudfront" and not (self.region == EDGE_REGION or self.edge_distribution):
            raise ValueError(
                f"deliveries: outside of {EDGE_REGION} the delivery of logs has to be told of the distribution. "
                'Deploy with deliveries = "app" first, then copy the edge\'s output Distribution to edge_distribution'
            )
        if self.makes_domains and self.simpledb_shards > MOST_MADE_DOMAINS:
            raise ValueError(
                f"simpledb_shards: a fleet's policy has room for {MOST_MADE_DOMAINS} domains of the stack; "
                'more of them want simpledb_domains = "named"'
            )
        if any(not zone.startswith(self.region) for zone in self.zones):
            raise ValueError("zones: must be of the region")
        return self

    @property
    def makes_domains(self) -> bool:
        """Whether SimpleDB's domains are resources of the data stack."""
        return self.media_metadata == "simpledb" and self.simpledb_domains == "stack"

    @property
    def edge_is_known(self) -> bool:
        """CloudFront takes certificates and web ACLs of us-east-1 alone: from elsewhere they are named by hand."""
        return self.region == EDGE_REGION or bool(self.edge_certificate and self.edge_web_acl)

    @property
    def upload_host(self) -> str:
        return f"upload.{self.base_domain}"

    @property
    def origin_host(self) -> str:
        """Where CloudFront finds the load balancer; nobody else is answered there."""
        return f"origin.{self.base_domain}"


def read(path: Path | None = None) -> Deployment:
    """The file that `VITRINE_DEPLOYMENT` names, or the example. Raises pydantic's ValidationError, OSError."""
    path = path or Path(os.environ.get("VITRINE_DEPLOYMENT", EXAMPLE))
    return Deployment(**tomllib.loads(path.read_text()))
