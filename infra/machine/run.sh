#!/usr/bin/env bash
# Starts every fleet on this machine under supervisord, imports a sample album on the first run, prints where to look.
# Ctrl-C stops all of it; the next run finds everything as it was. Settings: VITRINE_* (docs/settings.md).
set -euo pipefail
cd "$(dirname "$0")/../.."

export VITRINE_DATA_DIR=${VITRINE_DATA_DIR:-$PWD/var}
mkdir -p "$VITRINE_DATA_DIR/log"
VITRINE_DATA_DIR=$(realpath "$VITRINE_DATA_DIR")
export VITRINE_BIN=$PWD/.venv/bin
export VITRINE_BIND=${VITRINE_BIND:-127.0.0.1}
export VITRINE_WEB_PORT=${VITRINE_WEB_PORT:-8000}
export VITRINE_UPLOAD_PORT=${VITRINE_UPLOAD_PORT:-8001}
export VITRINE_REDIS_PORT=${VITRINE_REDIS_PORT:-8009}
export VITRINE_REDIS_URL=${VITRINE_REDIS_URL:-redis://127.0.0.1:$VITRINE_REDIS_PORT/0}
export PYTHONUNBUFFERED=1

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
flask() { "$VITRINE_BIN/flask" --app wsgi "$@"; }

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

for name in WEB UPLOAD REDIS; do
    variable=VITRINE_${name}_PORT
    # A run that was stopped a moment ago may still be closing its connections.
    for _ in $(seq 20); do
        port_is_taken "${!variable}" || break
        sleep 0.5
    done
    if port_is_taken "${!variable}"; then
        echo "Port ${!variable} is in use. Stop what uses it, or choose another: make run $variable=…" >&2
        exit 1
    fi
done

say "Database"
flask db upgrade --directory infra/migrations 2>"$VITRINE_DATA_DIR/log/migrate.log" ||
    { cat "$VITRINE_DATA_DIR/log/migrate.log" >&2; exit 1; }

say "Starting redis, web, upload, relay, bridge, worker, reconcile, domains, billing, webhooks (logs in $VITRINE_DATA_DIR/log)"
"$VITRINE_BIN/supervisord" --configuration infra/machine/supervisord.conf &
supervisor=$!

stop() {
    trap - INT TERM
    say "Stopping"
    kill -TERM "$supervisor" 2>/dev/null || true
    wait "$supervisor" 2>/dev/null || true
    say "Stopped. Everything is kept in $VITRINE_DATA_DIR; \`make run\` continues from there."
}
trap 'stop; exit 0' INT TERM
trap 'stop' EXIT

is_ready() { "$VITRINE_BIN/python" infra/machine/ask.py "$1" /readyz; }

wait_until_up() {
    local said=
    for _ in $(seq 120); do
        port_is_taken "$1" && said=$(is_ready "$1") && return
        kill -0 "$supervisor" 2>/dev/null || break
        sleep 0.5
    done
    echo "Port $1 is not ready${said:+: $said}; see $VITRINE_DATA_DIR/log" >&2
    exit 1
}
wait_until_up "$VITRINE_UPLOAD_PORT"
wait_until_up "$VITRINE_WEB_PORT"

if [ "${VITRINE_SAMPLE:-1}" = 1 ]; then
    infra/machine/sample.sh
fi
say "Ctrl-C stops everything."
trap 'stop; exit 0' INT TERM
trap - EXIT
wait "$supervisor"
