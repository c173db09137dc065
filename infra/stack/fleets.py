"""The four fleets. Web and upload are behind the load balancer, each by its hosts; the others are behind the queue."""

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_elasticloadbalancingv2 as elb
from constructs import Construct

from infra.scaling import policy
from infra.stack.data import Data
from infra.stack.environment import namespace
from infra.stack.fleet import HOSTS_NAMESPACE, FleetStack
from infra.stack.network import ORIGIN_HEADER, UPLOAD_PORT, WEB_PORT

# Of a photo, by docs/adr/0031 and what a store may take; the last that waits begins within a minute.
MEAN_JOB_SECONDS = 3.0

# The load balancer asks whether a machine may get requests; whether it is broken it asks nobody (ADR 0106), so a
# database that is away empties the target groups and ends no machine.
_READY = elb.HealthCheck(
    path="/readyz", interval=Duration.seconds(10), timeout=Duration.seconds(5), unhealthy_threshold_count=3
)


class ServerStack(FleetStack):
    """A fleet behind the load balancer."""

    def serve(self, port: int, *, drain: Duration, priority: int, conditions: list[elb.ListenerCondition]) -> None:
        self.targets = elb.ApplicationTargetGroup(
            self,
            "Targets",
            target_group_name=self.group_name,
            vpc=self.network.vpc,
            port=port,
            protocol=elb.ApplicationProtocol.HTTP,
            target_type=elb.TargetType.INSTANCE,
            deregistration_delay=drain,
            health_check=_READY,
            load_balancing_algorithm_type=elb.TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
        )
        resource = self.group.node.default_child
        assert isinstance(resource, autoscaling.CfnAutoScalingGroup)
        resource.target_group_arns = [self.targets.target_group_arn]
        rule = elb.ApplicationListenerRule(
            self,
            "Rule",
            listener=self.network.listener,
            priority=priority,
            conditions=conditions,
            action=elb.ListenerAction.forward([self.targets]),
        )
        self.group.node.add_dependency(rule)


class WebStack(ServerStack):
    """Tenants' sites, dashboard and API: every host that is not the upload fleet's."""

    def __init__(self, scope: Construct, name: str, data: Data, outputs: dict[str, str], **props: Any) -> None:
        super().__init__(scope, name, data, "web", outputs, **props)
        if self.deployment.edge == "cloudfront":
            # Tenants' own domains are not known here. Who says what only CloudFront knows came through it.
            said = self.network.origin_secret.secret_value.unsafe_unwrap()
            known = elb.ListenerCondition.http_header(ORIGIN_HEADER, [said])
        else:
            base = self.deployment.base_domain
            known = elb.ListenerCondition.host_headers([base, f"*.{base}"])
        self.serve(WEB_PORT, drain=Duration.seconds(60), priority=20, conditions=[known])
        self._scale()

    def _scale(self) -> None:
        requests = cloudwatch.Metric(
            namespace="AWS/ApplicationELB",
            metric_name="RequestCountPerTarget",
            statistic="Sum",
            dimensions_map={"TargetGroup": self.targets.target_group_full_name},
        )
        track(self, "Requests", requests, policy.WEB_REQUESTS_PER_MINUTE)


class UploadStack(ServerStack):
    """The upload host, past CloudFront: bodies of gigabytes gain nothing there."""

    def __init__(self, scope: Construct, name: str, data: Data, outputs: dict[str, str], **props: Any) -> None:
        super().__init__(scope, name, data, "upload", outputs, **props)
        mine = elb.ListenerCondition.host_headers([self.deployment.upload_host])
        # A part of a file may take minutes; who is cut off goes on elsewhere from the last acknowledged byte.
        self.serve(UPLOAD_PORT, drain=Duration.seconds(300), priority=10, conditions=[mine])
        self._scale()

    def _scale(self) -> None:
        group = {"AutoScalingGroupName": self.group_name}
        arriving = cloudwatch.Metric(
            namespace="AWS/EC2", metric_name="NetworkIn", statistic="Average", dimensions_map=group
        )
        track(self, "Network", arriving, policy.UPLOAD_BYTES_PER_MINUTE)
        # What the agent on each machine counts (infra/hosts/ec2/cloudwatch-agent.json).
        connections = cloudwatch.Metric(
            namespace=HOSTS_NAMESPACE, metric_name="netstat_tcp_established", statistic="Average", dimensions_map=group
        )
        track(self, "Connections", connections, policy.UPLOAD_CONNECTIONS)


class ProcessorStack(FleetStack):
    """Bridges and workers. A busy machine is protected from scale-in by itself (infra/hosts/ec2/member.sh)."""

    def __init__(self, scope: Construct, name: str, data: Data, outputs: dict[str, str], **props: Any) -> None:
        super().__init__(scope, name, data, "processor", outputs, **props)
        backlog = cloudwatch.Metric(
            namespace=namespace(self.deployment), metric_name="queue.backlog_per_worker", statistic="Average"
        )
        busy = cloudwatch.Metric(
            namespace="AWS/EC2",
            metric_name="CPUUtilization",
            statistic="Average",
            dimensions_map={"AutoScalingGroupName": self.group_name},
        )
        track(self, "Busy", busy, 100 * policy.BUSY_SHARE)
        track(self, "Backlog", backlog, policy.target_backlog(MEAN_JOB_SECONDS))


class KeeperStack(FleetStack):
    """One machine for what runs once: migrations, reconcile, heal, domains. Only it may change tables."""

    def __init__(self, scope: Construct, name: str, data: Data, outputs: dict[str, str], **props: Any) -> None:
        super().__init__(scope, name, data, "keeper", outputs, **props)


def track(stack: FleetStack, name: str, metric: cloudwatch.Metric, target: float) -> None:
    """Target tracking: the group has as many machines as bring the metric to the target.

    By the resource itself: the construct's has Lambda's metric math in mind and renders no plain metric.
    """
    autoscaling.CfnScalingPolicy(
        stack,
        name,
        auto_scaling_group_name=stack.group.auto_scaling_group_name,
        policy_type="TargetTrackingScaling",
        target_tracking_configuration=autoscaling.CfnScalingPolicy.TargetTrackingConfigurationProperty(
            target_value=target,
            customized_metric_specification=autoscaling.CfnScalingPolicy.CustomizedMetricSpecificationProperty(
                namespace=metric.namespace,
                metric_name=metric.metric_name,
                statistic=metric.statistic,
                dimensions=[
                    autoscaling.CfnScalingPolicy.MetricDimensionProperty(name=each, value=str(value))
                    for each, value in (metric.dimensions or {}).items()
                ]
                or None,
            ),
        ),
    )
