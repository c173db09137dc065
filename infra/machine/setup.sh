#!/usr/bin/env bash
# Installs what this checkout needs on a Debian machine, and says what it does. Safe to run again: what is there is kept.
#   setup.sh run    what the product needs
#   setup.sh test   that, and what the tests need
set -euo pipefail
cd "$(dirname "$0")/../.."

UV_VERSION=0.13.9
run_packages=(ffmpeg redis-server bubblewrap mate-backgrounds)
test_packages=(chromium curl postgresql radosgw ceph-mon ceph-osd unzip wrk)

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else echo "Need root or sudo for: $*" >&2; exit 1
    fi
}

apt_install() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    say "Installing Debian packages: ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

python_of_this_machine() {
    for candidate in python3.11 python3.12 python3.13 python3; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'; then
            command -v "$candidate"; return
        fi
    done
    echo "Python 3.11, 3.12 or 3.13 is needed: apt-get install python3" >&2; exit 1
}

install_uv() {
    local python=$1
    [ -x .tools/bin/uv ] && [ "$(.tools/bin/uv --version | cut -d' ' -f2)" = "$UV_VERSION" ] && return
    "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
    say "Installing uv $UV_VERSION into .tools"
    "$python" -m venv .tools
    .tools/bin/pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
}

install_python_packages() {
    local python=$1 groups=(); shift
    groups=("$@")
    say "Python packages (uv.lock)"
    .tools/bin/uv sync --quiet --frozen --python "$python" --no-python-downloads "${groups[@]}"
}

compile_translations() {
    say "Compiling translations"
    .venv/bin/pybabel --quiet compile -d webapp/translations
}

npm_packages() {
    local folder=$1 what=$2
    if [ ! -e "$folder/node_modules/.package-lock.json" ] ||
        [ "$folder/package-lock.json" -nt "$folder/node_modules/.package-lock.json" ]; then
        say "$what"
        npm ci --silent --no-audit --no-fund --prefix "$folder"
        touch "$folder/node_modules/.package-lock.json"
    fi
}

install_front_end() {
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then apt_install nodejs npm; fi
    npm_packages . "Front-end packages (package-lock.json)"
    say "Building the front end"
    npm run --silent build
}

kind=${1:-run}
apt_install "${run_packages[@]}"
python=$(python_of_this_machine)
install_uv "$python"
if [ "$kind" = test ]; then
    apt_install "${test_packages[@]}"
    install_python_packages "$python"
else
    # A machine that has run the tests keeps their packages: --inexact removes nothing.
    install_python_packages "$python" --inexact --no-default-groups
fi
compile_translations
install_front_end
if [ "$kind" = test ]; then
    npm_packages tests/bench "npm's tus client and the peers of the benchmarks (tests/bench/package-lock.json)"
    say "The API's client (client/generate.sh)"
    client/generate.sh
fi
