#!/usr/bin/env bash
# Makes a release of the commit that is checked out: sources, lock files, the front end and translations built ahead.
#   pack.sh [FOLDER]    writes FOLDER/vitrine-<version>-<commit>.tar.gz and .sha256 beside it; says the archive's path
# Hosts need no Node, no npm and no git; they get Python packages by the hashes of uv.lock. Same commit and build, same bytes.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath -m "${1:-var/release}")

if [ -n "$(git status --porcelain --untracked-files=no)" ] && [ "${VITRINE_PACK_DIRTY:-0}" != 1 ]; then
    echo "There are changes that no commit has: commit them, so that the release can be told by its commit." >&2
    exit 1
fi
[ -e webapp/static/dist/manifest.json ] || { echo "The front end is not built: make setup" >&2; exit 1; }

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
commit=$(git rev-parse --short=12 HEAD)
release=vitrine-$version-$commit
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/$release" "$folder"

git archive HEAD -- infra tenants webapp uploader processor billing wsgi.py pyproject.toml uv.lock LICENSE CHANGELOG.md |
    tar -x -C "$stage/$release"
mkdir -p "$stage/$release/webapp/static"
cp -r webapp/static/dist "$stage/$release/webapp/static/"
.venv/bin/pybabel --quiet compile -d webapp/translations
(cd webapp && find translations -name '*.mo' -exec cp --parents {} "$stage/$release/webapp/" \;)
printf '%s\n' "$release" >"$stage/$release/RELEASE"

when=$(git show -s --format=%ct HEAD)
tar --sort=name --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' --mtime="@$when" -C "$stage" -c "$release" |
    gzip -n >"$folder/$release.tar.gz"
(cd "$folder" && sha256sum "$release.tar.gz" >"$release.tar.gz.sha256")
echo "$folder/$release.tar.gz"
