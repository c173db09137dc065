"""The CDK app: `python -m infra.stack.app [FOLDER]` writes the templates; `cdk` runs the same by cdk.json."""

import sys
from dataclasses import dataclass

from aws_cdk import App, Environment, Stack, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from infra.stack.accepted import accept
from infra.stack.data import Data
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
    Tags.of(app).add("vitrine", name)
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
    return Edge(app, f"{deployment.name}-edge", network, front if same_region else None, env=env), front


def check(app: App) -> None:
    """cdk-nag's AwsSolutions while the app is synthesised; what it finds and is not explained ends that with an error."""
    for stack in app.node.find_all():
        if isinstance(stack, Stack):
            accept(stack)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def main() -> None:
    app = App(outdir=sys.argv[1] if len(sys.argv) > 1 else None)
    build(app, read())
    check(app)
    app.synth()


if __name__ == "__main__":
    main()
