"""The part of `infra/stack` that needs no CDK: the deployment file, and settings that the application takes."""

import json
import re
from pathlib import Path

import pytest
from botocore.exceptions import NoCredentialsError
from pydantic import ValidationError

from infra.aws import deploy_check
from infra.settings import Settings
from infra.stack.deployment import EXAMPLE, Deployment, read
from infra.stack.environment import (
    DELIVERIES_OUTPUTS,
    EDGE_OUTPUTS,
    FLEETS,
    OUTPUTS,
    SIMPLEDB_OUTPUTS,
    environment,
    main,
    secrets_of,
)

ROTATED = """
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAExJ9qNOb1oQeKk6pz5vCqkzxFPNqo
7vNUz0PcyEvNXQyJ6vKqLJTeNFbXyZG9nAt4u5lKfTqfGkXAvWnHyIcTtQ==
-----END PUBLIC KEY-----
"""
ROOT = Path(__file__).parents[2]
LARGE = ROOT / "tests/stack_cdk/large.toml"
FOUND = dict.fromkeys((*OUTPUTS, *SIMPLEDB_OUTPUTS, *EDGE_OUTPUTS, *DELIVERIES_OUTPUTS), "some-name")


@pytest.mark.parametrize("path", [EXAMPLE, LARGE], ids=["example", "large"])
@pytest.mark.parametrize("fleet", FLEETS)
def test_the_application_takes_generated_settings(path, fleet, tmp_path, monkeypatch):
    monkeypatch.setenv("VITRINE_DATA_DIR", str(tmp_path))
    for name, value in environment(read(path), FOUND, fleet).items():
        if name.startswith("VITRINE_"):
            monkeypatch.setenv(name, value if "${secret" not in value or "URL" in name else "s" * 48)
    settings = Settings()
    assert (settings.blobs, settings.queue, settings.metrics) == ("s3", "sqs", "cloudwatch")
    assert settings.proxies == (2 if fleet == "web" else 1)
    assert settings.edge == ("cloudfront" if fleet in ("web", "keeper") else "app")


def test_settings_say_of_every_secret_where_it_is_and_hold_none():
    for fleet in FLEETS:
        made = json.dumps(environment(read(EXAMPLE), FOUND, fleet))
        assert all(f"${{secret:{name}" in made for name in secrets_of(read(EXAMPLE), fleet))
        assert ("vitrine_owner" in made) is (fleet == "keeper")


def test_outputs_of_a_deployment_become_settings(tmp_path, monkeypatch):
    monkeypatch.delenv("VITRINE_DEPLOYMENT", raising=False)
    path = tmp_path / "outputs.json"
    half = len(FOUND) // 2
    path.write_text(json.dumps({"a": dict(list(FOUND.items())[:half]), "b": dict(list(FOUND.items())[half:])}))
    assert json.loads(main(str(path), "web")) == environment(read(EXAMPLE), FOUND, "web")


def test_only_the_key_that_signs_is_handed_to_machines_and_no_place_in_the_list_changes_its_name():
    """Each step of a rotation: added last, moved to the front, the old one gone (docs/stack.md)."""
    old, new = read(EXAMPLE).cloudfront_public_keys[0], ROTATED
    steps = []
    for keys, ids in (((old,), "K1"), ((old, new), "K1,K2"), ((new, old), "K2,K1"), ((new,), "K2")):
        deployment = Deployment(**{**read(EXAMPLE).model_dump(), "cloudfront_public_keys": keys})
        made = environment(deployment, {**FOUND, "PublicKeys": ids}, "web")
        key_id, _, file = made["VITRINE_CLOUDFRONT_KEYS"].partition("=")
        secrets = [name for name in secrets_of(deployment, "web") if "cloudfront" in name]
        assert made[file] == f"${{secret:{secrets[0]}}}"
        assert len(secrets) == 1
        steps.append((key_id, file, made[file]))
    assert steps[0] == steps[1]  # To add a key changes nothing for a machine.
    assert steps[2] == steps[3]  # Nor does it to take the old one away.
    assert {each[0] for each in steps} == {"K1", "K2"}
    assert steps[1][1:] != steps[2][1:]


def test_mail_and_stripe_are_handed_to_those_who_use_them():
    about = ("VITRINE_MAIL", "VITRINE_BILLING", "VITRINE_STRIPE", "VITRINE_INVOICE")
    told = {
        fleet: {name: value for name, value in environment(read(LARGE), FOUND, fleet).items() if name.startswith(about)}
        for fleet in FLEETS
    }
    assert told["upload"] == told["processor"] == {}
    assert told["keeper"] == {
        "VITRINE_MAIL": "ses",
        "VITRINE_MAIL_FROM": "albums@albums.example.org",
        "VITRINE_INVOICE_FROM": "Albums Ltd, 1 Example Street",
        "VITRINE_BILLING": "stripe",
        "VITRINE_STRIPE_KEY": "${secret:large/stripe-key}",
    }
    webhook = {"VITRINE_STRIPE_WEBHOOK_SECRET": "${secret:large/stripe-webhook}"}
    assert told["web"] == told["keeper"] | webhook
    assert not [name for name in environment(read(EXAMPLE), FOUND, "web") if name.startswith(about)]


def test_simpledbs_domains_are_handed_over_by_name_or_by_list():
    made = {fleet: environment(read(EXAMPLE), {**FOUND, "MediaDomains": "b-K3,a-Z9"}, fleet) for fleet in FLEETS}
    assert {each["VITRINE_SIMPLEDB_DOMAINS"] for each in made.values()} == {"b-K3,a-Z9"}
    assert not [
        name
        for each in made.values()
        for name in each
        if name in ("VITRINE_SIMPLEDB_DOMAIN", "VITRINE_SIMPLEDB_SHARDS")
    ]
    named = environment(read(LARGE), FOUND, "web")
    assert (named["VITRINE_SIMPLEDB_DOMAIN"], named["VITRINE_SIMPLEDB_SHARDS"]) == ("large-media", "8")
    assert "VITRINE_SIMPLEDB_DOMAINS" not in named


def test_the_changelog_and_the_page_of_upgrades_tell_the_same_order_of_fleets():
    """Of the release to come: all four, the keeper first, since it migrates."""
    told = re.search(r"Order of this release on AWS: ([^*]+)\*\*", (ROOT / "CHANGELOG.md").read_text())
    page = (ROOT / "docs/upgrade.md").read_text()
    usual = re.search(r"^\| usual \| ([^|]+) \|", page, re.MULTILINE)
    assert usual
    for order in (told[1] if told else usual[1], usual[1]):
        fleets = order.replace("processors", "processor").split(", ")
        assert fleets[0] == "keeper"
        assert sorted(fleets) == sorted(FLEETS)
        assert f"| {order} |" in page


def test_a_missing_output_is_named():
    with pytest.raises(KeyError, match="Bucket"):
        environment(read(EXAMPLE), {}, "web")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('region = "eu-west-1"', 'region = "eu-central-1"', "there is no SimpleDB in eu-central-1"),
        ('"eu-west-1b"', '"eu-west-2b"', "must be of the region"),
        ("least = 1\nmost = 20", "least = 30\nmost = 20", "least is more than most"),
        ('name = "vitrine"', 'simpledb_shards = 17\nname = "vitrine"', "room for 16 domains"),
        ('name = "vitrine"', 'deliveries = "cloudfront"\nname = "vitrine"', "then copy the edge's output Distribution"),
        ('name = "vitrine"', 'deliveries = "cloudfront"\nedge = "app"\nname = "vitrine"', "only edge ="),
        ('name = "vitrine"', 'edge_distribution = "arn:aws:x"\nname = "vitrine"', "edge_distribution"),
        ('name = "vitrine"', 'mail_from = "me@gmail.com"\nname = "vitrine"', "an address at photos.example.com"),
        ('name = "vitrine"', 'mail_from = "nobody"\nname = "vitrine"', "mail_from"),
        ('name = "vitrine"', 'billing = "paypal"\nname = "vitrine"', "'local' or 'stripe'"),
        ("BEGIN PUBLIC KEY", "BEGIN PRIVATE KEY", "each is what infra/stack/keys.sh prints"),
        ('name = "vitrine"', 'name = "vitrine"\nnmae = "x"', "Extra inputs"),
    ],
)
def test_a_wrong_deployment_is_told(old, new, told, tmp_path):
    text = EXAMPLE.read_text()
    assert old in text
    (tmp_path / "d.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(ValidationError, match=told):
        read(tmp_path / "d.toml")


def test_deploy_check_says_what_to_do_without_credentials(monkeypatch):
    def nobody(service: str) -> None:
        raise NoCredentialsError

    monkeypatch.setattr(deploy_check.boto3, "client", nobody)
    with pytest.raises(SystemExit, match=r"(?s)Set AWS_PROFILE.*make infra"):
        deploy_check.account()


def test_deploy_check_asks_in_the_order_of_deployment(tmp_path):
    def stack(*before: str) -> dict[str, object]:
        return {
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/eu-west-1",
            "dependencies": list(before),
            "properties": {"templateFile": "t.json"},
        }

    artifacts = {
        "Tree": {"type": "cdk:tree"},
        "web": stack("data", "network"),
        "data": stack("network"),
        "network": stack(),
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    assert [name for name, _, _ in deploy_check.stacks(tmp_path)] == ["network", "data", "web"]
    template = {"Resources": {"A": {"Properties": {"X": [{"Fn::ImportValue": "network:Y"}], "Z": {"Ref": "B"}}}}}
    (tmp_path / "t.json").write_text(json.dumps(template))
    assert deploy_check.imports(tmp_path / "t.json") == {"network:Y"}
