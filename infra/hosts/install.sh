#!/usr/bin/env bash
# Installs the release that this file is part of on a Debian 12 machine, and makes it a member of fleets. Root.
#   install.sh FLEET…       fleets of this machine: web, upload, processor, keeper
#   install.sh --files …    only puts the files there and starts nothing: for images, and where systemd does not run
# Before: unpack the archive of pack.sh anywhere, and write /etc/vitrine/vitrine.env (one-machine/vitrine.env is a model;
# ec2/fetch_settings.py writes it on AWS). Safe to run again; an older release is installed by its own install.sh.
#
# /opt/vitrine/releases/<release>  belongs to root, read only to the fleets      /opt/vitrine/current  the one that runs
# /var/lib/vitrine                 what the fleets write                         /etc/vitrine          settings, root's
set -euo pipefail
source=$(realpath "$(dirname "$0")/../..")
root=/opt/vitrine
kept_releases=3

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

start=1
[ "${1:-}" = --files ] && { start=0; shift; }
fleets=()
# The keeper first: it has the migrations.
for fleet in "$@"; do if [ "$fleet" = keeper ]; then fleets=(keeper "${fleets[@]}"); else fleets+=("$fleet"); fi; done
[ ${#fleets[@]} -gt 0 ] || fail "Which fleets? install.sh web upload processor keeper, or some of them"
for fleet in "${fleets[@]}"; do
    [ -e "$source/infra/hosts/units/vitrine-$fleet.target" ] || fail "There is no fleet $fleet: web, upload, processor, keeper"
done
[ "$(id -u)" = 0 ] || fail "Run it as root"
[ -e "$source/RELEASE" ] || fail "This is no release: make one with infra/hosts/pack.sh"
release=$(cat "$source/RELEASE")
target=$root/releases/$release

install_packages() {
    local packages=(ca-certificates python3 python3-venv)
    case " ${fleets[*]} " in *" processor "*) packages+=(ffmpeg bubblewrap) ;; esac
    case " ${fleets[*]} " in *" processor "* | *" web "*) packages+=(redis-server) ;; esac
    # Debian starts what it installs; the Redis of the units is another, on another port.
    ln -sf /dev/null /etc/systemd/system/redis-server.service
    dpkg-query -W -f='${Status}\n' "${packages[@]}" 2>/dev/null | grep -c '^install ok installed$' |
        grep -qx "${#packages[@]}" && return
    say "Debian packages: ${packages[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

make_user() {
    getent passwd vitrine >/dev/null ||
        useradd --system --user-group --home-dir /var/lib/vitrine --no-create-home --shell /usr/sbin/nologin vitrine
    install -d -o vitrine -g vitrine -m 0750 /var/lib/vitrine
    install -d -o root -g vitrine -m 0750 /etc/vitrine
    install -d -m 0755 "$root" "$root/releases" /var/log/vitrine
}

install_uv() {
    [ -x "$root/uv/bin/uv" ] && cmp -s "$source/infra/hosts/uv.txt" "$root/uv/uv.txt" && return
    say "uv"
    python3 -m venv --clear "$root/uv"
    "$root/uv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$source/infra/hosts/uv.txt"
    cp "$source/infra/hosts/uv.txt" "$root/uv/uv.txt"
}

# A release is made beside and then renamed, so that a half one never has its name.
install_release() {
    if [ ! -e "$target/.venv/complete" ]; then
        say "Release $release: Python packages by the hashes of uv.lock"
        rm -rf "$target"
        install -d "$target"
        cp -r "$source/." "$target/"
        chown -R root:root "$target"
        (cd "$target" && UV_CACHE_DIR=$root/cache UV_PYTHON_PREFERENCE=only-system "$root/uv/bin/uv" sync \
            --quiet --frozen --no-default-groups --no-python-downloads --compile-bytecode)
        "$target/.venv/bin/python" -m compileall -q -j 0 "$target/infra" "$target/tenants" "$target/webapp" \
            "$target/uploader" "$target/processor" "$target/billing" "$target/wsgi.py"
        touch "$target/.venv/complete"
        rm -rf "$root/cache"
    fi
    ln -sfn "releases/$release" "$root/current.new"
    mv -T "$root/current.new" "$root/current"
}

install_units() {
    local units=$target/infra/hosts/units
    install -d /etc/systemd/system/vitrine-.service.d
    install -m 0644 "$units"/vitrine-*.service "$units"/vitrine-*.target /etc/systemd/system/
    install -m 0644 "$units"/vitrine-.service.d/*.conf /etc/systemd/system/vitrine-.service.d/
    install -m 0755 "$target/infra/hosts/vitrine" /usr/local/bin/vitrine
}

forget_old_releases() {
    local old
    find "$root/releases" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %f\n' | sort -rn | cut -d' ' -f2- |
        tail -n "+$((kept_releases + 1))" | while read -r old; do
        [ "$old" = "$(readlink "$root/current" | xargs basename)" ] || rm -rf "${root:?}/releases/$old"
    done
}

units_of() { sed -n 's/^Wants=//p' "/etc/systemd/system/vitrine-$1.target"; }

start_fleets() {
    local fleet unit
    systemctl daemon-reload
    for fleet in "${fleets[@]}"; do
        systemctl enable --quiet "vitrine-$fleet.target"
        for unit in $(units_of "$fleet"); do
            # Redis goes on: nothing of a release is in it. The others drain, stop and start as the new release.
            [ "$unit" = vitrine-redis.service ] && { systemctl start "$unit"; continue; }
            say "$unit"
            systemctl restart "$unit" || fail "$unit does not start: journalctl -u $unit"
        done
        systemctl start "vitrine-$fleet.target"
    done
}

await_fleets() {
    local fleet unit name
    for fleet in "${fleets[@]}"; do
        for unit in $(units_of "$fleet"); do
            name=${unit#vitrine-} name=${name%.service}
            case $name in redis | migrate) continue ;; esac
            vitrine_env "$target/infra/hosts/await.sh" ready "$name"
        done
        say "$fleet is ready"
    done
}

# With the settings of the units, as their user.
vitrine_env() (
    set -a
    # shellcheck source=/dev/null
    . /etc/vitrine/vitrine.env
    export VITRINE_DATA_DIR=/var/lib/vitrine
    exec setpriv --reuid vitrine --regid vitrine --init-groups "$@"
)

install_packages
make_user
install_uv
install_release
install_units
if [ "$start" = 1 ]; then
    [ -e /etc/vitrine/vitrine.env ] || fail "Write /etc/vitrine/vitrine.env first; $target/infra/hosts/one-machine/vitrine.env is a model"
    start_fleets
    await_fleets
fi
forget_old_releases
say "$release is installed"
