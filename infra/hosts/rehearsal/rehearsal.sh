#!/usr/bin/env bash
# Runs inside the machine that rehearse.sh has booted.
set -euo pipefail
trap 'journalctl --no-pager -n 80 -u "vitrine-*"' ERR
step() { printf '  %s\n' "$*"; }

/opt/unpacked/infra/hosts/install.sh web upload processor keeper
step "again, as an upgrade does: everything drains, stops and starts"
/opt/unpacked/infra/hosts/install.sh web upload processor keeper >/dev/null

vitrine tenants create demo --name Demo
vitrine import demo /opt/photos --album First --visibility public --wait
step "a photo went through upload, relay, queue, bridge and worker"
/opt/vitrine/current/.venv/bin/python - <<'PAGE'
import urllib.request
page = urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:8000/a/first", headers={"Host": "demo.localhost:8000"}))
assert page.status == 200 and b"srcset" in page.read()
PAGE
step "its page is served"

journalctl -o cat -u vitrine-worker | grep -q '"event": "sandbox".*"method": "bwrap"\|"method": "bwrap".*"event": "sandbox"'
step "bubblewrap confines ffmpeg within the unit's own confinement"
for unit in web upload relay redis worker bridge webhooks reconcile heal billing domains; do
    step "$unit: $(systemd-analyze security "vitrine-$unit.service" --no-pager | tail -1 | sed 's/^[^:]*: //')"
done

pid=$(systemctl show -P MainPID vitrine-web.service)
kill -9 "$pid"
for _ in $(seq 90); do
    sleep 1
    # Active only once it answers; until systemd has seen the death it is active with the old process.
    [ "$(systemctl is-active vitrine-web.service)" = active ] &&
        [ "$(systemctl show -P MainPID vitrine-web.service)" != "$pid" ] && break
done
systemctl is-active --quiet vitrine-web.service
[ "$(systemctl show -P MainPID vitrine-web.service)" != "$pid" ]
step "a killed web server came back"

began=$SECONDS
for fleet in processor upload web keeper; do systemctl stop "vitrine-$fleet.target"; done
step "drained and stopped in $((SECONDS - began)) s"
[ -z "$(systemctl --state=failed --no-legend list-units 'vitrine-*')" ]
echo "REHEARSAL PASSED"
