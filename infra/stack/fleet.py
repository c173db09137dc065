"""One fleet: its role, its settings, how its machines are made, and its Auto Scaling group."""

import json
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.hosts.user_data import user_data
from infra.stack import rights
from infra.stack.data import Data
from infra.stack.deployment import Fleet
from infra.stack.environment import environment, secrets_of

START_HOOK, END_HOOK = "arrived", "drained"
# Packages, the release and its readiness: on the smallest types some four minutes.
_START_SECONDS = 900
# As long as a machine may take to stop its fleets, which hand back what they cannot end.
_END_SECONDS = 900
HOSTS_NAMESPACE = "Vitrine/Hosts"


class FleetStack(Stack):
    """`group` is the Auto Scaling group. A machine is put there by cloud-init from the release (infra/hosts)."""

    def __init__(
        self, scope: Construct, name: str, data: Data, fleet: str, outputs: dict[str, str], **props: Any
    ) -> None:
        super().__init__(scope, name, **props)
        self.data, self.network, self.deployment, self.fleet = data, data.network, data.deployment, fleet
        self.wanted: Fleet = getattr(self.deployment, fleet)
        self.group_name = f"{self.deployment.name}-{fleet}"
        self.role = self._role()
        self.parameter = self._settings(outputs)
        self.group = self._group(self._launch_template())
        CfnOutput(self, "GroupOutput", value=self.group.auto_scaling_group_name).override_logical_id("Group")

    def _settings(self, outputs: dict[str, str]) -> ssm.StringParameter:
        made = environment(self.deployment, outputs, self.fleet)
        return ssm.StringParameter(
            self,
            "Settings",
            parameter_name=f"/{self.deployment.name}/{self.fleet}",
            description="Read by a machine at each start: infra/hosts/ec2/fetch_settings.py",
            string_value=json.dumps(made),
        )

    def _role(self) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        adapters = iam.ManagedPolicy(self, "AdapterRights", statements=list(rights.statements(self.data, self.fleet)))
        machine = iam.ManagedPolicy(self, "MachineRights", statements=self._machine())
        role.add_managed_policy(adapters)
        role.add_managed_policy(machine)
        return role

    def _machine(self) -> list[iam.PolicyStatement]:
        """Release, settings, secrets, logs, its place in the group, and a shell by Session Manager."""
        here = f"{self.region}:{self.account}"
        arn = f"arn:{self.partition}"
        name = self.deployment.name
        hook = ["autoscaling:CompleteLifecycleAction"]
        if self.fleet == "processor":
            hook.append("autoscaling:SetInstanceProtection")
        secrets = [
            f"{arn}:secretsmanager:{here}:secret:{each}-??????" for each in secrets_of(self.deployment, self.fleet)
        ]
        group = f"{arn}:autoscaling:{here}:autoScalingGroup:*:autoScalingGroupName/{self.group_name}"
        found = [
            _may(["s3:GetObject"], [self.data.releases.arn_for_objects("*.tar.gz")]),
            _may(["ssm:GetParameter"], [f"{arn}:ssm:{here}:parameter/{name}/{self.fleet}"]),
            _may(["secretsmanager:GetSecretValue"], secrets),
            _may(hook, [group]),
            _may(
                ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                [f"{arn}:logs:{here}:log-group:/vitrine/*"],
            ),
            iam.PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringEquals": {"cloudwatch:namespace": HOSTS_NAMESPACE}},
            ),
            # The agent names its instance's group; and what Session Manager needs. Neither knows resources.
            _may(["ec2:DescribeTags"], ["*"]),
            _may(
                [
                    "ssm:UpdateInstanceInformation",
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ],
                ["*"],
            ),
        ]
        if self.data.key:  # Of the secrets; once more where the adapters have it already does no harm.
            found.append(_may(["kms:Decrypt"], [self.data.key.key_arn]))
        return found

    def _launch_template(self) -> ec2.LaunchTemplate:
        document = user_data(
            self.fleet,
            region=self.region,
            release=f"s3://{self.data.releases.bucket_name}/{self.deployment.release}.tar.gz",
            sha256=self.deployment.release_sha256,
            parameter=f"/{self.deployment.name}/{self.fleet}",
            group=self.group_name,
            start_hook=START_HOOK,
            end_hook=END_HOOK,
        )
        template = ec2.LaunchTemplate(
            self,
            "Machine",
            launch_template_name=self.group_name,
            machine_image=ec2.MachineImage.from_ssm_parameter(
                self.deployment.image, os=ec2.OperatingSystemType.LINUX, user_data=ec2.UserData.custom(document)
            ),
            role=self.role,
            security_group=self.network.fleet_groups[self.fleet],
            require_imdsv2=True,
            http_put_response_hop_limit=1,
            http_endpoint=True,
            detailed_monitoring=True,
            ebs_optimized=True,
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(
                        self.wanted.disk_gib, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3
                    ),
                )
            ],
        )
        template.node.add_dependency(self.parameter)
        return template

    def _group(self, template: ec2.LaunchTemplate) -> autoscaling.AutoScalingGroup:
        spot = self.wanted.on_demand_percent < 100
        group = autoscaling.AutoScalingGroup(
            self,
            "Group",
            auto_scaling_group_name=self.group_name,
            vpc=self.network.vpc,
            vpc_subnets=self.network.subnets,
            min_capacity=self.wanted.least,
            max_capacity=self.wanted.most,
            capacity_rebalance=spot,
            default_instance_warmup=Duration.seconds(180),
            group_metrics=[autoscaling.GroupMetrics.all()],
            health_checks=self.health_checks(),
            mixed_instances_policy=autoscaling.MixedInstancesPolicy(
                launch_template=template,
                launch_template_overrides=[
                    autoscaling.LaunchTemplateOverrides(instance_type=ec2.InstanceType(each))
                    for each in self.wanted.instance_types
                ],
                instances_distribution=autoscaling.InstancesDistribution(
                    on_demand_base_capacity=self.wanted.on_demand_base,
                    on_demand_percentage_above_base_capacity=self.wanted.on_demand_percent,
                    on_demand_allocation_strategy=autoscaling.OnDemandAllocationStrategy.PRIORITIZED,
                    # Capacity first, then the price: who is interrupted least ends most jobs.
                    spot_allocation_strategy=autoscaling.SpotAllocationStrategy.PRICE_CAPACITY_OPTIMIZED,
                ),
            ),
            update_policy=None,
        )
        resource = group.node.default_child
        assert isinstance(resource, autoscaling.CfnAutoScalingGroup)
        resource.lifecycle_hook_specification_list = _hooks()
        return group

    def health_checks(self) -> autoscaling.HealthChecks:
        """EC2's own; servers add the load balancer's (`ServerStack`)."""
        return autoscaling.HealthChecks.ec2(grace_period=Duration.seconds(_START_SECONDS))


def _hooks() -> list[autoscaling.CfnAutoScalingGroup.LifecycleHookSpecificationProperty]:
    """With the group and not after it: the first machines have them too."""
    return [
        autoscaling.CfnAutoScalingGroup.LifecycleHookSpecificationProperty(
            lifecycle_hook_name=name,
            lifecycle_transition=f"autoscaling:EC2_INSTANCE_{transition}",
            heartbeat_timeout=seconds,
            default_result=result,
        )
        for name, transition, seconds, result in (
            # Who is not ready in time is replaced, and no refresh of the group goes on past it.
            (START_HOOK, "LAUNCHING", _START_SECONDS, "ABANDON"),
            (END_HOOK, "TERMINATING", _END_SECONDS, "CONTINUE"),
        )
    ]


def _may(actions: list[str], resources: list[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=actions, resources=resources)
