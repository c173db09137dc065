"""`user_data(…)`: cloud-init's document that makes a bare Debian 12 image a member of fleets.

The stack puts it into launch templates. It holds names, never a secret: what is secret is read by the instance's role
at each start (`ec2/fetch_settings.py`). What it runs is `ec2/first-boot.sh`, and what that installs is in the release.
"""

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
FLEETS = tuple(sorted(unit.stem.removeprefix("vitrine-") for unit in (HERE / "units").glob("vitrine-*.target")))
MOST_BYTES = 16 * 1024
"""EC2 takes no more user data, before base64."""

_PLAIN = re.compile(r"[^\"$`\\\n]*")


def user_data(
    *fleets: str,
    region: str,
    release: str,
    sha256: str,
    parameter: str,
    group: str = "",
    start_hook: str = "",
    end_hook: str = "",
) -> str:
    """A `#cloud-config` document.

    `release` is the archive of `pack.sh` as `s3://…`, `sha256` what its `.sha256` file says, `parameter` the Systems
    Manager parameter of `ec2/fetch_settings.py`. The hooks are names of the group's lifecycle hooks, empty where it has
    none; `group` its name, by default read from the instance's tags. Values may be CDK tokens: they are only quoted.
    Raises ValueError for an unknown fleet and for a value that a shell would read otherwise.
    """
    if not fleets or set(fleets) - set(FLEETS):
        raise ValueError(f"fleets: some of {', '.join(FLEETS)}, not {', '.join(fleets) or 'none'}")
    host = {
        "AWS_DEFAULT_REGION": region,
        "VITRINE_HOST_FLEETS": " ".join(fleets),
        "VITRINE_HOST_RELEASE": release,
        "VITRINE_HOST_SHA256": sha256,
        "VITRINE_HOST_PARAMETER": parameter,
        "VITRINE_HOST_GROUP": group,
        "VITRINE_HOST_START_HOOK": start_hook,
        "VITRINE_HOST_END_HOOK": end_hook,
    }
    environment = "".join(f'{name}="{_plain(name, value)}"\n' for name, value in host.items())
    boot = (HERE / "ec2/first-boot.sh").read_text()
    document = {
        "package_update": True,
        "packages": ["awscli", "ca-certificates", "curl"],
        "write_files": [
            {"path": "/etc/vitrine/host.env", "permissions": "0644", "content": environment},
            {"path": "/opt/vitrine/first-boot.sh", "permissions": "0755", "content": boot},
        ],
        "runcmd": [["/opt/vitrine/first-boot.sh"]],
    }
    # JSON is YAML, and leaves nothing to guess about quoting.
    text = "#cloud-config\n" + json.dumps(document, indent=1) + "\n"
    if len(text.encode()) > MOST_BYTES:
        raise ValueError(f"{len(text.encode())} bytes of user data, EC2 takes {MOST_BYTES}")
    return text


def _plain(name: str, value: str) -> str:
    # A token of the CDK is `${Token[…]}` until it is synthesised.
    if not _PLAIN.fullmatch(re.sub(r"\$\{Token\[[^\]]*\]\}", "", value)):
        raise ValueError(f"{name}: {value!r} has a character that a shell would read")
    return value
