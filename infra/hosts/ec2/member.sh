#!/usr/bin/env bash
# This instance as a member of its Auto Scaling group; runs as ec2-vitrine-member.service.
#   - asks every five seconds what the group wants of it (IMDSv2, autoscaling/target-lifecycle-state);
#   - on a processor, has the group protect it from scale-in while a worker is busy;
#   - when the group ends it: stops its fleets, which drain (units/vitrine-bridge.service), then lets the group go on.
# A Spot notice is the bridge's own affair (docs/adr/0100). Without a hook the group does not wait, and nothing is lost.
# Settings: /etc/vitrine/host.env, written by cloud-init.
set -euo pipefail
: "${VITRINE_HOST_FLEETS:?}" "${AWS_DEFAULT_REGION:?}"
metadata=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
every=${VITRINE_HOST_EVERY:-5}
redis=${VITRINE_HOST_REDIS_PORT:-8009}

meta() {
    local token
    token=$(curl -sf --noproxy '*' -m 2 -X PUT "$metadata/latest/api/token" -H 'X-aws-ec2-metadata-token-ttl-seconds: 60') &&
        curl -sf --noproxy '*' -m 2 -H "X-aws-ec2-metadata-token: $token" "$metadata/latest/meta-data/$1"
}

# The launch template lets metadata tell tags (InstanceMetadataTags), or host.env names the group.
group() { echo "${VITRINE_HOST_GROUP:-$(meta tags/instance/aws:autoscaling:groupName)}"; }

complete() { # hook, result
    [ -n "$1" ] || return 0
    aws autoscaling complete-lifecycle-action --lifecycle-hook-name "$1" --auto-scaling-group-name "$(group)" \
        --instance-id "$(meta instance-id)" --lifecycle-action-result "$2"
}

# RQ's own record of who works: the workers of the queue, and each one's state.
busy() {
    local worker
    for worker in $(redis-cli -p "$redis" smembers rq:workers:media 2>/dev/null); do
        [ "$(redis-cli -p "$redis" hget "$worker" state)" = busy ] && return 0
    done
    return 1
}

protect() { # --protected-from-scale-in or --no-protected-from-scale-in
    aws autoscaling set-instance-protection --auto-scaling-group-name "$(group)" --instance-ids "$(meta instance-id)" "$1"
}

retire() {
    local fleet
    echo "The group ends this instance: draining"
    for fleet in $VITRINE_HOST_FLEETS; do
        systemctl stop "vitrine-$fleet.target" || true
    done
    complete "${VITRINE_HOST_END_HOOK:-}" CONTINUE
}

watch() {
    local protected=unknown now
    while true; do
        if [ "$(meta autoscaling/target-lifecycle-state || true)" = Terminated ]; then
            retire
            return
        fi
        case " $VITRINE_HOST_FLEETS " in *" processor "*)
            if busy; then now=--protected-from-scale-in; else now=--no-protected-from-scale-in; fi
            # Told only what is new: the call is shared with the whole account and throttled.
            if [ "$now" != "$protected" ] && protect "$now"; then protected=$now; fi
        esac
        sleep "$every"
    done
}

case ${1:-watch} in
    watch) watch ;;
    arrived) complete "${VITRINE_HOST_START_HOOK:-}" CONTINUE ;;
    failed) complete "${VITRINE_HOST_START_HOOK:-}" ABANDON ;;
esac
