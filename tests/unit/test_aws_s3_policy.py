"""The document for STS. What the session policy allows is worked out here by IAM's rules for `*`
(any characters, slashes too) as far as the document uses them; `contracts/test_s3_session.py` has it enforced."""

import json
import re
from typing import Any

import pytest

from infra.aws.s3_policy import session_policy
from infra.wiring import RENDITIONS
from tenants.names import intake_key, new_id, original_key, rendition_key, tenant_prefix

TENANT, OTHER = new_id(), new_id()


def matches(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text, re.DOTALL) is not None


def allows(policy: dict[str, Any], action: str, resource: str, prefix: str | None = None) -> bool:
    for statement in policy["Statement"]:
        resources = statement["Resource"]
        named = [resources] if isinstance(resources, str) else resources
        wanted = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
        if (
            action in ([actions] if isinstance(actions := statement["Action"], str) else actions)
            and any(matches(each, resource) for each in named)
            and (wanted is None or (prefix is not None and any(matches(each, prefix) for each in wanted)))
        ):
            return True
    return False


@pytest.fixture
def policy() -> dict[str, Any]:
    return session_policy("photos", tenant_prefix(TENANT))


def test_a_session_reaches_its_tenants_objects_and_no_others(policy: dict[str, Any]) -> None:
    for tenant in (TENANT, OTHER):
        for key in (
            original_key(tenant, new_id(), "a" * 64),
            rendition_key(tenant, new_id(), 1, "w640.jpg"),
            f"arriving/{intake_key(tenant, new_id())}/x",
        ):
            for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload"):
                assert allows(policy, action, f"arn:aws:s3:::photos/{key}") is (tenant == TENANT)
                assert not allows(policy, action, f"arn:aws:s3:::other/{key}")


def test_a_session_lists_its_tenant_only(policy: dict[str, Any]) -> None:
    bucket = "arn:aws:s3:::photos"
    assert allows(policy, "s3:ListBucketMultipartUploads", bucket)  # S3 knows no prefix there.
    for action in ("s3:ListBucket", "s3:ListBucketVersions"):
        assert allows(policy, action, bucket, tenant_prefix(TENANT))
        assert allows(policy, action, bucket, f"arriving/{tenant_prefix(TENANT)}in/")
        for prefix in (None, "", "t/", "arriving/t/", tenant_prefix(OTHER), tenant_prefix(TENANT).rstrip("/")):
            assert not allows(policy, action, bucket, prefix)


@pytest.mark.parametrize("action", ["s3:PutBucketPolicy", "s3:DeleteBucket", "s3:PutObjectAcl", "s3:*"])
def test_a_session_does_nothing_else(policy: dict[str, Any], action: str) -> None:
    assert not allows(policy, action, "arn:aws:s3:::photos", tenant_prefix(TENANT))
    assert not allows(policy, action, f"arn:aws:s3:::photos/{tenant_prefix(TENANT)}o/x")


@pytest.mark.parametrize("prefix", ["t/*/", "*/", "t/?/", "t/${aws:username}/", "t/01", ""])
def test_a_prefix_that_would_mean_more_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        session_policy("photos", prefix)


def test_it_fits_into_a_session(policy: dict[str, Any]) -> None:
    longest = session_policy("b" * 63, tenant_prefix(TENANT), partition="aws-us-gov")
    assert len(json.dumps(longest, separators=(",", ":"))) <= 2048


def test_wiring_knows_a_rendition_by_its_key() -> None:
    assert re.match(RENDITIONS, rendition_key(TENANT, new_id(), 1, "w640.jpg"))
    assert not re.match(RENDITIONS, original_key(TENANT, new_id(), "a" * 64))
    assert not re.match(RENDITIONS, f"arriving/{intake_key(TENANT, new_id())}")
