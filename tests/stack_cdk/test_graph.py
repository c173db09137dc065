"""From the application's settings to the stack and back: what a fleet is told of exists, and the fleet may use it.

The settings are those that the stack hands to the machines, with every reference of CloudFormation followed to the
resource (or the export of another stack) that it means.
"""

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings, _missing
from infra.stack.environment import environment, secret_name

FLEETS = ("web", "upload", "processor", "keeper")
ROOT = Path(__file__).parents[2]
BUCKET = "AWS::S3::Bucket"
# In no template: infra/stack/keys.sh makes the private halves of CloudFront's keys, stripe.sh keeps Stripe's.
BY_HAND = re.compile(r"[a-z0-9-]+/(cloudfront-key-[0-9a-f]{12}|stripe-(key|webhook))")
SECRET = re.compile(r"\$\{secret:([^#}]+)")


def _resolve(synthesis, stack: str, value: Any) -> str:
    """As CloudFormation would, with `Stack.LogicalId` for what only AWS knows, and physical names where given."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Fn::Join":
        return argument[0].join(_resolve(synthesis, stack, part) for part in argument[1])
    if function == "Fn::ImportValue":
        for name, template in synthesis.templates.items():
            for output in template.get("Outputs", {}).values():
                if output.get("Export", {}).get("Name") == argument:
                    return _resolve(synthesis, name, output["Value"])
        raise AssertionError(f"nobody exports {argument}")
    logical = argument if function == "Ref" else argument[0]
    if logical.startswith("AWS::"):
        return logical
    resource = synthesis.templates[stack]["Resources"][logical]  # KeyError: it refers to nothing.
    named = resource.get("Properties", {}).get("QueueName")
    what = named or f"{stack}.{logical}"
    return what if function == "Ref" or named else f"{what}.{argument[1]}"


def _settings(synthesis, fleet: str) -> dict[str, str]:
    (parameter,) = synthesis.of("AWS::SSM::Parameter", fleet)
    found: dict[str, str] = json.loads(_resolve(synthesis, fleet, parameter["Value"]))
    return found


def _allowed(synthesis, fleet: str) -> list[tuple[str, str]]:
    """(action, resource) of everything that the fleet's role may do."""
    pairs = []
    for policy in synthesis.of("AWS::IAM::ManagedPolicy", fleet):
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            actions, resources = (
                each if isinstance(each, list) else [each] for each in (statement["Action"], statement["Resource"])
            )
            pairs += [(action, _resolve(synthesis, fleet, each)) for action in actions for each in resources]
    return pairs


@pytest.mark.parametrize("fleet", FLEETS)
def test_the_application_takes_the_settings(every, fleet, tmp_path, monkeypatch):
    given = _settings(every, fleet)
    for name in [name for name in given if name.startswith("VITRINE_")]:
        value = given[name]
        if name == "VITRINE_S3_BUCKET":
            value = "a-bucket"  # Its reference is no bucket's name.
        monkeypatch.setenv(name, "s" * 48 if name == "VITRINE_SECRET_KEY" else SECRET.sub("secret", value))
    monkeypatch.setenv("VITRINE_DATA_DIR", str(tmp_path))
    settings = Settings()
    unknown = {name for name in given if name.startswith("VITRINE_")} - {
        f"VITRINE_{name.upper()}" for name in Settings.model_fields
    }
    # VITRINE_WORKERS is the unit's (infra/hosts/units/vitrine-worker.service), the owner's address the migrations'.
    assert unknown <= {"VITRINE_WORKERS", "VITRINE_DATABASE_OWNER_URL"}
    assert _missing(settings) == []


def _may_send_its_letters(synthesis, given: dict[str, str], allowed: list[tuple[str, str]]) -> None:
    """Whoever is told to, from an identity that the stack makes, and nobody else."""
    sending = [resource for action, resource in allowed if action.startswith("ses:")]
    if given.get("VITRINE_MAIL") == "ses":
        ((identity,), domain) = sending, given["VITRINE_MAIL_FROM"].rpartition("@")[2]
        assert identity.endswith(f":identity/{domain}")
        assert [each["EmailIdentity"] for each in synthesis.of("AWS::SES::EmailIdentity")] == [domain]
    else:
        assert sending == []


def _has_its_access_logs(synthesis, fleet: str, given: dict[str, str], allowed: list[tuple[str, str]]) -> None:
    """CloudFront's go to a bucket that is there, below what the reader looks for; the keeper alone reads them."""
    bucket = given.get("VITRINE_CLOUDFRONT_LOG_BUCKET", "")
    assert bool(bucket) is (synthesis.deployment.deliveries == "cloudfront" and fleet in ("web", "keeper"))
    reading = {(action, resource) for action, resource in allowed if "-deliveries-" in resource}
    if fleet == "keeper" and bucket:
        arn = f"arn:AWS::Partition:s3:::{bucket}"
        assert reading == {("s3:ListBucket", arn), ("s3:GetObject", f"{arn}/{given['VITRINE_CLOUDFRONT_LOG_PREFIX']}*")}
        named = [_resolve(synthesis, "edge", each.get("BucketName", "")) for each in synthesis.of(BUCKET, "edge")]
        assert bucket in named
        to = synthesis.only("AWS::Logs::DeliveryDestination", "deliveries")["DestinationResourceArn"]
        assert _resolve(synthesis, "deliveries", to) == arn
    else:
        assert reading == set()


def _has_its_domains(synthesis, given: dict[str, str], allowed: list[tuple[str, str]]) -> None:
    """A fleet may use each domain that it is told of, and no other."""
    usable = {resource.rpartition(":domain/")[2] for action, resource in allowed if action.startswith("sdb:")}
    if synthesis.deployment.makes_domains:
        made = [
            f"data.{name}"
            for name, resource in synthesis.templates["data"]["Resources"].items()
            if resource["Type"] == "AWS::SDB::Domain"
        ]
        assert len(made) == synthesis.deployment.simpledb_shards
        told = given["VITRINE_SIMPLEDB_DOMAINS"].split(",")
        assert told == [f"data.Media{number}" for number in range(len(made))]
        assert sorted(told) == sorted(made)
        assert "VITRINE_SIMPLEDB_DOMAIN" not in given
    else:
        assert not synthesis.of("AWS::SDB::Domain")
        named = synthesis.deployment.media_metadata == "simpledb"
        told = [f"{given['VITRINE_SIMPLEDB_DOMAIN']}-*"] if named else []
        assert not {"VITRINE_SIMPLEDB_DOMAINS", *([] if named else ["VITRINE_SIMPLEDB_DOMAIN"])} & given.keys()
    assert usable == set(told)


@pytest.mark.parametrize("fleet", FLEETS)
def test_what_the_settings_name_exists_and_the_fleet_may_use_it(every, fleet):
    given, allowed = _settings(every, fleet), _allowed(every, fleet)
    bucket = given["VITRINE_S3_BUCKET"]
    assert ("s3:ListBucket", f"{bucket}.Arn") in allowed
    queue = given["VITRINE_SQS_QUEUE"]
    names = {each["QueueName"] for each in every.of("AWS::SQS::Queue")}
    assert {queue, f"{queue}-bulk", f"{queue}-dead"} <= names
    for each in (queue, f"{queue}-bulk", f"{queue}-dead"):
        assert ("sqs:GetQueueUrl", each) in allowed or fleet == "web"
    if lost := given.get("VITRINE_SQS_LOST_QUEUE"):
        assert lost in names
        assert ("sqs:ReceiveMessage", lost) in allowed
    _may_send_its_letters(every, given, allowed)
    _has_its_access_logs(every, fleet, given, allowed)
    _has_its_domains(every, given, allowed)
    if given.get("VITRINE_EDGE") == "cloudfront":
        assert given["VITRINE_CLOUDFRONT_DISTRIBUTION"].startswith("edge.Distribution")
        tenant = every.only("AWS::CloudFront::DistributionTenant")
        assert tenant["Name"] == given["VITRINE_CLOUDFRONT_BASE_TENANT"]
        assert any(action == "cloudfront:CreateDistributionTenant" for action, _ in allowed)


@pytest.mark.parametrize("fleet", FLEETS)
def test_a_fleet_reads_the_secrets_that_it_is_told_of_and_no_other(every, fleet):
    told = set(SECRET.findall(json.dumps(_settings(every, fleet))))
    readable = {
        re.search(r":secret:(.+)-\?{6}$", resource)[1]
        for action, resource in _allowed(every, fleet)
        if action == "secretsmanager:GetSecretValue"
    }
    assert told == readable
    made = {each.get("Name") for each in every.of("AWS::SecretsManager::Secret")}
    assert told - made == {name for name in told if BY_HAND.fullmatch(name)}
    assert (secret_name(every.deployment, "owner") in told) is (fleet == "keeper")
    stripe = every.deployment.billing == "stripe"
    assert (secret_name(every.deployment, "stripe-key") in told) is (stripe and fleet in ("web", "keeper"))
    assert (secret_name(every.deployment, "stripe-webhook") in told) is (stripe and fleet == "web")


@pytest.mark.parametrize("fleet", FLEETS)
def test_an_operator_gets_the_same_settings_from_the_outputs(every, fleet):
    outputs = {
        name: _resolve(every, stack, output["Value"])
        for stack, template in every.templates.items()
        for name, output in template.get("Outputs", {}).items()
        if "Export" not in output
    }
    assert environment(every.deployment, outputs, fleet) == _settings(every, fleet)


def test_the_machines_settings_are_written_as_files(every, tmp_path):
    """By the program that runs on a machine, with secrets that have every letter that a shell could mind."""
    spec = importlib.util.spec_from_file_location("fetch_settings", ROOT / "infra/hosts/ec2/fetch_settings.py")
    assert spec is not None
    assert spec.loader is not None
    fetch = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = fetch
    spec.loader.exec_module(fetch)
    for fleet in FLEETS:
        document = json.dumps(_settings(every, fleet))
        written = fetch.files(document, lambda name: '{"password": "a$`b"}', tmp_path)
        assert "VITRINE_S3_BUCKET=" in written[tmp_path / "vitrine.env"]
        assert ("OWNER" in written[tmp_path / "owner.env"]) is (fleet == "keeper")


def test_an_unknown_reference_is_told(example):
    with pytest.raises(AssertionError, match="nobody exports"):
        _resolve(example, "web", {"Fn::ImportValue": "nothing"})
