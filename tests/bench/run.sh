#!/usr/bin/env bash
# Every comparison, one after another, each with its peer in the same run. Ratios are what counts: machines are noisy.
set -euo pipefail
cd "$(dirname "$0")/../.."
run() { PYTHONPATH=. .venv/bin/python -m "tests.bench.$1"; }
for bench in ${*:-photo upload video bridge workers s3 modern_format page metering}; do
    printf '\n== %s ==\n' "$bench"
    run "$bench"
    if [ "$bench" = upload ]; then # Once more in memory: the disk of a machine hides what the software costs.
        printf '\n== upload, in memory ==\n'
        VITRINE_BENCH_DIR=/dev/shm run upload
    fi
done
