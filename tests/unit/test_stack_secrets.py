"""What an operator keeps by hand: the scripts of infra/stack, with a fake `aws` that keeps secrets in a folder."""

import os
import subprocess
from pathlib import Path

import pytest

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
create-secret) ! [ -e "$file" ]; cp "$from" "$file" ;;
put-secret-value) [ -e "$file" ]; cp "$from" "$file" ;;
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
