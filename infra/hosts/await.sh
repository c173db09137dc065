#!/usr/bin/env bash
# Waits until a fleet of this machine is alive or ready; status 1 after a minute, with what it said last.
#   await.sh alive FLEET    its server answers /healthz, or its loop turns
#   await.sh ready FLEET    that, and it can reach what it depends on
#   await.sh port PORT      something listens there
# The environment is that of the units (/etc/vitrine/vitrine.env).
set -euo pipefail
cd "$(dirname "$0")/../.."
what=$1 whom=$2 said=

ask() {
    case $what-$whom in
        port-*) (exec 3<>"/dev/tcp/127.0.0.1/$whom") ;;
        alive-web) .venv/bin/python infra/machine/ask.py "${VITRINE_WEB_PORT:-8000}" /healthz ;;
        alive-upload) .venv/bin/python infra/machine/ask.py "${VITRINE_UPLOAD_PORT:-8001}" /healthz ;;
        ready-web) .venv/bin/python infra/machine/ask.py "${VITRINE_WEB_PORT:-8000}" /readyz ;;
        ready-upload) .venv/bin/python infra/machine/ask.py "${VITRINE_UPLOAD_PORT:-8001}" /readyz ;;
        alive-*) .venv/bin/flask --app wsgi ready "$whom" --alive ;;
        ready-*) .venv/bin/flask --app wsgi ready "$whom" ;;
    esac
}

end=$((SECONDS + ${VITRINE_AWAIT_SECONDS:-60}))
while [ $SECONDS -lt $end ]; do
    said=$(ask 2>&1) && exit 0
    sleep 0.5
done
echo "$whom is not $what: $said" >&2
exit 1
