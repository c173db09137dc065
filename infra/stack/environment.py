"""The application's own settings, from what the stacks made.

One mapping for both readers: the stacks put it into SSM parameters, with CloudFormation's references as values; an
operator gets the same lines from `cdk deploy --outputs-file outputs.json`:

    python -m infra.stack.environment outputs.json web

`{secret:NAME}` stands for a secret's value and `{file:NAME}` for a file that holds one; a host fills them in when it
starts (`boot.py`), so that no secret is in a template, a parameter or an output.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.stack.deployment import Deployment, read

FLEETS = ("web", "upload", "processor", "keeper")

# What a stack exports under these names.
OUTPUTS = ("Bucket", "Queue", "LostQueue", "Database", "ServingSecret", "OwnerSecret", "SecretKey")
EDGE_OUTPUTS = ("Distribution", "ConnectionGroup", "BaseTenant", "RoutingEndpoint", "PublicKeys")

CERTIFICATE_AUTHORITIES = "/etc/vitrine/rds.pem"
SIMPLEDB_DOMAIN_SUFFIX = "media"


def environment(deployment: Deployment, outputs: Mapping[str, str], fleet: str) -> dict[str, str]:
    """VITRINE_* of a fleet. `outputs` has `OUTPUTS`; raises KeyError for one that is missing."""
    settings = {
        "DATA_DIR": "/var/lib/vitrine",
        "LOG_FORMAT": "json",
        "AWS_REGION": deployment.region,
        "BLOBS": "s3",
        "S3_BUCKET": outputs["Bucket"],
        "S3_RENDITION_CLASS": deployment.rendition_class,
        "QUEUE": "sqs",
        "SQS_QUEUE": outputs["Queue"],
        "MAX_RECEIVES": str(deployment.max_receives),
        "METRICS": "cloudwatch",
        "CLOUDWATCH_NAMESPACE": namespace(deployment),
        "DATABASE_URL": _database("vitrine_serving", outputs, "ServingSecret"),
        "BASE_DOMAIN": deployment.base_domain,
        "UPLOAD_HOST": deployment.upload_host,
        "SCHEME": "https",
        "PUBLIC_PORT": "443",
    }
    if deployment.media_metadata == "simpledb":
        settings["MEDIA_METADATA"] = "simpledb"
        settings["SIMPLEDB_DOMAIN"] = simpledb_domain(deployment)
        settings["SIMPLEDB_SHARDS"] = str(deployment.simpledb_shards)
    if fleet in ("web", "upload"):  # Who signs and checks sessions, tickets and media addresses.
        settings["SECRET_KEY"] = _secret(outputs["SecretKey"])
    if fleet == "web":
        settings["PROXIES"] = "2" if deployment.edge == "cloudfront" else "1"
    if fleet == "upload":
        settings["PROXIES"] = "1"
    if fleet == "processor":
        settings["NOTICES"] = "ec2"
    if fleet == "keeper":
        settings["DATABASE_OWNER_URL"] = _database("vitrine_owner", outputs, "OwnerSecret")
        if deployment.rendition_class == "REDUCED_REDUNDANCY":
            settings["LOSSES"] = "sqs"
            settings["SQS_LOST_QUEUE"] = outputs["LostQueue"]
    return {f"VITRINE_{name}": value for name, value in settings.items()}


def edge_environment(deployment: Deployment, outputs: Mapping[str, str]) -> dict[str, str]:
    """What the web fleet and the keeper need of the edge; empty without CloudFront. `outputs` has `EDGE_OUTPUTS`."""
    if deployment.edge == "app":
        return {}
    keys = [f"{key}={{file:{key_secret(deployment)}-{number}}}" for number, key in enumerate(_listed(outputs["PublicKeys"]))]
    return {
        "VITRINE_EDGE": "cloudfront",
        "VITRINE_CLOUDFRONT_DISTRIBUTION": outputs["Distribution"],
        "VITRINE_CLOUDFRONT_CONNECTION_GROUP": outputs["ConnectionGroup"],
        "VITRINE_CLOUDFRONT_BASE_TENANT": outputs["BaseTenant"],
        "VITRINE_CLOUDFRONT_KEYS": ",".join(keys),
        "VITRINE_DOMAIN_TARGET": outputs["RoutingEndpoint"],
        "VITRINE_DOMAIN_CAS": "amazon.com,amazontrust.com,awstrust.com,amazonaws.com",
    }


def lines(settings: Mapping[str, str]) -> str:
    """As systemd and the shell read it; no value of ours has a quote, a dollar or a backslash."""
    return "".join(f'{name}="{value}"\n' for name, value in settings.items())


def namespace(deployment: Deployment) -> str:
    """CloudWatch's, for the metrics of one deployment."""
    return f"Vitrine/{deployment.name}"


def simpledb_domain(deployment: Deployment) -> str:
    """CloudFormation cannot name a SimpleDB domain, so the application makes its own with this name."""
    return f"{deployment.name}-{SIMPLEDB_DOMAIN_SUFFIX}"


def key_secret(deployment: Deployment) -> str:
    """The private halves of CloudFront's keys: this with `-0` for the newest, `-1` for the one before, …"""
    return f"{deployment.name}/cloudfront-key"


def _database(role: str, outputs: Mapping[str, str], secret: str) -> str:
    about = f"sslmode=verify-full&sslrootcert={CERTIFICATE_AUTHORITIES}"
    return f"postgresql://{role}:{_secret(outputs[secret])}@{outputs['Database']}:5432/vitrine?{about}"


def _secret(name: str) -> str:
    return f"{{secret:{name}}}"


def _listed(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _flat(document: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for outputs in document.values():
        yield from outputs.items()


def main(path: str, fleet: str) -> str:
    """The lines for a fleet from the file of `cdk deploy --outputs-file`."""
    deployment = read()
    outputs = dict(_flat(json.loads(Path(path).read_text())))
    settings = environment(deployment, outputs, fleet)
    if fleet in ("web", "keeper"):
        settings |= edge_environment(deployment, outputs)
    return lines(settings)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in FLEETS:
        sys.exit(f"usage: python -m infra.stack.environment OUTPUTS.json {'|'.join(FLEETS)}")
    sys.stdout.write(main(*sys.argv[1:]))
