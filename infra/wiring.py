"""The only file that names an adapter. Each port is chosen by its own setting.

One function a port; each imports the adapter that it was asked for and no other, so one machine never loads boto3.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from infra.local.clock import SystemClock
from infra.ports import (
    BlobStore,
    Clock,
    DeliveryLogs,
    Edge,
    Intake,
    JobQueue,
    KeyValue,
    Losses,
    Mail,
    Metrics,
    Notices,
    Ports,
    Resolver,
)
from infra.settings import Settings, listed

if TYPE_CHECKING:
    from infra.aws.client import Clients

# Renditions, by the layout of their keys (tenants/names.py makes them; a test holds the two together).
RENDITIONS = r"t/[^/]+/r/"


def build(settings: Settings, engine: Engine, *, clock: Clock | None = None) -> Ports:
    """One adapter a port. `engine` serves the adapters that keep their state in SQL."""
    clock = clock or SystemClock()
    blobs, intake = _blobs(settings)
    return Ports(
        blobs=blobs,
        losses=_losses(settings, clock),
        intake=intake,
        queue=_queue(settings, engine, clock),
        media=_media(settings, engine),
        metrics=_metrics(settings, engine, clock),
        edge=_edge(settings, clock),
        deliveries=_deliveries(settings),
        resolver=_LateResolver(listed(settings.dns_servers)),
        notices=_notices(settings),
        mail=_mail(settings),
        clock=clock,
    )


class _LateResolver:
    """Loads its adapter with the first question: most processes never have one, and dnspython takes a moment."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = servers

    def ask(self, name: str, kind: str) -> Sequence[str]:
        return self._adapter.ask(name, kind)

    @cached_property
    def _adapter(self) -> Resolver:
        from infra.local.dns import DnsResolver

        return DnsResolver(self._servers)


def _blobs(settings: Settings) -> tuple[BlobStore, Intake]:
    if settings.blobs == "s3":
        from infra.aws.s3 import S3Store
        from infra.aws.s3_bucket import Bucket

        classes = [(RENDITIONS, settings.s3_rendition_class)]
        store = S3Store(Bucket(_clients(settings), settings.s3_bucket, classes))
        return store, store
    from infra.local.files import FileBlobs

    files = FileBlobs(settings.data_dir / "blobs")
    return files, files


def _losses(settings: Settings, clock: Clock) -> Losses:
    if settings.losses == "sqs":
        from infra.aws.s3_events import S3LostObjects

        return S3LostObjects(_clients(settings), queue=settings.sqs_lost_queue, bucket=settings.s3_bucket)
    from infra.local.no_losses import NoLosses

    return NoLosses(clock)


def _queue(settings: Settings, engine: Engine, clock: Clock) -> JobQueue:
    if settings.queue == "sqs":
        from infra.aws.sqs import SqsQueue

        return SqsQueue(_clients(settings), clock, name=settings.sqs_queue, max_receives=settings.max_receives)
    from infra.local.queue import SqlQueue

    return SqlQueue(engine, clock, max_receives=settings.max_receives)


def _media(settings: Settings, engine: Engine) -> KeyValue:
    if settings.media_metadata == "simpledb":
        from infra.aws.simpledb import SimpleDbKeyValue
        from infra.aws.simpledb_domains import GivenDomains, NamedDomains

        clients = _clients(settings)
        if settings.simpledb_domains:
            return SimpleDbKeyValue(clients, GivenDomains(clients, settings.simpledb_domains))
        named = NamedDomains(clients, settings.simpledb_domain, settings.simpledb_shards)
        return SimpleDbKeyValue(clients, named)
    from infra.local.keyvalue import SqlKeyValue

    return SqlKeyValue(engine)


def _metrics(settings: Settings, engine: Engine, clock: Clock) -> Metrics:
    if settings.metrics == "cloudwatch":
        from infra.aws.cloudwatch import CloudWatchMetrics
        from infra.aws.spool import Spool

        spool = Spool(settings.data_dir / "metrics", max_bytes=settings.metrics_spool_bytes)
        return CloudWatchMetrics(_clients(settings), clock, spool, namespace=settings.cloudwatch_namespace)
    from infra.local.metrics import SqlMetrics

    return SqlMetrics(engine, clock)


def _edge(settings: Settings, clock: Clock) -> Edge:
    # The key that is made from the server's secret comes last: it opens pages from before there were keys of their own.
    secrets = [*listed(settings.edge_keys.get_secret_value()), settings.secret_key.get_secret_value()]
    if settings.edge == "cloudfront":
        from infra.aws.cloudfront import CloudFrontEdge
        from infra.aws.cloudfront_signing import read_signers
        from infra.aws.cloudfront_tenants import Hosting

        hosting = Hosting(
            distribution=settings.cloudfront_distribution,
            connection_group=settings.cloudfront_connection_group,
            base_domain=settings.base_domain,
            base_tenant=settings.cloudfront_base_tenant,
        )
        signers = read_signers(listed(settings.cloudfront_keys))
        return CloudFrontEdge(
            _clients(settings), clock, secrets, signers, hosting, shared_seconds=settings.cloudfront_shared_seconds
        )
    from infra.local.edge import AppEdge

    return AppEdge(secrets, clock)


def _deliveries(settings: Settings) -> DeliveryLogs:
    if settings.deliveries == "cloudfront":
        from infra.aws.client import Clients
        from infra.aws.cloudfront_logs import HOME, CloudFrontLogs

        return CloudFrontLogs(
            _clients(settings),
            Clients(region=HOME, endpoint_url=settings.aws_endpoint_url or None),
            bucket=settings.cloudfront_log_bucket,
            prefix=settings.cloudfront_log_prefix,
            distribution=settings.cloudfront_distribution,
        )
    from infra.local.no_deliveries import NoDeliveryLogs

    return NoDeliveryLogs()


def _notices(settings: Settings) -> Notices:
    if settings.notices == "ec2":
        from infra.aws.imds import Ec2Notices

        return Ec2Notices()
    from infra.local.notices import NoNotices

    return NoNotices()


def _mail(settings: Settings) -> Mail:
    if settings.mail == "smtp":
        from infra.local.smtp import Login, SmtpMail

        login = Login(settings.smtp_user, settings.smtp_password.get_secret_value())
        return SmtpMail(settings.smtp_host, settings.smtp_port, login, sender=settings.mail_from, tls=settings.smtp_tls)
    if settings.mail == "ses":
        from infra.aws.ses import SesMail

        return SesMail(_clients(settings), sender=settings.mail_from)
    from infra.local.letterbox import FolderMail

    return FolderMail(settings.data_dir / "mail", sender=settings.mail_from or f"noreply@{settings.base_domain}")


def _clients(settings: Settings) -> "Clients":
    from infra.aws.client import Clients

    return Clients(region=settings.aws_region, endpoint_url=settings.aws_endpoint_url or None)
