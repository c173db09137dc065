#!/usr/bin/env bash
# The typed Python client of the API, from its description into var/api-client, unless it is there and of this
# description; and the environment of client/import_folder.py, which uses it. The generator is a tool: uv runs it, and no
# environment of ours has it.
set -euo pipefail
cd "$(dirname "$0")/.."
GENERATOR=openapi-python-client==0.29.1
made=var/api-client/openapi.json

mkdir -p var
.venv/bin/python -m webapp.api.describe >var/openapi.json
if ! cmp -s var/openapi.json "$made" || [ client/generate.sh -nt "$made" ]; then
    .tools/bin/uv tool run --quiet --from "$GENERATOR" \
        openapi-python-client generate --path var/openapi.json --output-path var/api-client --overwrite
    cp var/openapi.json "$made"
fi
.tools/bin/uv sync --quiet --locked --script client/import_folder.py
