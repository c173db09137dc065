"""What an operator looks at, and what wakes one: log groups, alarms, a dashboard."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.stack.data import Data
from infra.stack.environment import namespace
from infra.stack.fleet import HOSTS_NAMESPACE, FleetStack
from infra.stack.fleets import ServerStack
from infra.stack.network import retention

_MINUTE, _QUARTER = Duration.minutes(1), Duration.minutes(15)
_GIB = 1024**3
LOG_GROUPS = (
    *("web", "upload", "relay", "bridge", "worker", "webhooks"),
    *("reconcile", "heal", "billing", "domains", "redis", "migrate", "first-boot"),
)
"""What infra/hosts/ec2/cloudwatch-agent.json writes to, below /vitrine/."""


class Logs(Stack):
    """Before the fleets: their machines may write to these groups and make none, so that each has its retention."""

    def __init__(self, scope: Construct, name: str, data: Data, **props: Any) -> None:
        super().__init__(scope, name, **props)
        for group in LOG_GROUPS:
            logs.LogGroup(
                self,
                group.title().replace("-", ""),
                log_group_name=f"/vitrine/{group}",
                retention=retention(data.deployment),
                removal_policy=RemovalPolicy.DESTROY,
            )


class Observability(Stack):
    def __init__(self, scope: Construct, name: str, data: Data, fleets: Mapping[str, FleetStack], **props: Any) -> None:
        super().__init__(scope, name, **props)
        self.data, self.deployment, self.fleets = data, data.deployment, fleets
        self.topic = sns.Topic(self, "Alarms", topic_name=f"{self.deployment.name}-alarms", enforce_ssl=True)
        if self.deployment.alarm_mail:
            self.topic.add_subscription(subscriptions.EmailSubscription(self.deployment.alarm_mail))
        self._jobs()
        self._money()
        self._sites()
        self._database()
        self._dashboard()
        CfnOutput(self, "AlarmsOutput", value=self.topic.topic_arn).override_logical_id("Alarms")

    # -- metrics --

    def _ours(self, name: str, statistic: str = "Maximum", **dimensions: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace(self.deployment),
            metric_name=name,
            statistic=statistic,
            period=_MINUTE,
            dimensions_map=dimensions or None,
        )

    def _balancer(self, name: str, statistic: str = "Sum", **more: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/ApplicationELB",
            metric_name=name,
            statistic=statistic,
            period=_MINUTE,
            dimensions_map={"LoadBalancer": self.data.network.balancer.load_balancer_full_name, **more},
        )

    def _of(self, fleet: str, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        stack = self.fleets[fleet]
        assert isinstance(stack, ServerStack)
        return self._balancer(name, statistic, TargetGroup=stack.targets.target_group_full_name)

    # -- alarms --

    def _alarm(
        self,
        name: str,
        about: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        *,
        periods: int,
        below: bool = False,
        silent: bool = False,
    ) -> None:
        """`about` says what to do; it is what the mail says. Silence is none, since an idle installation has no
        requests, unless it is what the alarm is about (`silent`)."""
        compared, missing = cloudwatch.ComparisonOperator, cloudwatch.TreatMissingData
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self.deployment.name}-{name}",
            alarm_description=about,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=compared.LESS_THAN_THRESHOLD if below else compared.GREATER_THAN_THRESHOLD,
            treat_missing_data=missing.BREACHING if silent else missing.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))

    def _jobs(self) -> None:
        dead = self.data.dead_queue.metric_approximate_number_of_messages_visible(period=_MINUTE, statistic="Maximum")
        age = self.data.queue.metric_approximate_age_of_oldest_message(period=_MINUTE, statistic="Maximum")
        lost = self.data.lost_queue.metric_approximate_age_of_oldest_message(period=_MINUTE, statistic="Maximum")
        self._alarm("DeadLetters", "Jobs failed for good: docs/runbooks.md says what to do.", dead, 0, periods=1)
        self._alarm("QueueAge", "Photos wait for ten minutes: is there a processor?", age, 600, periods=5)
        self._alarm("LostObjects", "Nobody reads S3's lost-object events: is the keeper there?", lost, 3600, periods=5)
        for fleet in self.fleets:
            running = cloudwatch.Metric(
                namespace="AWS/AutoScaling",
                metric_name="GroupInServiceInstances",
                statistic="Minimum",
                period=_MINUTE,
                dimensions_map={"AutoScalingGroupName": self.fleets[fleet].group_name},
            )
            about = (
                f"No machine of the {fleet} fleet: its group's activities say why (Spot drought, a failed first boot)."
            )
            self._alarm(f"{fleet.title()}Empty", about, running, 1, periods=15, below=True)

    def _money(self) -> None:
        """The loops of the keeper that nobody waits for before a page: they are missed when an invoice is."""
        for fleet in ("billing", "domains"):
            about = f"No turn of the keeper's {fleet} loop ended well for half an hour: its log says why."
            turns = self._ours("loop.turns", "Sum", fleet=fleet).with_(period=_QUARTER)
            self._alarm(f"{fleet.title()}Still", about, turns, 1, periods=2, below=True, silent=True)
        about = "Hours of usage wait for metrics: `billing status` says which and why."
        self._alarm("MeteringWaits", about, self._ours("metering.waiting").with_(period=_QUARTER), 0, periods=8)
        about = "Meter events of which nobody knows whether Stripe has them: docs/billing.md says what to do."
        self._alarm("MeteringDoubtful", about, self._ours("metering.doubtful").with_(period=_QUARTER), 0, periods=4)

        if self.deployment.deliveries == "cloudfront":
            about = "CloudFront's access logs and its own count of bytes are apart: docs/metering.md says what to do."
            apart = self._ours("metering.deliveries_differ", "Sum").with_(period=_QUARTER)
            self._alarm("DeliveriesDiffer", about, apart, 0, periods=1)
            about = "An access log was set aside, and is not billed: docs/metering.md says what to do."
            aside = self._ours("metering.deliveries_unreadable", "Sum").with_(period=_QUARTER)
            self._alarm("DeliveriesUnreadable", about, aside, 0, periods=1)

    def _sites(self) -> None:
        for fleet in ("web", "upload"):
            errors = self._of(fleet, "HTTPCode_Target_5XX_Count")
            self._alarm(
                f"{fleet.title()}Errors", f"The {fleet} fleet answers 5xx: its log says why.", errors, 10, periods=5
            )
            ill = self._of(fleet, "UnHealthyHostCount", "Maximum")
            about = f"A machine of the {fleet} fleet is not ready: ask its /readyz what is missing."
            self._alarm(f"{fleet.title()}NotReady", about, ill, 0, periods=10)
        slow = self._of("web", "TargetResponseTime", "p95")
        self._alarm("WebSlow", "Every twentieth page takes more than two seconds.", slow, 2, periods=10)
        nobody = self._balancer("HTTPCode_ELB_5XX_Count")
        self._alarm("NobodyAnswers", "The load balancer has nobody to ask.", nobody, 10, periods=5)

    def _database(self) -> None:
        database = self.data.database
        self._alarm("DatabaseBusy", "A larger class, or the proxy.", database.metric_cpu_utilization(), 80, periods=3)
        free = database.metric_free_storage_space()
        self._alarm("DatabaseFull", "storage_most_gib is nearly reached.", free, 2 * _GIB, periods=1, below=True)
        memory = database.metric_freeable_memory()
        self._alarm("DatabaseMemory", "A larger class.", memory, 100 * 1024**2, periods=3, below=True)

    # -- the dashboard --

    def _dashboard(self) -> None:
        rows: list[list[tuple[str, list[cloudwatch.IMetric]]]] = [
            [
                (
                    "Jobs waiting, in work, dead",
                    [self._ours(f"queue.{each}") for each in ("waiting", "in_flight", "dead")],
                ),
                ("Seconds the oldest job waits", [self._ours("queue.age")]),
                ("Waiting jobs for each worker", [self._ours("queue.backlog_per_worker", "Average")]),
            ],
            [
                ("Machines", [self._machines(fleet) for fleet in self.fleets]),
                ("Requests", [self._of(fleet, "RequestCount") for fleet in ("web", "upload")]),
                (
                    "Seconds to answer, p95",
                    [self._of(fleet, "TargetResponseTime", "p95") for fleet in ("web", "upload")],
                ),
            ],
            [
                ("5xx", [self._of(fleet, "HTTPCode_Target_5XX_Count") for fleet in ("web", "upload")]),
                ("Disk used, %", [self._host(fleet, "disk_used_percent") for fleet in self.fleets]),
                ("Memory used, %", [self._host(fleet, "mem_used_percent") for fleet in self.fleets]),
            ],
            [
                ("Database CPU, %", [self.data.database.metric_cpu_utilization()]),
                ("Database connections", [self.data.database.metric_database_connections()]),
                ("Database storage free", [self.data.database.metric_free_storage_space()]),
            ],
        ]
        widgets = [
            [cloudwatch.GraphWidget(title=title, left=metrics, width=8, height=6) for title, metrics in row]
            for row in rows
        ]
        cloudwatch.Dashboard(self, "Dashboard", dashboard_name=self.deployment.name, widgets=widgets)

    def _machines(self, fleet: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/AutoScaling",
            metric_name="GroupInServiceInstances",
            statistic="Average",
            period=_MINUTE,
            label=fleet,
            dimensions_map={"AutoScalingGroupName": self.fleets[fleet].group_name},
        )

    def _host(self, fleet: str, name: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=HOSTS_NAMESPACE,
            metric_name=name,
            statistic="Maximum",
            period=_MINUTE,
            label=fleet,
            dimensions_map={"AutoScalingGroupName": self.fleets[fleet].group_name},
        )
