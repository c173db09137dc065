#!/usr/bin/env bash
# stripe.sh NAME key|webhook: reads a secret of Stripe from standard input and keeps it in Secrets Manager as
# NAME/stripe-key (a restricted key, docs/billing.md) or NAME/stripe-webhook (signing secrets, with a comma).
# A second time it replaces the value; machines read it when they start.
set -euo pipefail
name=${1:?usage: stripe.sh NAME key|webhook} which=${2:?usage: stripe.sh NAME key|webhook}
case $which in
key) shape='^[rs]k_(test|live)_[A-Za-z0-9]+$' ;;
webhook) shape='^whsec_[A-Za-z0-9+/=]+(,whsec_[A-Za-z0-9+/=]+)*$' ;;
*) echo "usage: stripe.sh NAME key|webhook" >&2 && exit 2 ;;
esac
[ -t 0 ] && echo "Paste it and press Enter; it is not shown." >&2
IFS= read -rs value || true # What is typed may end without an end of line.
if ! [[ $value =~ $shape ]]; then
    echo "stripe.sh: that is no $which of Stripe's; nothing was kept" >&2
    exit 1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 700 "$folder"
printf %s "$value" >"$folder/secret"
# file:// keeps it out of the list of processes.
secret="$name/stripe-$which"
if aws secretsmanager describe-secret --secret-id "$secret" >/dev/null 2>&1; then
    aws secretsmanager put-secret-value --secret-id "$secret" --secret-string "file://$folder/secret" >/dev/null
else
    aws secretsmanager create-secret --name "$secret" --secret-string "file://$folder/secret" >/dev/null
fi
echo "$secret is kept" >&2
