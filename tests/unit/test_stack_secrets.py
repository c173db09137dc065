"""What an operator keeps by hand: the scripts of infra/stack, with a fake `aws` that keeps secrets in a folder."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from infra.aws.cloudfront_signing import Signer
from infra.stack.deployment import EXAMPLE, Deployment, read
from infra.stack.environment import key_secret

STACK = Path(__file__).parents[2] / "infra/stack"
# `aws secretsmanager VERB …`: what is kept lies below $KEPT, by its name; file:// is read as AWS's own does.
AWS = """#!/usr/bin/env bash
set -euo pipefail
[ "$1" = secretsmanager ]
verb=$2; shift 2
while [ $# -gt 0 ]; do
    case $1 in
    --name | --secret-id) file=$KEPT/${2//\\//_}; shift 2 ;;
    --secret-string) [[ $2 = file://* ]]; from=${2#file://}; shift 2 ;;
    *) exit 64 ;;
    esac
done
case $verb in
describe-secret) [ -e "$file" ] ;;
create-secret) [ ! -e "$file" ] || exit 254; cp "$from" "$file" ;;
put-secret-value) [ -e "$file" ] || exit 254; cp "$from" "$file" ;;
*) exit 64 ;;
esac
"""


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/aws").write_text(AWS)
    (tmp_path / "bin/aws").chmod(0o755)
    (tmp_path / "tmp").mkdir()
    folder = tmp_path / "kept"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("KEPT", str(folder))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    return folder


def script(name: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [STACK / name, *arguments], input=given, capture_output=True, text=True, check=False, timeout=30
    )


def test_stripes_secrets_are_kept_and_replaced(kept: Path) -> None:
    assert script("stripe.sh", "vitrine", "key", given="rk_test_51Abc\n").returncode == 0
    both = "whsec_abc,whsec_def"
    assert script("stripe.sh", "vitrine", "webhook", given=both).returncode == 0  # Without an end of line.
    assert script("stripe.sh", "vitrine", "key", given="rk_live_51Def\n").returncode == 0
    assert {file.name: file.read_text() for file in kept.iterdir()} == {
        "vitrine_stripe-key": "rk_live_51Def",
        "vitrine_stripe-webhook": both,
    }
    assert not list((kept.parent / "tmp").iterdir())  # Nothing is left on the disk.


@pytest.mark.parametrize(
    ("which", "given"),
    [
        ("key", ""),
        ("key", "pk_test_public"),
        ("key", "whsec_abc"),
        ("webhook", "rk_test_1"),
        ("webhook", "whsec_a, whsec_b"),
    ],
)
def test_what_is_no_secret_of_stripes_is_told_and_not_kept(kept: Path, which: str, given: str) -> None:
    ended = script("stripe.sh", "vitrine", which, given=given)
    assert ended.returncode == 1
    assert f"that is no {which} of Stripe's; nothing was kept" in ended.stderr
    assert given not in ended.stderr or not given
    assert not list(kept.iterdir())


def test_stripe_sh_says_how_it_is_used(kept: Path) -> None:
    for arguments in ((), ("vitrine",), ("vitrine", "password")):
        ended = script("stripe.sh", *arguments, given="rk_test_1")
        assert ended.returncode != 0
        assert "usage: stripe.sh NAME key|webhook" in ended.stderr
    assert not list(kept.iterdir())


def test_a_key_of_cloudfronts_is_kept_where_the_stack_looks_for_it(kept: Path) -> None:
    for _ in range(2):  # Rotating adds one; no secret is renamed or written over.
        ended = script("keys.sh", "vitrine")
        assert ended.returncode == 0
        deployment = Deployment(**{**read(EXAMPLE).model_dump(), "cloudfront_public_keys": [ended.stdout]})
        secret = key_secret(deployment, deployment.cloudfront_public_keys[0])
        private = (kept / secret.replace("/", "_")).read_text()
        assert Signer("K1", private.encode()).url("https://a.example/m/x", datetime(2026, 11, 26, tzinfo=UTC))
        key = serialization.load_pem_private_key(private.encode(), password=None)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        assert public.decode() == ended.stdout
    assert len(list(kept.iterdir())) == 2
    assert not list((kept.parent / "tmp").iterdir())


def test_a_key_from_before_is_taken_over_and_never_twice(kept: Path, tmp_path: Path) -> None:
    made = script("keys.sh", "vitrine")
    (file,) = kept.iterdir()
    old = tmp_path / "old.pem"
    old.write_text(file.read_text())
    file.unlink()
    taken = script("keys.sh", "vitrine", str(old))
    assert (taken.returncode, taken.stdout) == (0, made.stdout)
    assert [each.name for each in kept.iterdir()] == [file.name]
    assert script("keys.sh", "vitrine", str(old)).returncode != 0
    assert script("keys.sh", "vitrine", str(tmp_path / "nothing.pem")).returncode != 0
