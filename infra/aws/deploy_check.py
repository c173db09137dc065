"""`make deploy-check`: what CloudFormation itself says of the templates, in a real account, without deploying anything.

Each stack gets a change set, which is described and deleted. CloudFormation looks up exports when it makes one, so
of an empty account only stacks that import nothing can be asked; the others are named, and asked once those are there.
"""

import json
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

CHANGE_SET = "vitrine-deploy-check"
NO_CREDENTIALS = """\
deploy-check asks a real AWS account and found no credentials that work: {error}
Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and name your file in VITRINE_DEPLOYMENT.
`make infra` checks the same templates without an account."""


def account() -> str:
    """Whose credentials these are. Ends the program with what to do where there are none."""
    try:
        return str(boto3.client("sts").get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        raise SystemExit(NO_CREDENTIALS.format(error=error)) from None


def stacks(folder: Path) -> list[tuple[str, str, Path]]:
    """(name, region, template) in the order in which the app deploys them."""
    artifacts = json.loads((folder / "manifest.json").read_text())["artifacts"]
    found = {name: each for name, each in artifacts.items() if each["type"] == "aws:cloudformation:stack"}
    ordered: list[str] = []

    def visit(name: str) -> None:
        for before in found[name].get("dependencies", []):
            if before in found:
                visit(before)
        if name not in ordered:
            ordered.append(name)

    for name in found:
        visit(name)
    return [
        (name, found[name]["environment"].rsplit("/", 1)[1], folder / found[name]["properties"]["templateFile"])
        for name in ordered
    ]


def imports(template: Path) -> set[str]:
    """Exports of other stacks that a template asks for."""

    def walk(value: Any) -> set[str]:
        if isinstance(value, dict):
            here = {value["Fn::ImportValue"]} if isinstance(value.get("Fn::ImportValue"), str) else set()
            return here.union(*(walk(each) for each in value.values()))
        return set().union(*(walk(each) for each in value)) if isinstance(value, list) else set()

    return walk(json.loads(template.read_text()))


def check(name: str, region: str, template: Path) -> str:
    """One line: what would change, or why that cannot be said. Raises ClientError for what CloudFormation refuses."""
    client = boto3.client("cloudformation", region_name=region)
    pages = client.get_paginator("list_exports").paginate()
    missing = imports(template) - {each["Name"] for page in pages for each in page["Exports"]}
    if missing:
        return f"waits for {', '.join(sorted({each.split(':')[0] for each in missing}))}"
    there = _is_there(client, name)
    client.create_change_set(
        StackName=name,
        ChangeSetName=CHANGE_SET,
        ChangeSetType="UPDATE" if there else "CREATE",
        TemplateBody=template.read_text(),
        Capabilities=["CAPABILITY_IAM"],
    )
    try:
        return _described(client, name)
    finally:
        client.delete_change_set(StackName=name, ChangeSetName=CHANGE_SET)
        if not there:  # A change set that would create one leaves a stack in review.
            client.delete_stack(StackName=name)


def _is_there(client: Any, name: str) -> bool:
    try:
        status = client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return False
        raise
    return bool(status != "REVIEW_IN_PROGRESS")


def _described(client: Any, name: str) -> str:
    try:
        client.get_waiter("change_set_create_complete").wait(StackName=name, ChangeSetName=CHANGE_SET)
    except WaiterError:
        found = client.describe_change_set(StackName=name, ChangeSetName=CHANGE_SET)
        reason = str(found.get("StatusReason", "no reason given"))
        if "didn't contain changes" in reason or "No updates" in reason:
            return "nothing would change"
        raise SystemExit(f"{name}: CloudFormation refuses it: {reason}") from None
    found = client.describe_change_set(StackName=name, ChangeSetName=CHANGE_SET)
    return f"{len(found['Changes'])} resources would change"


def main(folder: Path) -> None:
    sys.stdout.write(f"Account {account()}\n")
    for name, region, template in stacks(folder):
        sys.stdout.write(f"{name} ({region}): {check(name, region, template)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
