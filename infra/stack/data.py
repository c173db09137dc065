"""What outlives every machine: objects, queues, the database, secrets."""

import json
from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sdb as sdb
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.aws.s3_policy import bucket_rules
from infra.stack.environment import secret_name
from infra.stack.network import DATABASE_PORT, Network, retention

ISOLATED = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)


class Data(Stack):
    """`outputs` is what `infra.stack.environment` reads: names of resources, as CloudFormation refers to them."""

    def __init__(self, scope: Construct, name: str, network: Network, **props: Any) -> None:
        super().__init__(scope, name, **props)
        self.network = network
        self.deployment = network.deployment
        self.removal = RemovalPolicy.RETAIN if self.deployment.keep else RemovalPolicy.DESTROY
        self.key = self._key()
        self.lost_queue = self._queue("Lost", f"{self.deployment.name}-lost")
        self.bucket = self._bucket()
        self.releases = self._releases()
        self.dead_queue = self._queue("Dead", f"{self.deployment.name}-dead")
        self.queue, self.bulk_queue = (
            self._queue(title, f"{self.deployment.name}{suffix}", dead=self.dead_queue)
            for title, suffix in (("Quick", ""), ("Bulk", "-bulk"))
        )
        self.domains = self._domains()
        self.secret_key = self._secret("SecretKey", "secret-key", "signs sessions, tickets and media addresses")
        self.owner = self._role_secret("Owner", "owner", "vitrine_owner")
        self.serving = self._role_secret("Serving", "serving", "vitrine_serving")
        self.database = self._database()
        self.proxy = self._proxy() if self.deployment.database.proxy else None
        self.outputs = self._outputs()

    def _key(self) -> kms.Key | None:
        if not self.deployment.customer_key:
            return None
        return kms.Key(
            self,
            "Key",
            alias=f"alias/{self.deployment.name}",
            description="Objects, database and secrets",
            enable_key_rotation=True,
            removal_policy=self.removal,
        )

    # -- objects --

    def _bucket(self) -> s3.Bucket:
        """Originals, renditions and arriving uploads: one bucket, as the application has it (ADR 0150)."""
        bucket = s3.Bucket(
            self,
            "Objects",
            # Named, so that the queue's policy can say who may send to it before there is a bucket.
            bucket_name=f"{self.deployment.name}-objects-{self.account}-{self.region}",
            encryption=s3.BucketEncryption.KMS if self.key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=self.key,
            bucket_key_enabled=True if self.key else None,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            versioned=True,
            removal_policy=self.removal,
        )
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="NeverOverwritten",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:PutObject"],
                resources=[bucket.arn_for_objects("t/*")],
                # Parts of a multipart upload create nothing yet; what completes it has the condition again.
                conditions={"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}},
            )
        )
        resource = bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        resource.lifecycle_configuration = s3.CfnBucket.LifecycleConfigurationProperty(rules=_lifecycle())
        self._report_losses(resource)
        self.network.log_accesses(bucket, "objects")
        return bucket

    def _report_losses(self, bucket: s3.CfnBucket) -> None:
        """By the resource itself: the construct's notifications come with a Lambda function."""
        arn = f"arn:{self.partition}:s3:::{bucket.bucket_name}"
        said = self.lost_queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="EventsOfTheBucket",
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.lost_queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": arn}, "StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        bucket.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[
                s3.CfnBucket.QueueConfigurationProperty(
                    event="s3:ReducedRedundancyLostObject", queue=self.lost_queue.queue_arn
                )
            ]
        )
        assert said.policy_dependable is not None
        bucket.node.add_dependency(said.policy_dependable)

    def _releases(self) -> s3.Bucket:
        releases = s3.Bucket(
            self,
            "Releases",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            versioned=True,
            removal_policy=self.removal,
        )
        self.network.log_accesses(releases, "releases")
        return releases

    # -- queues --

    def _queue(self, title: str, name: str, *, dead: sqs.Queue | None = None) -> sqs.Queue:
        """As `infra/aws/sqs.py` makes them where they are absent."""
        most = self.deployment.max_receives
        return sqs.Queue(
            self,
            f"{title}Queue",
            queue_name=name,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            visibility_timeout=Duration.seconds(60),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=most) if dead else None,
        )

    def _domains(self) -> list[sdb.CfnDomain]:
        """SimpleDB's, in the order of shards. AWS names them, by which the application is told (ADR 0194). Nothing of
        one can be changed, so none is ever replaced; fewer in the deployment are fewer here, and refused there."""
        if not self.deployment.makes_domains:
            return []
        found = []
        for number in range(self.deployment.simpledb_shards):
            domain = sdb.CfnDomain(self, f"Media{number}")
            domain.apply_removal_policy(self.removal)
            domain.add_deletion_override("Metadata")  # The path of a construct, and not even that may change.
            found.append(domain)
        return found

    # -- secrets and the database --

    def _secret(self, title: str, name: str, about: str, **more: Any) -> secretsmanager.Secret:
        """Without punctuation, so that a value fits into an address and between quotes."""
        return secretsmanager.Secret(
            self,
            title,
            secret_name=secret_name(self.deployment, name),
            description=f"Vitrine: {about}",
            encryption_key=self.key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                exclude_punctuation=True, password_length=48, **more
            ),
            removal_policy=self.removal,
        )

    def _role_secret(self, title: str, name: str, role: str) -> secretsmanager.Secret:
        template = json.dumps({"username": role})
        about = f"password of the database role {role}"
        return self._secret(title, name, about, secret_string_template=template, generate_string_key="password")

    def _database(self) -> rds.DatabaseInstance:
        wanted, name = self.deployment.database, f"{self.deployment.name}-database"
        logs.LogGroup(
            self,
            "DatabaseLogs",
            log_group_name=f"/aws/rds/instance/{name}/postgresql",
            retention=retention(self.deployment),
            removal_policy=RemovalPolicy.DESTROY,
        )
        engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_9)
        return rds.DatabaseInstance(
            self,
            "Database",
            instance_identifier=name,
            engine=engine,
            instance_type=ec2.InstanceType(wanted.instance_class),
            credentials=rds.Credentials.from_generated_secret(
                "vitrine_admin", secret_name=secret_name(self.deployment, "database-admin"), encryption_key=self.key
            ),
            vpc=self.network.vpc,
            vpc_subnets=ISOLATED,
            security_groups=[self._as_it_is("Database", self.network.database_group)],
            port=DATABASE_PORT,
            publicly_accessible=False,
            multi_az=wanted.multi_az,
            allocated_storage=wanted.storage_gib,
            max_allocated_storage=wanted.storage_most_gib,
            storage_type=rds.StorageType.GP3,
            storage_encrypted=True,
            storage_encryption_key=self.key,
            backup_retention=Duration.days(wanted.backup_days),
            copy_tags_to_snapshot=True,
            auto_minor_version_upgrade=True,
            cloudwatch_logs_exports=["postgresql"],
            deletion_protection=self.deployment.keep,
            removal_policy=RemovalPolicy.SNAPSHOT,
            parameter_group=rds.ParameterGroup(
                self,
                "DatabaseParameters",
                engine=engine,
                parameters={"rds.force_ssl": "1", "log_min_duration_statement": "1000", "log_lock_waits": "1"},
            ),
        )

    def _proxy(self) -> rds.DatabaseProxy:
        """What the application says for a transaction it says with SET LOCAL, which pins no connection (ADR 0153)."""
        assert self.network.proxy_group is not None
        return rds.DatabaseProxy(
            self,
            "Proxy",
            db_proxy_name=f"{self.deployment.name}-proxy",
            proxy_target=rds.ProxyTarget.from_instance(self.database),
            secrets=[self.serving, self.owner],
            vpc=self.network.vpc,
            vpc_subnets=ISOLATED,
            security_groups=[self._as_it_is("Proxy", self.network.proxy_group)],
            require_tls=True,
        )

    def _as_it_is(self, title: str, group: ec2.SecurityGroup) -> ec2.ISecurityGroup:
        """Who may talk to whom is all said in the network's stack; the constructs would say some of it again there."""
        return ec2.SecurityGroup.from_security_group_id(self, f"{title}Group", group.security_group_id, mutable=False)

    # -- what the others need --

    def _outputs(self) -> dict[str, str]:
        host = self.proxy.endpoint if self.proxy else self.database.db_instance_endpoint_address
        found = {
            "Bucket": self.bucket.bucket_name,
            "Queue": self.queue.queue_name,
            "LostQueue": self.lost_queue.queue_name,
            "Database": host,
        }
        if self.domains:
            found["MediaDomains"] = ",".join(domain.ref for domain in self.domains)
        for name, value in {**found, "ReleasesBucket": self.releases.bucket_name}.items():
            CfnOutput(self, f"{name}Output", value=value).override_logical_id(name)
        return found


def _lifecycle() -> list[s3.CfnBucket.RuleProperty]:
    """`bucket_rules`, which are tested against S3's API, as CloudFormation spells them."""
    rules = []
    for rule in bucket_rules()["Rules"]:
        expiration, noncurrent = rule.get("Expiration", {}), rule.get("NoncurrentVersionExpiration")
        abort = rule.get("AbortIncompleteMultipartUpload")
        rules.append(
            s3.CfnBucket.RuleProperty(
                id=rule["ID"],
                status=rule["Status"],
                prefix=rule["Filter"]["Prefix"] or None,
                expiration_in_days=expiration.get("Days"),
                expired_object_delete_marker=expiration.get("ExpiredObjectDeleteMarker"),
                noncurrent_version_expiration=noncurrent
                and s3.CfnBucket.NoncurrentVersionExpirationProperty(noncurrent_days=noncurrent["NoncurrentDays"]),
                abort_incomplete_multipart_upload=abort
                and s3.CfnBucket.AbortIncompleteMultipartUploadProperty(
                    days_after_initiation=abort["DaysAfterInitiation"]
                ),
            )
        )
    return rules
