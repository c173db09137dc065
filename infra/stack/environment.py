"""The application's own settings, from what the stacks made.

One mapping for both readers: the stacks put it into SSM parameters, with CloudFormation's references as values; an
operator gets the same lines from `cdk deploy --outputs-file outputs.json`:

    python -m infra.stack.environment outputs.json web

They are what `infra/hosts/ec2/fetch_settings.py` reads: `${secret:NAME}` stands for a secret's value, which a host asks
for when it starts, so that no secret is in a template, a parameter or an output.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.stack.deployment import Deployment, read

FLEETS = ("web", "upload", "processor", "keeper")
SIGNING = ("web", "upload", "keeper")
"""Who signs and checks sessions, tickets and media addresses. The keeper proves that a domain leads here by an answer
that the web fleet signs (`tenants/domain_steps.py`), opens receipts of erasure, and mints the operator's codes."""
POSTING = ("web", "keeper")
"""Who sends letters and talks to Stripe: the dashboard (invitations, Checkout) and the loop of `billing run` (budgets,
meter events). Webhooks come to the web fleet alone."""
EDGED = ("web", "keeper")
"""Who tells CloudFront about domains: the dashboard at once, the loop of `domains check` in the end."""

# What the stacks export under these names.
OUTPUTS = ("Bucket", "Queue", "LostQueue", "Database")
DELIVERIES_OUTPUTS = ("DeliveriesBucket",)
SIMPLEDB_OUTPUTS = ("MediaDomains",)
EDGE_OUTPUTS = ("Distribution", "ConnectionGroup", "BaseTenant", "RoutingEndpoint", "PublicKeys")

LOG_PREFIX = "AWSLogs/"
"""What CloudWatch Logs' deliveries to a bucket begin with, before the account."""
CERTIFICATE_AUTHORITIES = "/etc/vitrine/authorities.pem"
SIMPLEDB_DOMAIN_SUFFIX = "media"


def environment(deployment: Deployment, outputs: Mapping[str, str], fleet: str) -> dict[str, str]:
    """VITRINE_* of a fleet, and files by their path.

    `outputs` has `OUTPUTS`; `EDGE_OUTPUTS` for those who talk to CloudFront; `SIMPLEDB_OUTPUTS` where the stack makes
    domains; `DELIVERIES_OUTPUTS` where CloudFront's logs are read. Raises KeyError for one that is missing.
    """
    settings = _adapters(deployment, outputs, fleet) | _addresses(deployment, fleet)
    settings["DATABASE_URL"] = _database(deployment, outputs, "serving")
    if fleet == "keeper":
        settings["DATABASE_OWNER_URL"] = _database(deployment, outputs, "owner")
    if fleet in SIGNING:
        settings["SECRET_KEY"] = _secret(secret_name(deployment, "secret-key"))
    if fleet in POSTING:
        settings |= _correspondence(deployment, fleet)
    made = {f"VITRINE_{name}": value for name, value in settings.items()}
    if fleet in EDGED and deployment.edge == "cloudfront":
        made |= _edge(deployment, outputs)
        if deployment.deliveries == "cloudfront":
            # The web fleet has to know that it does not count; the keeper reads.
            made["VITRINE_DELIVERIES"] = "cloudfront"
            made["VITRINE_CLOUDFRONT_LOG_BUCKET"] = outputs["DeliveriesBucket"]
            made["VITRINE_CLOUDFRONT_LOG_PREFIX"] = LOG_PREFIX
    return made


def _adapters(deployment: Deployment, outputs: Mapping[str, str], fleet: str) -> dict[str, str]:
    settings = {
        "AWS_REGION": deployment.region,
        "BLOBS": "s3",
        "S3_BUCKET": outputs["Bucket"],
        "S3_RENDITION_CLASS": deployment.rendition_class,
        "QUEUE": "sqs",
        "SQS_QUEUE": outputs["Queue"],
        "MAX_RECEIVES": str(deployment.max_receives),
        "METRICS": "cloudwatch",
        "CLOUDWATCH_NAMESPACE": namespace(deployment),
    }
    if deployment.media_metadata == "simpledb":
        settings["MEDIA_METADATA"] = "simpledb"
        if deployment.makes_domains:
            settings["SIMPLEDB_DOMAINS"] = outputs["MediaDomains"]
        else:
            settings["SIMPLEDB_DOMAIN"] = simpledb_domain(deployment)
            settings["SIMPLEDB_SHARDS"] = str(deployment.simpledb_shards)
    if fleet == "processor":
        settings["NOTICES"] = "ec2"
        settings["WORKERS"] = str(deployment.workers)
    if fleet == "keeper" and reports_losses(deployment):
        settings["LOSSES"] = "sqs"
        settings["SQS_LOST_QUEUE"] = outputs["LostQueue"]
    return settings


def _addresses(deployment: Deployment, fleet: str) -> dict[str, str]:
    # CloudFront and the load balancer, or the load balancer alone.
    hops = 2 if fleet == "web" and deployment.edge == "cloudfront" else 1
    return {
        "BASE_DOMAIN": deployment.base_domain,
        "UPLOAD_HOST": deployment.upload_host,
        "SCHEME": "https",
        "PUBLIC_PORT": "443",
        "PROXIES": str(hops),
    }


def _correspondence(deployment: Deployment, fleet: str) -> dict[str, str]:
    """Letters, invoices, Stripe."""
    settings = {}
    if deployment.mail_from:
        settings |= {"MAIL": "ses", "MAIL_FROM": deployment.mail_from}
    if deployment.invoice_from:
        settings["INVOICE_FROM"] = deployment.invoice_from
    if deployment.billing == "stripe":
        settings |= {"BILLING": "stripe", "STRIPE_KEY": _secret(secret_name(deployment, "stripe-key"))}
        if fleet == "web":
            settings["STRIPE_WEBHOOK_SECRET"] = _secret(secret_name(deployment, "stripe-webhook"))
    return settings


def _edge(deployment: Deployment, outputs: Mapping[str, str]) -> dict[str, str]:
    # The first signs; the others CloudFront trusts and no machine has.
    signer, pem = outputs["PublicKeys"].split(",")[0], deployment.cloudfront_public_keys[0]
    file = f"/etc/vitrine/cloudfront-{key_digest(pem)}.pem"
    return {
        "VITRINE_EDGE": "cloudfront",
        "VITRINE_CLOUDFRONT_DISTRIBUTION": outputs["Distribution"],
        "VITRINE_CLOUDFRONT_CONNECTION_GROUP": outputs["ConnectionGroup"],
        "VITRINE_CLOUDFRONT_BASE_TENANT": outputs["BaseTenant"],
        "VITRINE_CLOUDFRONT_KEYS": f"{signer}={file}",
        "VITRINE_DOMAIN_TARGET": outputs["RoutingEndpoint"],
        "VITRINE_DOMAIN_CAS": "amazon.com,amazontrust.com,awstrust.com,amazonaws.com",
        file: _secret(key_secret(deployment, pem)),
    }


def namespace(deployment: Deployment) -> str:
    """CloudWatch's, for the metrics of one deployment."""
    return f"Vitrine/{deployment.name}"


def simpledb_domain(deployment: Deployment) -> str:
    """What the names of domains begin with that the application makes by itself."""
    return f"{deployment.name}-{SIMPLEDB_DOMAIN_SUFFIX}"


def secret_name(deployment: Deployment, name: str) -> str:
    """Of a secret in Secrets Manager."""
    return f"{deployment.name}/{name}"


def key_digest(pem: str) -> str:
    """Says which of CloudFront's keys it is, wherever it stands in the list; `keys.sh` makes the same of it."""
    return hashlib.sha256(pem.strip().encode()).hexdigest()[:12]


def key_secret(deployment: Deployment, pem: str) -> str:
    """Where the private half is of the key with that public half."""
    return secret_name(deployment, f"cloudfront-key-{key_digest(pem)}")


def secrets_of(deployment: Deployment, fleet: str) -> list[str]:
    """Names of the secrets that a fleet reads."""
    names = ["serving"] + ["owner"] * (fleet == "keeper") + ["secret-key"] * (fleet in SIGNING)
    if deployment.billing == "stripe" and fleet in POSTING:
        names += ["stripe-key"] + ["stripe-webhook"] * (fleet == "web")
    found = [secret_name(deployment, name) for name in names]
    if fleet in EDGED and deployment.edge == "cloudfront":
        found.append(key_secret(deployment, deployment.cloudfront_public_keys[0]))
    return found


def reports_losses(deployment: Deployment) -> bool:
    """Only objects of reduced redundancy are lost so that S3 says it."""
    return deployment.rendition_class == "REDUCED_REDUNDANCY"


def _database(deployment: Deployment, outputs: Mapping[str, str], role: str) -> str:
    password = f"${{secret:{secret_name(deployment, role)}#password|url}}"
    about = f"sslmode=verify-full&sslrootcert={CERTIFICATE_AUTHORITIES}"
    return f"postgresql://vitrine_{role}:{password}@{outputs['Database']}:5432/vitrine?{about}"


def _secret(name: str) -> str:
    return f"${{secret:{name}}}"


def main(path: str, fleet: str) -> str:
    """The document for a fleet from the file of `cdk deploy --outputs-file`."""
    stacks = json.loads(Path(path).read_text())
    outputs = {name: value for stack in stacks.values() for name, value in stack.items()}
    return json.dumps(environment(read(), outputs, fleet), indent=1) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in FLEETS:
        sys.exit(f"usage: python -m infra.stack.environment OUTPUTS.json {'|'.join(FLEETS)}")
    sys.stdout.write(main(*sys.argv[1:]))
