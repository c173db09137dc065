#!/usr/bin/env bash
# What a host on EC2 has beside the fleets: settings at each start, membership of its group, logs to CloudWatch. Root.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
# AWS publishes this fingerprint under "Verifying the signature of the CloudWatch agent package".
agent_key=937616F3450B7D806CBD9725D58167303B789C72
agent=https://amazoncloudwatch-agent.s3.amazonaws.com

DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends awscli curl gnupg logrotate >/dev/null

install -m 0644 "$here"/ec2-vitrine-*.service /etc/systemd/system/
install -m 0755 "$here/fetch_settings.py" "$here/member.sh" /opt/vitrine/
install -m 0644 "$here/20-log-files.conf" /etc/systemd/system/vitrine-.service.d/
install -m 0644 "$here/logrotate.conf" /etc/logrotate.d/vitrine

install_agent() {
    local folder
    folder=$(mktemp -d)
    curl -sSf -o "$folder/agent.deb" "$agent/debian/$(dpkg --print-architecture)/latest/amazon-cloudwatch-agent.deb"
    curl -sSf -o "$folder/agent.deb.sig" "$agent/debian/$(dpkg --print-architecture)/latest/amazon-cloudwatch-agent.deb.sig"
    curl -sSf -o "$folder/agent.gpg" "$agent/assets/amazon-cloudwatch-agent.gpg"
    export GNUPGHOME=$folder
    gpg --quiet --batch --import "$folder/agent.gpg"
    gpg --batch --status-fd 1 --verify "$folder/agent.deb.sig" "$folder/agent.deb" 2>/dev/null |
        grep -q "VALIDSIG.* $agent_key\$" || { echo "The CloudWatch agent is not signed by AWS's key" >&2; exit 1; }
    dpkg -i "$folder/agent.deb" >/dev/null
    rm -rf "$folder"
}
command -v amazon-cloudwatch-agent-ctl >/dev/null || [ -x /opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl ] ||
    install_agent
/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c "file:$here/cloudwatch-agent.json"
systemctl daemon-reload
systemctl enable --quiet ec2-vitrine-settings.service
