#!/usr/bin/python3
"""`fetch_settings.py PARAMETER [FOLDER]`: writes /etc/vitrine from Systems Manager and Secrets Manager, at each start.

The parameter (made by the stack, one a fleet) holds a JSON object of settings: `{"VITRINE_S3_BUCKET": "…", …}`. Its
values hold no secret, only where one is:

    ${secret:ARN}            the secret's string
    ${secret:ARN#key}        the value of `key` in a secret that is a JSON object, as RDS makes them
    ${secret:ARN#key|url}    the same, percent-encoded, for a password within a URL

`VITRINE_DATABASE_OWNER_URL` goes to owner.env, which only migrations read, everything else to vitrine.env. A key that
is a path below /etc/vitrine/ is a file with that content (CloudFront's signing key). Nothing else of the machine is
written. Python and AWS's command line only: it runs before a release is there, and ends with one line if it cannot.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

NAME = re.compile(r"VITRINE_[A-Z0-9_]+")
REFERENCE = re.compile(r"\$\{secret:(?P<id>[^#|}]+)(?:#(?P<key>[^|}]+))?(?P<url>\|url)?\}")
OWNERS = ("VITRINE_DATABASE_OWNER_URL",)
Ask = Callable[..., str]


def resolve(value: str, secret: Callable[[str], str]) -> str:
    """`value` with what it refers to. Raises KeyError for a key that the secret does not have."""

    def found(reference: re.Match[str]) -> str:
        text = secret(reference["id"])
        if reference["key"]:
            text = str(json.loads(text)[reference["key"]])
        return quote(text, safe="") if reference["url"] else text

    return REFERENCE.sub(found, value)


def line(name: str, value: str) -> str:
    """NAME="value" as systemd's EnvironmentFile and a shell both read it."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name}: not a setting of Vitrine")
    if "\n" in value or "\0" in value:
        raise ValueError(f"{name}: more than one line")
    return f'{name}="' + re.sub(r'([\\"$`])', r"\\\1", value) + '"\n'


def files(document: str, secret: Callable[[str], str], folder: Path = Path("/etc/vitrine")) -> dict[Path, str]:
    """What is to be written where. Raises ValueError for what is neither a setting nor a path in the folder."""
    written = {folder / "vitrine.env": "", folder / "owner.env": ""}
    for name, value in sorted(json.loads(document).items()):
        whole = resolve(str(value), secret)
        if name.startswith("/"):
            path = Path(os.path.normpath(name))
            if Path("/etc/vitrine") not in path.parents:
                raise ValueError(f"{name}: not below /etc/vitrine/")
            written[folder / path.relative_to("/etc/vitrine")] = whole
        else:
            written[folder / ("owner.env" if name in OWNERS else "vitrine.env")] += line(name, whole)
    return written


def aws(*arguments: str) -> str:
    asked = subprocess.run(["aws", *arguments, "--output", "text"], check=True, capture_output=True, text=True)
    return asked.stdout.removesuffix("\n")


def secret_string(arn: str, ask: Ask = aws) -> str:
    return ask("secretsmanager", "get-secret-value", "--secret-id", arn, "--query", "SecretString")


def write(path: Path, content: str) -> None:
    """Whole or not at all; root's, readable to the fleets. The migrations' address is for root alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)
    if path.name != "owner.env":
        shutil.chown(new, group="vitrine")
        new.chmod(0o640)
    new.replace(path)


def main(parameter: str) -> None:
    try:
        document = aws("ssm", "get-parameter", "--name", parameter, "--with-decryption", "--query", "Parameter.Value")
        for path, content in files(document, secret_string).items():
            write(path, content)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd[1:3])}: {error.stderr.strip()}")
    except (ValueError, KeyError) as error:
        sys.exit(f"{parameter}: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
