#!/usr/bin/env bash
# What can be known of the hosts' files without a host: units by systemd-analyze, user data by cloud-init's schema,
# scripts by bash, the Dockerfile by hadolint. A tool that is missing fails the check.
set -euo pipefail
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The units name the installed release; here it is this checkout, or every program of theirs would be missing.
cp -r infra/hosts/units "$scratch/units"
cp infra/hosts/ec2/*.service "$scratch/units/"
find "$scratch/units" -type f -exec sed -i -E "s,/opt/vitrine/current,$PWD,g; s,/opt/vitrine/([a-z_]+\.(sh|py)),$PWD/infra/hosts/ec2/\1,g" {} +
chmod -R go-w "$scratch/units"
said=$(SYSTEMD_UNIT_PATH="$scratch/units:" systemd-analyze verify --man=no --recursive-errors=no \
    "$scratch"/units/*.service "$scratch"/units/*.target 2>&1) || true
if [ -n "$said" ]; then
    printf '%s\n' "$said" >&2
    exit 1
fi
echo "units: verified"

for fleet in web upload processor keeper; do
    .venv/bin/python - "$fleet" >"$scratch/user-data.yaml" <<'DATA'
import sys
from infra.hosts.user_data import user_data
print(user_data(sys.argv[1], region="eu-central-1", release="s3://releases/vitrine.tar.gz", sha256="0" * 64,
                parameter="/vitrine/settings", group="vitrine-group", start_hook="start", end_hook="end"), end="")
DATA
    cloud-init schema --config-file "$scratch/user-data.yaml" >/dev/null
done
echo "user data: valid cloud-config"

for script in infra/hosts/*.sh infra/hosts/*/*.sh infra/hosts/vitrine; do bash -n "$script"; done
echo "scripts: parse"

.tools/bin/uv run --quiet --frozen --isolated --only-group containers hadolint infra/hosts/container/Dockerfile
echo "Dockerfile: hadolint has nothing to say"
