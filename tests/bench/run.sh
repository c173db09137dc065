#!/usr/bin/env bash
# Every comparison, one after another, each with its peer in the same run. Ratios are what counts: machines are noisy.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ ! -e tests/bench/node_modules/.package-lock.json ]; then
    echo "==> npm peers (tests/bench/package-lock.json)"
    (cd tests/bench && npm ci --silent --no-audit --no-fund)
fi
for bench in ${*:-photo modern_format upload video bridge s3}; do
    printf '\n== %s ==\n' "$bench"
    PYTHONPATH=. .venv/bin/python "tests/bench/$bench.py"
done
