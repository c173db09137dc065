#!/usr/bin/env bash
# From a bare image to a member of its fleets; cloud-init runs it once, and infra/hosts/user_data.py puts it there.
# Settings: /etc/vitrine/host.env. If anything fails the group is told to give this instance up and launch another.
set -euo pipefail
set -a
# shellcheck source=/dev/null
. /etc/vitrine/host.env
set +a
: "${VITRINE_HOST_FLEETS:?}" "${VITRINE_HOST_RELEASE:?}" "${VITRINE_HOST_SHA256:?}" "${VITRINE_HOST_PARAMETER:?}"
here=/opt/vitrine/unpacked
release=$here
give_up() {
    local status=$?
    [ $status = 0 ] && return
    echo "first boot failed: $status"
    bash "$release/infra/hosts/ec2/member.sh" failed || true
}
trap give_up EXIT

install -d "$here"
aws s3 cp --only-show-errors "$VITRINE_HOST_RELEASE" "$here/release.tar.gz"
echo "$VITRINE_HOST_SHA256  $here/release.tar.gz" | sha256sum --check --quiet
tar -xz -C "$here" --no-same-owner --strip-components=1 -f "$here/release.tar.gz"
rm "$here/release.tar.gz"

# Which fleets there are is a list of words.
# shellcheck disable=SC2086
"$release/infra/hosts/install.sh" --files $VITRINE_HOST_FLEETS
"$release/infra/hosts/ec2/install.sh"
systemctl start ec2-vitrine-settings.service
# shellcheck disable=SC2086
"$release/infra/hosts/install.sh" $VITRINE_HOST_FLEETS
systemctl enable --now --quiet ec2-vitrine-member.service
bash "$release/infra/hosts/ec2/member.sh" arrived
