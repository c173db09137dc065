"""Units, fleets and what they are handed: every process has the settings that it reads, and somebody keeps its log.

Which settings a process reads beside those that every one has is said by hand (`READS`); a unit without a line fails.
"""

import json
import re
from pathlib import Path

import pytest

from infra.stack.deployment import EXAMPLE, read
from infra.stack.environment import DELIVERIES_OUTPUTS, EDGE_OUTPUTS, FLEETS, OUTPUTS, SIMPLEDB_OUTPUTS, environment

HOSTS = Path(__file__).parents[2] / "infra/hosts"
UNITS = HOSTS / "units"
LARGE = Path(__file__).parents[1] / "stack_cdk/large.toml"
FOUND = dict.fromkeys((*OUTPUTS, *SIMPLEDB_OUTPUTS, *EDGE_OUTPUTS, *DELIVERIES_OUTPUTS), "some-name")

EVERY = {"DATABASE_URL", "BASE_DOMAIN", "UPLOAD_HOST", "SCHEME", "PUBLIC_PORT", "AWS_REGION", "CLOUDWATCH_NAMESPACE"}
_OBJECTS, _JOBS = {"BLOBS", "S3_BUCKET"}, {"QUEUE", "SQS_QUEUE"}
_EDGE = {"EDGE", "CLOUDFRONT_DISTRIBUTION", "CLOUDFRONT_BASE_TENANT", "CLOUDFRONT_KEYS", "DOMAIN_TARGET", "DOMAIN_CAS"}
_LOGS = {"DELIVERIES", "CLOUDFRONT_LOG_BUCKET", "CLOUDFRONT_LOG_PREFIX"}
_POST = {"MAIL", "MAIL_FROM", "BILLING", "STRIPE_KEY", "INVOICE_FROM"}
READS: dict[str, set[str]] = {
    # Sessions, share links, CloudFront's cookies; addresses of who asks stand behind two proxies.
    "web": _OBJECTS | _EDGE | _LOGS | _POST | {"STRIPE_WEBHOOK_SECRET", "SECRET_KEY", "PROXIES", "MEDIA_METADATA"},
    # Signs with a secret that is sealed by the key (tenants/webhooks.py).
    "webhooks": {"SECRET_KEY"},
    # Tickets.
    "upload": _OBJECTS | {"SECRET_KEY", "PROXIES"},
    "relay": _OBJECTS | _JOBS,
    "bridge": _JOBS | {"NOTICES", "MAX_RECEIVES"},
    "worker": _OBJECTS | {"WORKERS", "S3_RENDITION_CLASS", "MEDIA_METADATA"},
    "redis": set(),
    "migrate": {"DATABASE_OWNER_URL"},
    "reconcile": _OBJECTS | _JOBS | {"MEDIA_METADATA", "MAX_RECEIVES"},
    "heal": _OBJECTS | {"LOSSES", "SQS_LOST_QUEUE"},
    "billing": _POST | _LOGS | {"CLOUDFRONT_DISTRIBUTION"},
    # The probe of a domain is answered by the web fleet with the same key (tenants/domain_steps.py).
    "domains": _EDGE | {"SECRET_KEY"},
}


def _units(fleet: str) -> list[str]:
    wants = re.findall(r"^Wants=(.+)$", (UNITS / f"vitrine-{fleet}.target").read_text(), re.MULTILINE)
    return re.findall(r"vitrine-([a-z]+)\.service", " ".join(wants))


def test_every_unit_belongs_to_a_fleet_and_is_known_here():
    units = {path.stem.removeprefix("vitrine-") for path in UNITS.glob("vitrine-*.service")}
    assert units == {unit for fleet in FLEETS for unit in _units(fleet)} == set(READS)


# The large one has letters, Stripe and CloudFront's logs, the example none; only reduced redundancy tells of losses.
@pytest.mark.parametrize("path", [EXAMPLE, LARGE], ids=["example", "large"])
@pytest.mark.parametrize("fleet", FLEETS)
def test_a_fleet_is_handed_what_its_processes_read(path, fleet):
    deployment = read(path)
    given = {name.removeprefix("VITRINE_") for name in environment(deployment, FOUND, fleet)}
    optional = {
        "MEDIA_METADATA": deployment.media_metadata != "sql",
        "LOSSES": deployment.rendition_class == "REDUCED_REDUNDANCY",
        "SQS_LOST_QUEUE": deployment.rendition_class == "REDUCED_REDUNDANCY",
        **dict.fromkeys(_LOGS, deployment.deliveries == "cloudfront"),
        **dict.fromkeys(_POST | {"STRIPE_WEBHOOK_SECRET"}, deployment.billing == "stripe"),
    }
    for unit in _units(fleet):
        wanted = {name for name in EVERY | READS[unit] if optional.get(name, True)}
        assert wanted - given == set(), unit


def test_a_log_is_shipped_for_every_unit_and_each_to_its_group():
    agent = json.loads((HOSTS / "ec2/cloudwatch-agent.json").read_text())
    shipped = {
        each["file_path"]: each["log_group_name"] for each in agent["logs"]["logs_collected"]["files"]["collect_list"]
    }
    logs = {f"/var/log/vitrine/vitrine-{unit}.log": f"/vitrine/{unit}" for unit in READS}
    assert shipped == logs | {"/var/log/cloud-init-output.log": "/vitrine/first-boot"}
