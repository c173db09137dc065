"""cdk-nag's findings that stand, each with its reason. `unexplained` and `unused` are both to be empty."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Accepted:
    """`rule` and `construct` are regular expressions for all of a finding's rule and of its construct's path."""

    rule: str
    construct: str
    reason: str


@dataclass(frozen=True)
class Finding:
    rule: str
    construct: str


_WILD = r"AwsSolutions-IAM5\[Resource::"
ACCEPTED = (
    Accepted("AwsSolutions-S1", r".*-network/Logs/Resource", "The bucket of the access logs: its own would never end."),
    Accepted("AwsSolutions-EC23", r".*-network/BalancerGroup/Resource", "The public's door: 443, and 80 to say 443."),
    Accepted(
        "AwsSolutions-SMG4",
        r".*-(network/OriginSecret|data/(SecretKey|Owner|Serving|Database/Secret))/Resource",
        "Rotated by hand (docs/stack.md): sessions and open pages end with a key, so an operator picks the hour.",
    ),
    Accepted(
        "AwsSolutions-SQS3",
        r".*-data/LostQueue/Resource",
        "A reader deletes an event only when its object is made again; what nobody reads raises the alarm LostObjects.",
    ),
    Accepted(
        "AwsSolutions-RDS3", r".*-data/Database/Resource", "`database.multi_az` doubles the price: it is an option."
    ),
    Accepted(
        "AwsSolutions-RDS10",
        r".*-data/Database/Resource",
        "`keep = false` takes a deployment down for good; by default it is protected, and a last snapshot stays.",
    ),
    Accepted("AwsSolutions-RDS11", r".*-data/Database/Resource", "A port that is not 5432 hides from nobody in a VPC."),
    Accepted("AwsSolutions-CFR1", r".*-edge/Distribution", "Albums are sent to people in every country."),
    Accepted(
        "AwsSolutions-CFR3",
        r".*-edge/Distribution",
        "The rule reads the former way of logging. A distribution with tenants logs by CloudWatch's delivery, which "
        '`deliveries = "cloudfront"` makes (infra/stack/deliveries.py).',
    ),
    Accepted(
        "AwsSolutions-EC26",
        r".*/Group/ASG",
        "The rule reads a group's LaunchTemplate, ours is in its MixedInstancesPolicy; a test sees encrypted disks.",
    ),
    Accepted(
        "AwsSolutions-AS3", r".*/Group/ASG", "An empty group raises an alarm; that it grows and shrinks is its work."
    ),
    Accepted(
        _WILD + r".*/(t/\*/(o|r|b|c|x)/\*|t/\*/ready|arriving/\*|AWSLogs/\*|\*\.tar\.gz)\]",
        r".*/(AdapterRights|MachineRights)/Resource",
        "A place in a bucket: keys of objects below it are made while it runs.",
    ),
    Accepted(
        _WILD + r".*:sdb:.*-\*\]",
        r".*/AdapterRights/Resource",
        "The shards of the one SimpleDB domain, where the application makes them.",
    ),
    Accepted(
        "W9009", r".*-data/Media\d+", "Of CDK's own validation: AWS::SDB::Domain is old, and nothing replaced it."
    ),
    Accepted(
        _WILD + r".*:cloudfront::.*:(distribution|distribution-tenant|connection-group)/\*\]",
        r".*/AdapterRights/Resource",
        "Distribution tenants of domains to come have no id yet, and their requests name the other two.",
    ),
    Accepted(
        _WILD + r"\*\]",
        r".*/(AdapterRights|MachineRights)/Resource",
        "cloudwatch (bound to a namespace or a region), acm, ec2:DescribeTags and Session Manager know no resources.",
    ),
    Accepted(
        _WILD + r".*:(log-group:/vitrine/\*|autoScalingGroup:\*:autoScalingGroupName/.*|secret:.*)\]",
        r".*/MachineRights/Resource",
        "Streams of our log groups; the group of that name, whose ARN has an id that is not known before.",
    ),
)


def findings(report: Path) -> list[Finding]:
    """Of the `validation-report.json` that a synthesis with cdk-nag writes."""
    document = json.loads(report.read_text())
    return [
        Finding(violation["ruleName"], construct["constructPath"])
        for plugin in document["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]


def unexplained(found: Iterable[Finding]) -> list[Finding]:
    return [each for each in found if not any(_covers(accepted, each) for accepted in ACCEPTED)]


def unused(found: Iterable[Finding]) -> Iterator[Accepted]:
    """Reasons for what is not found any more."""
    seen = list(found)
    return (accepted for accepted in ACCEPTED if not any(_covers(accepted, each) for each in seen))


def _covers(accepted: Accepted, finding: Finding) -> bool:
    return bool(re.fullmatch(accepted.rule, finding.rule) and re.fullmatch(accepted.construct, finding.construct))
