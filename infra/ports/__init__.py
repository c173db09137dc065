"""The ports: small Protocols whose docstrings are the contract. `tests/contracts` runs each against every adapter."""

from dataclasses import dataclass

from infra.ports.attributes import KeyValue
from infra.ports.blobs import BlobInfo, BlobStore, Intake, IntakeWriter, Loss, Losses
from infra.ports.delivery import Delivery, DeliveryLogs, Edge, LogFile, NoAnswer, Resolver, Serving
from infra.ports.jobs import MAX_DELAY, Depth, ForgettingQueue, JobQueue, Message, SearchableQueue, Whereabouts
from infra.ports.machine import Clock, Notices
from infra.ports.mail import Letter, Mail
from infra.ports.metrics import MAX_DIMENSIONS, ForgettingMetrics, Metrics, check_dimensions

__all__ = [
    "MAX_DELAY",
    "MAX_DIMENSIONS",
    "BlobInfo",
    "BlobStore",
    "Clock",
    "Delivery",
    "DeliveryLogs",
    "Depth",
    "Edge",
    "ForgettingMetrics",
    "ForgettingQueue",
    "Intake",
    "IntakeWriter",
    "JobQueue",
    "KeyValue",
    "Letter",
    "LogFile",
    "Loss",
    "Losses",
    "Mail",
    "Message",
    "Metrics",
    "NoAnswer",
    "Notices",
    "Ports",
    "Resolver",
    "SearchableQueue",
    "Serving",
    "Whereabouts",
    "check_dimensions",
]


@dataclass(frozen=True)
class Ports:
    """What `wiring.build` returns: one adapter a port."""

    blobs: BlobStore
    losses: Losses
    intake: Intake
    queue: JobQueue
    media: KeyValue
    metrics: Metrics
    edge: Edge
    deliveries: DeliveryLogs
    resolver: Resolver
    notices: Notices
    mail: Mail
    clock: Clock
