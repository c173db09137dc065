"""Three deployments, synthesised once: the example, which starts cheap, `large.toml`, which turns every knob, and
`plain.toml` without CloudFront and SimpleDB.

These tests need the dependency group `infra` (600 MB), so `make infra` runs them and `make test` does not.
"""

import importlib.util
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("aws_cdk") is None:
    collect_ignore_glob = ["test_*.py"]

HERE = Path(__file__).parent
Resource = dict[str, Any]


@dataclass(frozen=True)
class Synthesis:
    """Templates by the stack's name without the deployment's, and what cdk-nag found."""

    deployment: Any
    folder: Path
    templates: dict[str, dict[str, Any]]
    findings: list[Any] = field(default_factory=list)

    def of(self, kind: str, stack: str | None = None) -> list[Resource]:
        """Properties of the resources of a type; in every stack, or in one."""
        chosen = self.templates.values() if stack is None else [self.templates[stack]]
        return [
            resource.get("Properties", {})
            for template in chosen
            for resource in template["Resources"].values()
            if resource["Type"] == kind
        ]

    def only(self, kind: str, stack: str | None = None) -> Resource:
        (found,) = self.of(kind, stack)
        return found


def _synthesise(path: Path | None, folder: Path) -> Synthesis:
    from infra.stack.app import synthesise
    from infra.stack.deployment import read

    deployment = read(path)
    found = synthesise(deployment, folder, checked=True)
    templates = {
        file.name.removesuffix(".template.json").removeprefix(deployment.name + "-"): json.loads(file.read_text())
        for file in sorted(folder.glob("*.template.json"))
    }
    return Synthesis(deployment, folder, templates, found)


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    from infra.stack.deployment import EXAMPLE

    return _synthesise(EXAMPLE, tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    return _synthesise(HERE / "large.toml", tmp_path_factory.mktemp("large"))


@pytest.fixture(scope="session", params=["example", "large"])
def synthesis(request: pytest.FixtureRequest) -> Synthesis:
    found: Synthesis = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    return _synthesise(HERE / "plain.toml", tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="session", params=["example", "large", "plain"])
def every(request: pytest.FixtureRequest) -> Synthesis:
    found: Synthesis = request.getfixturevalue(request.param)
    return found
