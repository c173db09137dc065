"""What others check: cfn-lint against CloudFormation's schema, cdk-nag's AwsSolutions, and a reviewed snapshot."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.stack.accepted import ACCEPTED, Finding, unexplained, unused

SNAPSHOTS = Path(__file__).parent / "snapshots"


def test_cfn_lint_has_no_error(every):
    files = sorted(map(str, every.folder.glob("*.template.json")))
    # Zones are named so that a every asks nobody (W3010).
    lint = Path(sys.executable).with_name("cfn-lint")
    ended = subprocess.run(
        [lint, "--ignore-checks", "W3010", "--", *files], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "")


def test_every_finding_of_cdk_nag_is_explained(every):
    assert len(every.findings) > 10, "cdk-nag did not run"
    assert unexplained(every.findings) == []


def test_no_explanation_is_left_over(example, large, plain):
    assert list(unused([*example.findings, *large.findings, *plain.findings])) == []


def test_a_finding_that_nobody_explained_is_told():
    stranger = Finding("AwsSolutions-EC23", "vitrine-network/DatabaseGroup/Resource")
    assert unexplained([stranger]) == [stranger]
    assert all(accepted.reason for accepted in ACCEPTED)


def test_templates_are_the_reviewed_ones(synthesis):
    """`VITRINE_SNAPSHOT=write make infra` writes them anew; the diff is what is reviewed."""
    for name, template in synthesis.templates.items():
        text = json.dumps(template, indent=1, sort_keys=True) + "\n"
        path = SNAPSHOTS / synthesis.deployment.name / f"{name}.json"
        if os.environ.get("VITRINE_SNAPSHOT") == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if not path.exists() or path.read_text() != text:
            pytest.fail(f"{path.relative_to(SNAPSHOTS)} is not what is synthesised: VITRINE_SNAPSHOT=write make infra")
    kept = {path.stem for path in (SNAPSHOTS / synthesis.deployment.name).glob("*.json")}
    assert kept == set(synthesis.templates)
