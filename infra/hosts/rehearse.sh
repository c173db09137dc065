#!/usr/bin/env bash
# From nothing to a photo on a page, on this machine: a bare Debian 12 by debootstrap, the release of this commit by
# install.sh, systemd booted in it by systemd-nspawn without a network, every fleet ready, a photo through all of them,
# then drained and stopped. Root, and Debian's debootstrap and systemd-container. Some minutes; a gigabyte in $1.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath -m "${1:-var/rehearsal}")
root=$folder/root
mkdir -p "$folder"
say() { printf '\033[1m==>\033[0m %s\n' "$*"; }

if [ ! -e "$folder/base/etc/debian_version" ]; then
    say "A bare Debian 12 (kept for the next time)"
    rm -rf "$folder/base.new"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates bookworm "$folder/base.new" \
        "${VITRINE_DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$folder/debootstrap.log" || { tail "$folder/debootstrap.log"; exit 1; }
    mv "$folder/base.new" "$folder/base"
fi
rm -rf "$root"
cp -a "$folder/base" "$root"
# Whatever authorities this machine trusts, the bare one has to trust as well, or it cannot fetch anything from here.
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"

say "The release"
archive=$(infra/hosts/pack.sh "$folder/release")
(cd "$folder/release" && sha256sum --check --quiet "$archive.sha256")
mkdir "$root/opt/unpacked"
tar -xz -C "$root/opt/unpacked" --strip-components=1 -f "$archive"
install -d -m 0750 "$root/etc/vitrine"
printf 'VITRINE_BASE_DOMAIN="localhost"\nVITRINE_WORKERS="2"\n' >"$root/etc/vitrine/vitrine.env"
cp infra/hosts/rehearsal/rehearsal.service "$root/etc/systemd/system/"
cp infra/hosts/rehearsal/rehearsal.sh "$root/opt/"
mkdir -p "$root/opt/photos"
cp "${VITRINE_REHEARSAL_PHOTO:-/usr/share/backgrounds/mate/nature/LadyBird.jpg}" "$root/opt/photos/photo.jpg"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../rehearsal.service "$root/etc/systemd/system/multi-user.target.wants/"

nspawn=(systemd-nspawn --quiet --register=no --keep-unit --directory="$root" --setenv=LANG=C.UTF-8)
say "install.sh --files (with the network, as on a new host)"
"${nspawn[@]}" --resolv-conf=copy-host --setenv=SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    --setenv=PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    /opt/unpacked/infra/hosts/install.sh --files web upload processor keeper

say "Booting it (without a network)"
"${nspawn[@]}" --boot --private-network >"$folder/boot.log" 2>&1 || true
cat "$root/opt/rehearsal.log"
grep -qx 'REHEARSAL PASSED' "$root/opt/rehearsal.log" || { echo "It did not pass; $folder/boot.log and the journal below $root/var/log tell more" >&2; exit 1; }
rm -rf "$root"
