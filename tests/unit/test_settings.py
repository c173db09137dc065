"""Settings: defaults, derived values and mistakes."""

import re
from pathlib import Path

import pytest

import billing
from infra.settings import Settings, SettingsError, load


def test_defaults_make_a_working_machine(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/vitrine.db"
    assert settings.upload_url == "http://upload.localhost:8001"
    assert settings.site_url("demo.localhost") == "http://demo.localhost:8000"
    assert settings.secure_cookies


def test_the_made_secret_survives_a_restart_and_is_private(tmp_path: Path) -> None:
    first = load(data_dir=tmp_path).secret_key.get_secret_value()
    assert len(first) >= 32
    assert load(data_dir=tmp_path).secret_key.get_secret_value() == first
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_every_mistake_gets_a_line_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_WEB_PORT", "99999")
    monkeypatch.setenv("VITRINE_BLOBS", "floppy")
    monkeypatch.setenv("VITRINE_WORKERS", "many")
    with pytest.raises(SettingsError) as caught:
        load(data_dir=tmp_path)
    lines = str(caught.value).splitlines()[1:]
    assert [line.partition(":")[0] for line in lines] == ["VITRINE_BLOBS", "VITRINE_WEB_PORT", "VITRINE_WORKERS"]


def test_an_adapter_without_what_it_needs_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(data_dir=tmp_path, blobs="s3", queue="sqs", media_metadata="simpledb", simpledb_domain="media")
    assert str(caught.value).splitlines()[1:] == [
        "VITRINE_AWS_REGION: is needed by VITRINE_BLOBS=s3 and VITRINE_QUEUE=sqs and VITRINE_MEDIA_METADATA=simpledb",
        "VITRINE_S3_BUCKET: is needed by VITRINE_BLOBS=s3",
        "VITRINE_SQS_QUEUE: is needed by VITRINE_QUEUE=sqs",
    ]
    assert load(data_dir=tmp_path, queue="sqs", aws_region="eu-central-1", sqs_queue="jobs").sqs_queue == "jobs"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("VITRINE_BLOBS", "S3"),
        ("VITRINE_QUEUE", "kafka"),
        ("VITRINE_MEDIA_METADATA", "dynamodb"),
        ("VITRINE_METRICS", "statsd"),
        ("VITRINE_NOTICES", "spot"),
        ("VITRINE_AWS_REGION", "eu central 1"),
        ("VITRINE_AWS_ENDPOINT_URL", "localhost:5000"),
        ("VITRINE_S3_BUCKET", "Photos_1"),
        ("VITRINE_S3_RENDITION_CLASS", "GLACIER"),
        ("VITRINE_SQS_QUEUE", "jobs.fifo"),
        ("VITRINE_SQS_QUEUE", "q" * 76),  # With "-bulk" and "-dead" it would be longer than SQS's 80.
        ("VITRINE_SIMPLEDB_DOMAIN", "no"),
        ("VITRINE_SIMPLEDB_SHARDS", "0"),
        ("VITRINE_SIMPLEDB_DOMAINS", "media-0,no"),
        ("VITRINE_SIMPLEDB_DOMAINS", "media-0,media-1,media-0"),
        ("VITRINE_CLOUDWATCH_NAMESPACE", ":AWS"),
        ("VITRINE_METRICS_SPOOL_BYTES", "10"),
    ],
)
def test_a_wrong_setting_for_aws_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load(data_dir=tmp_path)
    (line,) = str(caught.value).splitlines()[1:]
    assert line.startswith(f"{variable}: ")


@pytest.mark.parametrize(
    ("variable", "choice", "needed"),
    [
        ("VITRINE_BLOBS", "s3", {"VITRINE_AWS_REGION", "VITRINE_S3_BUCKET"}),
        ("VITRINE_QUEUE", "sqs", {"VITRINE_AWS_REGION", "VITRINE_SQS_QUEUE"}),
        ("VITRINE_MEDIA_METADATA", "simpledb", {"VITRINE_AWS_REGION", "VITRINE_SIMPLEDB_DOMAIN"}),
        ("VITRINE_METRICS", "cloudwatch", {"VITRINE_AWS_REGION"}),
    ],
)
def test_a_missing_setting_for_aws_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, choice: str, needed: set[str]
) -> None:
    monkeypatch.setenv(variable, choice)
    with pytest.raises(SettingsError) as caught:
        load(data_dir=tmp_path)
    lines = str(caught.value).splitlines()[1:]
    assert sorted(lines) == sorted(f"{name}: is needed by {variable}={choice}" for name in needed)


def test_an_upload_must_fit_into_s3s_parts(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="max_upload_bytes: S3 takes 52428800000 at most"):
        load(data_dir=tmp_path, blobs="s3", aws_region="x", s3_bucket="photos", max_upload_bytes=50 * 2**30)


def test_only_the_web_fleet_needs_what_signs_stripes_webhooks(tmp_path: Path) -> None:
    keeper = load(data_dir=tmp_path, billing="stripe", stripe_key="rk_test_1")
    with pytest.raises(SettingsError, match="VITRINE_STRIPE_WEBHOOK_SECRET: is needed by VITRINE_BILLING=stripe"):
        billing.routes(keeper)
    web = load(data_dir=tmp_path, billing="stripe", stripe_key="rk_test_1", stripe_webhook_secret="whsec_1")
    assert billing.routes(web) is not None
    with pytest.raises(SettingsError, match="VITRINE_STRIPE_KEY: is needed"):
        load(data_dir=tmp_path, billing="stripe", stripe_webhook_secret="whsec_1")


def test_simpledbs_domains_are_named_in_one_way(tmp_path: Path) -> None:
    chosen: dict[str, object] = {"data_dir": tmp_path, "media_metadata": "simpledb", "aws_region": "eu-west-1"}
    assert load(**chosen, simpledb_domains="stack-B7K, stack-A2X").simpledb_domains == ("stack-B7K", "stack-A2X")
    with pytest.raises(SettingsError, match="simpledb_domain: not together with simpledb_domains"):
        load(**chosen, simpledb_domain="media", simpledb_domains="stack-B7K,stack-A2X")


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="32 characters"):
        load(data_dir=tmp_path, secret_key="short")


def test_a_proxy_in_front_shows_in_public_addresses(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path, scheme="https", public_port=443, base_domain="example.com")
    assert settings.site_url("demo.example.com") == "https://demo.example.com"
    assert settings.upload_url == "https://upload.example.com"


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        settings.workers = 3  # type: ignore[misc]  # that is the point


def test_the_documentation_lists_every_setting() -> None:
    documented = set(re.findall(r"^\| `VITRINE_(\w+)`", Path("docs/settings.md").read_text(), re.MULTILINE))
    assert documented == {name.upper() for name in Settings.model_fields}
