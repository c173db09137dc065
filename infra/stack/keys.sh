#!/usr/bin/env bash
# keys.sh NAME NUMBER: a key pair of CloudFront (ECDSA P-256). The private half goes to Secrets Manager as
# NAME/cloudfront-key-NUMBER and nowhere else; the public half is printed, for `cloudfront_public_keys`.
set -euo pipefail
name=${1:?usage: keys.sh NAME NUMBER} number=${2:?usage: keys.sh NAME NUMBER}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 700 "$folder"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$folder/private.pem"
# file:// keeps the key out of the list of processes.
aws secretsmanager create-secret --name "$name/cloudfront-key-$number" --secret-string "file://$folder/private.pem" >/dev/null
openssl pkey -in "$folder/private.pem" -pubout
