#!/usr/bin/env bash
# keys.sh NAME [PRIVATE.pem]: a key pair of CloudFront (ECDSA P-256), made, or that of a file. The private half goes to
# Secrets Manager and nowhere else, by a name that says which key it is and never changes: NAME/cloudfront-key-DIGEST,
# of the public half, as infra/stack/environment.py finds it. The public half is printed, for `cloudfront_public_keys`.
set -euo pipefail
name=${1:?usage: keys.sh NAME [PRIVATE.pem]} given=${2:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 700 "$folder"
if [ -n "$given" ]; then
    openssl pkey -in "$given" -out "$folder/private.pem"
else
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$folder/private.pem"
fi
public=$(openssl pkey -in "$folder/private.pem" -pubout)
digest=$(printf %s "$public" | sha256sum | cut -c1-12)
# file:// keeps the key out of the list of processes.
aws secretsmanager create-secret --name "$name/cloudfront-key-$digest" --secret-string "file://$folder/private.pem" >/dev/null
echo "$name/cloudfront-key-$digest is kept" >&2
printf '%s\n' "$public"
