#!/usr/bin/env bash
# Keeps webhook URLs out of the request logs, then makes or updates the metrics.
# shellcheck source=deploy/common.sh
source "$(dirname "$0")/common.sh"

# Request logs keep URLs, and Vonage's webhook URLs hold the call's secret (SECURITY.md).
filter="$(tr '\n' ' ' <deploy/request-log-exclusion.filter)"
verb=add
if look gcloud logging sinks describe _Default --format='value(exclusions.name)' | grep -q ttsprompt-webhook-urls; then verb=update; fi
change gcloud logging sinks update _Default "--$verb-exclusion=^;^name=ttsprompt-webhook-urls;filter=$filter"

known="$(look gcloud logging metrics list --format='value(name)')"
for file in deploy/metrics/*.json; do
  name="ttsprompt-$(basename "$file" .json)"
  verb=create
  if grep -qx "$name" <<<"$known"; then verb=update; fi
  change gcloud logging metrics "$verb" "$name" --config-from-file="$file"
done
