"""What no change may undo: who reaches what, what is encrypted, what is public, how fleets live and end."""

import json
from datetime import UTC, datetime

import pytest
from aws_cdk import App
from aws_cdk.assertions import Template

from infra.aws.cloudfront_lines import deliveries
from infra.ports import Delivery
from infra.stack.app import build
from infra.stack.deployment import Deployment

FLEETS = ("web", "upload", "processor", "keeper")


def _doors(synthesis):
    """(group, who, ports) of every ingress rule, by names of logical ids without their digests."""
    found = set()
    resources = synthesis.templates["network"]["Resources"]
    for name, resource in resources.items():
        rules = (
            resource["Properties"].get("SecurityGroupIngress", []) if resource["Type"].endswith("SecurityGroup") else []
        )
        for rule in rules:
            found.add((name[:-8], rule["CidrIp"], rule["FromPort"]))
        if resource["Type"] == "AWS::EC2::SecurityGroupIngress":
            rule = resource["Properties"]
            sides = [rule[side]["Fn::GetAtt"][0][:-8] for side in ("GroupId", "SourceSecurityGroupId")]
            assert rule["FromPort"] == rule["ToPort"]
            found.add((*sides, rule["FromPort"]))
    return found


def test_only_the_load_balancer_has_open_doors(example, large):
    servers = {("BalancerGroup", "0.0.0.0/0", 443), ("BalancerGroup", "0.0.0.0/0", 80)} | {
        ("WebGroup", "BalancerGroup", 8000),
        ("UploadGroup", "BalancerGroup", 8001),
    }
    assert _doors(example) == servers | {("DatabaseGroup", f"{fleet.title()}Group", 5432) for fleet in FLEETS}
    assert _doors(large) == servers | {("ProxyGroup", f"{fleet.title()}Group", 5432) for fleet in FLEETS} | {
        ("DatabaseGroup", "ProxyGroup", 5432),
        ("DatabaseGroup", "KeeperGroup", 5432),
    }
    for synthesis in (example, large):
        kinds = {
            resource["Type"]
            for name, each in synthesis.templates.items()
            if name != "network"
            for resource in each["Resources"].values()
        }
        assert not {kind for kind in kinds if "SecurityGroup" in kind}


def test_no_bucket_is_public_and_each_asks_for_tls(synthesis):
    buckets = synthesis.of("AWS::S3::Bucket")
    # logs, objects, releases, pages; and CloudFront's access logs.
    assert len(buckets) == 4 + (synthesis.deployment.deliveries == "cloudfront")
    for bucket in buckets:
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        assert bucket["BucketEncryption"]
    policies = synthesis.of("AWS::S3::BucketPolicy")
    assert len(policies) == len(buckets)
    for policy in policies:
        denied = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Deny"]
        assert {"Bool": {"aws:SecureTransport": "false"}} in [each["Condition"] for each in denied]
        for each in policy["PolicyDocument"]["Statement"]:
            if each["Effect"] == "Allow" and each["Principal"].keys() != {"Service"}:
                # Elastic Load Balancing's account of the region, which writes its log and nothing else.
                assert (each["Action"], policy["Bucket"]["Ref"][:-8]) == ("s3:PutObject", "Logs")
                assert "/balancer/AWSLogs/" in json.dumps(each["Resource"])
            elif each["Effect"] == "Allow" and each["Action"] != "s3:GetBucketAcl":
                assert set(each["Condition"]["StringEquals"]) & {"aws:SourceArn", "aws:SourceAccount", "s3:x-amz-acl"}


def test_objects_are_versioned_and_an_original_is_written_once(synthesis):
    (bucket,) = [each for each in synthesis.of("AWS::S3::Bucket", "data") if "NotificationConfiguration" in each]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = {rule["Id"] for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules == {"abandoned-uploads", "forgotten-arrivals", "old-versions", "bare-markers"}
    statements = [
        each
        for policy in synthesis.of("AWS::S3::BucketPolicy", "data")
        for each in policy["PolicyDocument"]["Statement"]
    ]
    (once,) = [each for each in statements if each.get("Sid") == "NeverOverwritten"]
    assert once["Effect"] == "Deny"
    assert once["Condition"]["Null"] == {"s3:if-none-match": "true"}


def test_lost_objects_are_told_to_their_queue_by_this_bucket_alone(synthesis):
    (bucket,) = [each for each in synthesis.of("AWS::S3::Bucket", "data") if "NotificationConfiguration" in each]
    (told,) = bucket["NotificationConfiguration"]["QueueConfigurations"]
    assert told["Event"] == "s3:ReducedRedundancyLostObject"
    statements = [
        each for policy in synthesis.of("AWS::SQS::QueuePolicy") for each in policy["PolicyDocument"]["Statement"]
    ]
    (allowed,) = [each for each in statements if each["Effect"] == "Allow"]
    assert allowed["Resource"] == told["Queue"]
    assert set(allowed["Condition"]) == {"ArnEquals", "StringEquals"}


def test_queues_are_encrypted_and_end_in_dead_letters(synthesis):
    queues = synthesis.of("AWS::SQS::Queue")
    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues)
    name = synthesis.deployment.name
    redriven = {queue["QueueName"] for queue in queues if "RedrivePolicy" in queue}
    assert redriven == {name, f"{name}-bulk"}


def test_the_database_is_encrypted_private_and_asks_for_tls(synthesis):
    database = synthesis.only("AWS::RDS::DBInstance")
    assert database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert database["DeletionProtection"] is True
    assert database["MultiAZ"] is synthesis.deployment.database.multi_az
    assert synthesis.only("AWS::RDS::DBParameterGroup")["Parameters"]["rds.force_ssl"] == "1"
    assert all(proxy["RequireTLS"] is True for proxy in synthesis.of("AWS::RDS::DBProxy"))
    assert bool(synthesis.of("AWS::RDS::DBProxy")) is synthesis.deployment.database.proxy


def test_machines_have_imdsv2_and_encrypted_disks(synthesis):
    templates = synthesis.of("AWS::EC2::LaunchTemplate")
    assert len(templates) == len(FLEETS)
    for template in templates:
        data = template["LaunchTemplateData"]
        assert data["MetadataOptions"]["HttpTokens"] == "required"
        assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
        assert all(device["Ebs"]["Encrypted"] is True for device in data["BlockDeviceMappings"])
        assert "KeyName" not in data  # A shell is Session Manager's.


@pytest.mark.parametrize("fleet", FLEETS)
def test_a_machine_is_ready_before_it_counts_and_drains_before_it_ends(synthesis, fleet):
    group = synthesis.only("AWS::AutoScaling::AutoScalingGroup", fleet)
    hooks = {hook["LifecycleTransition"]: hook for hook in group["LifecycleHookSpecificationList"]}
    assert hooks["autoscaling:EC2_INSTANCE_LAUNCHING"]["DefaultResult"] == "ABANDON"
    assert hooks["autoscaling:EC2_INSTANCE_TERMINATING"]["DefaultResult"] == "CONTINUE"


def test_processors_are_spot_over_several_types_and_rebalanced(synthesis):
    group = synthesis.only("AWS::AutoScaling::AutoScalingGroup", "processor")
    mixed = group["MixedInstancesPolicy"]
    assert group["CapacityRebalance"] is True
    assert mixed["InstancesDistribution"]["SpotAllocationStrategy"] == "price-capacity-optimized"
    assert mixed["InstancesDistribution"]["OnDemandBaseCapacity"] == synthesis.deployment.processor.on_demand_base
    assert len(mixed["LaunchTemplate"]["Overrides"]) >= 6


def test_each_fleet_follows_its_metrics(synthesis):
    def tracked(fleet):
        policies = synthesis.of("AWS::AutoScaling::ScalingPolicy", fleet)
        of_each = [policy["TargetTrackingConfiguration"]["CustomizedMetricSpecification"] for policy in policies]
        return {found["MetricName"] for found in of_each}

    assert tracked("web") == {"RequestCountPerTarget"}
    assert tracked("upload") == {"NetworkIn", "netstat_tcp_established"}
    assert tracked("processor") == {"queue.backlog_per_worker", "CPUUtilization"}
    assert tracked("keeper") == set()


def test_the_listener_has_a_rule_a_fleet_and_answers_nobody_else(synthesis):
    (web,), (upload,) = (
        synthesis.of("AWS::ElasticLoadBalancingV2::ListenerRule", fleet) for fleet in ("web", "upload")
    )
    assert upload["Conditions"][0]["HostHeaderConfig"]["Values"] == [synthesis.deployment.upload_host]
    assert web["Conditions"][0]["HttpHeaderConfig"]["HttpHeaderName"] == "X-Vitrine-Origin"
    assert "{{resolve:secretsmanager:" in json.dumps(web["Conditions"])
    actions = [each["DefaultActions"][0]["Type"] for each in synthesis.of("AWS::ElasticLoadBalancingV2::Listener")]
    assert sorted(actions) == ["fixed-response", "redirect"]


def test_private_media_need_a_signature_at_the_edge(synthesis):
    config = synthesis.only("AWS::CloudFront::Distribution")["DistributionConfig"]
    assert config["ConnectionMode"] == "tenant-only"
    assert config["WebACLId"]
    signed = {each["PathPattern"]: bool(each.get("TrustedKeyGroups")) for each in config["CacheBehaviors"]}
    # The order counts: the first that fits is taken.
    assert list(signed.items()) == [("/m/o*", False), ("/m/e*", False), ("/m/*", True), ("/_edge/*", False)]
    (cache,) = synthesis.of("AWS::CloudFront::CachePolicy")
    copies = cache["CachePolicyConfig"]["ParametersInCacheKeyAndForwardedToOrigin"]
    assert copies["CookiesConfig"] == {"CookieBehavior": "none"}
    assert copies["QueryStringsConfig"] == {"QueryStringBehavior": "none"}
    assert all(each["ErrorCachingMinTTL"] <= 1 for each in config["CustomErrorResponses"])
    (pages,) = [origin for origin in config["Origins"] if "S3OriginConfig" in origin]
    assert pages["OriginAccessControlId"]


def test_every_log_group_forgets(synthesis):
    groups = synthesis.of("AWS::Logs::LogGroup")
    assert len(groups) > 10
    assert {group["RetentionInDays"] for group in groups} == {synthesis.deployment.log_days}


def test_alarms_tell_somebody_and_what_to_do(synthesis):
    alarms = synthesis.of("AWS::CloudWatch::Alarm", "observability")
    assert len(alarms) > 12
    assert all(alarm["AlarmActions"] and alarm["AlarmDescription"] for alarm in alarms)


def test_access_logs_of_the_distribution_are_delivered_as_the_reader_takes_them(large):
    source = large.only("AWS::Logs::DeliverySource", "deliveries")
    assert source["LogType"] == "ACCESS_LOGS"
    assert "ExportsOutputRefDistribution" in json.dumps(source["ResourceArn"])  # Of the edge's own.
    destination = large.only("AWS::Logs::DeliveryDestination", "deliveries")
    assert (destination["DeliveryDestinationType"], destination["OutputFormat"]) == ("S3", "w3c")
    delivery = large.only("AWS::Logs::Delivery", "deliveries")
    assert (delivery["DeliverySourceName"], delivery["FieldDelimiter"]) == (source["Name"], "\t")
    fields = delivery["RecordFields"]
    values = ["2026-11-26", "08:15:00", "12345", "GET", "d1.cloudfront.net", "/m/a%20b", "200", "photos.example.org"]
    lines = ["#Version: 1.0", "#Fields: " + " ".join(fields), "\t".join(values)]
    at = datetime(2026, 11, 26, 8, 15, tzinfo=UTC)
    assert list(deliveries(lines)) == [Delivery(at, "photos.example.org", "GET", "/m/a b", 200, 12345)]
    assert not {"c-ip", "cs-uri-query", "cs(Cookie)", "cs(User-Agent)", "cs(Referer)"} & set(fields)


def test_only_this_deployments_delivery_writes_access_logs_and_a_week_ends_them(large):
    (bucket,) = [each for each in large.of("AWS::S3::Bucket", "edge") if "BucketName" in each]
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert (rule["ExpirationInDays"], rule["Status"]) == (7, "Enabled")
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"] == [
        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    ]
    statements = [
        each for policy in large.of("AWS::S3::BucketPolicy", "edge") for each in policy["PolicyDocument"]["Statement"]
    ]
    (allowed,) = [each for each in statements if each["Principal"] == {"Service": "delivery.logs.amazonaws.com"}]
    assert allowed["Action"] == "s3:PutObject"
    assert "/AWSLogs/123456789012/*" in json.dumps(allowed["Resource"])
    name = large.only("AWS::Logs::DeliverySource", "deliveries")["Name"]
    (arn,) = allowed["Condition"]["ArnEquals"].values()
    assert arn["Fn::Join"][1][-1] == f":logs:us-east-1:123456789012:delivery-source:{name}"
    assert allowed["Condition"]["StringEquals"] == {
        "aws:SourceAccount": "123456789012",
        "s3:x-amz-acl": "bucket-owner-full-control",
    }


def test_from_another_region_access_logs_are_delivered_in_us_east_1(example):
    told = {"deliveries": "cloudfront", "edge_distribution": "E0123456789EXAMPLE"}
    deployment = Deployment(**{**example.deployment.model_dump(), **told})
    app = App()
    build(app, deployment)
    stack = app.node.find_child("vitrine-deliveries")
    assert (stack.region, [each.stack_name for each in stack.dependencies]) == ("us-east-1", ["vitrine-edge"])
    template = Template.from_stack(stack)
    (source,) = template.find_resources("AWS::Logs::DeliverySource").values()
    assert source["Properties"]["ResourceArn"]["Fn::Join"][1][-1] == ":distribution/E0123456789EXAMPLE"
    (destination,) = template.find_resources("AWS::Logs::DeliveryDestination").values()
    assert destination["Properties"]["DestinationResourceArn"]["Fn::Join"][1][-1] == "-eu-west-1"


def test_keys_of_cloudfront_are_rotated_without_touching_a_fleet_but_to_sign_anew(example):
    """Old; new added; new signs; old gone. CloudFormation deletes no key that a fleet still imports."""
    old = example.deployment.cloudfront_public_keys[0]
    new = example.deployment.cloudfront_public_keys[0].replace("FSyIMv", "FSyIMw")  # Synthesised, never used.

    def synthesised(*keys):
        app = App()
        build(app, Deployment(**{**example.deployment.model_dump(), "cloudfront_public_keys": keys}))
        edge, web, keeper = (
            Template.from_stack(app.node.find_child(f"vitrine-{name}")).to_json() for name in ("edge", "web", "keeper")
        )
        return edge["Resources"], web, keeper

    before, added, signing, after = (synthesised(*keys) for keys in ((old,), (old, new), (new, old), (new,)))
    assert before[1:] == added[1:]
    assert signing[1:] == after[1:]
    assert added[1:] != signing[1:]

    def keys(edge):
        return {name: each for name, each in edge.items() if each["Type"] == "AWS::CloudFront::PublicKey"}

    assert keys(added[0]) == keys(signing[0]) == keys(before[0]) | keys(after[0])  # None is replaced or renamed.
    assert len(keys(added[0])) == 2
    for edge in (added[0], signing[0]):
        (group,) = [each for each in edge.values() if each["Type"] == "AWS::CloudFront::KeyGroup"]
        assert {each["Fn::GetAtt"][0] for each in group["Properties"]["KeyGroupConfig"]["Items"]} == set(keys(edge))
    for template, signer in ((before[1], keys(before[0])), (after[1], keys(after[0]))):
        text = json.dumps(template)
        assert [name for name in keys(added[0]) if f"ExportsOutputFnGetAtt{name}" in text] == list(signer)


def test_without_cloudfront_all_sites_lead_to_the_load_balancer(plain):
    assert not {"edge", "front", "deliveries"} & set(plain.templates)
    named = {each["Name"] for each in plain.of("AWS::Route53::RecordSet", "network") if "AliasTarget" in each}
    base = plain.deployment.base_domain
    assert named == {f"{base}.", f"*.{base}.", f"upload.{base}.", f"origin.{base}."}
    (web,) = plain.of("AWS::ElasticLoadBalancingV2::ListenerRule", "web")
    assert web["Conditions"][0]["HostHeaderConfig"]["Values"] == [base, f"*.{base}"]


def test_letters_are_sent_from_one_address_and_bounce_to_ses(large):
    for fleet in ("web", "keeper"):
        statements = [
            each
            for policy in large.of("AWS::IAM::ManagedPolicy", fleet)
            for each in policy["PolicyDocument"]["Statement"]
        ]
        (sending,) = [each for each in statements if each["Action"] == "ses:SendRawEmail"]
        assert sending["Condition"] == {"StringEquals": {"ses:FromAddress": "albums@albums.example.org"}}
    domain = large.only("AWS::SES::EmailIdentity")["MailFromAttributes"]["MailFromDomain"]
    records = {
        (each["Type"], *each["ResourceRecords"])
        for each in large.of("AWS::Route53::RecordSet", "network")
        if each["Name"] == f"{domain}."
    }
    assert records == {
        ("MX", "10 feedback-smtp.us-east-1.amazonses.com"),
        ("TXT", '"v=spf1 include:amazonses.com ~all"'),
    }


def test_simpledbs_domains_outlive_the_stack_and_have_nothing_that_could_change(example):
    resources = example.templates["data"]["Resources"].values()
    domains = [each for each in resources if each["Type"] == "AWS::SDB::Domain"]
    assert len(domains) == example.deployment.simpledb_shards
    for each in domains:
        assert each == {"Type": "AWS::SDB::Domain", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


def test_documents_fit_into_what_aws_takes(synthesis):
    """With forty characters for each reference, which is what a name is that AWS makes."""

    def size(value):
        if isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref")):
            ((function, argument),) = value.items()
            return sum(map(size, argument[1])) if function == "Fn::Join" else 40
        if isinstance(value, dict):
            return 2 + sum(len(name) + size(each) + 4 for name, each in value.items())
        return 2 + sum(map(size, value)) + len(value) if isinstance(value, list) else len(value) + 2

    for fleet in FLEETS:
        (parameter,) = synthesis.of("AWS::SSM::Parameter", fleet)
        assert size(parameter["Value"]) < 4_000  # 4 KB
        for policy in synthesis.of("AWS::IAM::ManagedPolicy", fleet):
            # Of the 6,144 the example has room for twelve domains more.
            assert size(policy["PolicyDocument"]) < 6_144 - (12 * 100 if synthesis.deployment.makes_domains else 0)


def test_no_template_holds_a_secret(synthesis):
    for template in synthesis.templates.values():
        assert "PRIVATE KEY" not in json.dumps(template)
    for secret in synthesis.of("AWS::SecretsManager::Secret"):
        assert "SecretString" not in secret
