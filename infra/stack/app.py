"""The CDK app. `python -m infra.stack.app FOLDER` writes checked templates; without a folder it is `cdk` that asks."""

import sys
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import App, Environment, LegacyStackSynthesizer, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from infra.stack.accepted import Finding, findings, unexplained
from infra.stack.data import Data
from infra.stack.deliveries import Deliveries
from infra.stack.deployment import EDGE_REGION, Deployment, read
from infra.stack.edge import Edge
from infra.stack.fleet import FleetStack
from infra.stack.fleets import KeeperStack, ProcessorStack, UploadStack, WebStack
from infra.stack.front import Front
from infra.stack.network import Network
from infra.stack.observability import Logs, Observability

# Who migrates comes before whoever needs the tables.
KINDS = {"keeper": KeeperStack, "web": WebStack, "upload": UploadStack, "processor": ProcessorStack}


@dataclass(frozen=True)
class Built:
    """The stacks of a deployment; `edge` and `front` are missing without CloudFront."""

    network: Network
    data: Data
    fleets: dict[str, FleetStack]
    edge: Edge | None
    front: Front | None


def build(app: App, deployment: Deployment) -> Built:
    """Adds the stacks to the app. Their names begin with the deployment's."""
    name = deployment.name
    env = Environment(account=deployment.account or None, region=deployment.region)
    network = Network(app, f"{name}-network", deployment, env=env)
    data = Data(app, f"{name}-data", network, env=env)
    logs = Logs(app, f"{name}-logs", data, env=env)
    edge, front = _edge(app, deployment, network, env)
    outputs = {**data.outputs, **(edge.outputs if edge else {})}
    fleets: dict[str, FleetStack] = {}
    for fleet, kind in KINDS.items():
        fleets[fleet] = kind(app, f"{name}-{fleet}", data, outputs, env=env)
        fleets[fleet].add_dependency(logs)
        if fleet != "keeper":
            fleets[fleet].add_dependency(fleets["keeper"])
    Observability(app, f"{name}-observability", data, fleets, env=env)
    # CloudFormation knows no tags of a target group of the proxy, whatever the construct thinks.
    Tags.of(app).add("vitrine", name, exclude_resource_types=["AWS::RDS::DBProxyTargetGroup"])
    return Built(network, data, fleets, edge, front)


def _edge(app: App, deployment: Deployment, network: Network, env: Environment) -> tuple[Edge | None, Front | None]:
    if deployment.edge == "app":
        return None, None
    there = Environment(account=deployment.account or None, region=EDGE_REGION)
    front = Front(app, f"{deployment.name}-front", deployment, env=there)
    if not deployment.edge_is_known:
        sys.stderr.write(
            f"Deploy {front.stack_name} first, then copy its outputs to edge_certificate and edge_web_acl: "
            "there is no edge and no fleet before.\n"
        )
        raise SystemExit(3)
    same_region = deployment.region == EDGE_REGION
    edge = Edge(app, f"{deployment.name}-edge", network, front if same_region else None, env=env)
    if deployment.deliveries == "cloudfront":
        distribution = edge.distribution.ref if same_region else deployment.edge_distribution
        Deliveries(app, f"{deployment.name}-deliveries", deployment, distribution, env=there).add_dependency(edge)
    return edge, front


def synthesise(deployment: Deployment, folder: Path, *, checked: bool = False) -> list[Finding]:
    """Writes the templates; with `checked` asks cdk-nag's AwsSolutions and gives back all that it found."""
    report = folder / "validation-report.json"
    report.unlink(missing_ok=True)
    app = _app(str(folder))
    build(app, deployment)
    if not checked:
        app.synth()
        return []
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError:  # jsii's for any finding. The templates and the report are written.
        if not report.exists():
            raise
    return findings(report) if report.exists() else []


def _app(folder: str | None) -> App:
    """Nothing of ours is an asset, so the account needs no bootstrap, and templates are what they look like."""
    return App(outdir=folder, analytics_reporting=False, default_stack_synthesizer=LegacyStackSynthesizer())


def main() -> None:
    if len(sys.argv) > 1:
        left = unexplained(synthesise(read(), Path(sys.argv[1]), checked=True))
        sys.exit("\n".join(f"{each.rule}: {each.construct}" for each in left) if left else 0)
    app = _app(None)
    build(app, read())
    app.synth()


if __name__ == "__main__":
    main()
