#!/usr/bin/env bash
# Applies metrics, alerts, dashboard, and the exclusion of request logs; what is there is updated.
source "$(dirname "$0")/common.sh"

for file in deploy/metrics/*.json; do
  name="ttsprompt-$(basename "$file" .json)"
  verb=create
  if found gcloud logging metrics describe "$name"; then verb=update; fi
  change gcloud logging metrics "$verb" "$name" --config-from-file="$file"
done

channel=()
if [[ -n ${NOTIFICATION_CHANNEL:-} ]]; then channel=(--notification-channels="$NOTIFICATION_CHANNEL"); fi
for file in deploy/alerts/*.json; do
  label="$(basename "$file" .json)"
  policy="$(first gcloud alpha monitoring policies list --filter="userLabels.ttsprompt=\"$label\"" --format='value(name)')"
  if [[ -n $policy ]]; then
    change gcloud alpha monitoring policies update "$policy" --policy-from-file="$file"
  else
    change gcloud alpha monitoring policies create --policy-from-file="$file" "${channel[@]}"
  fi
done

dashboard="$(first gcloud monitoring dashboards list --filter='displayName="ttsprompt"' --format='value(name)')"
if [[ -n $dashboard ]]; then
  # An update needs the etag of what it replaces, so it is made anew: nothing refers to it by name.
  change gcloud monitoring dashboards delete "$dashboard"
fi
change gcloud monitoring dashboards create --config-from-file=deploy/dashboard.json

# Request logs keep URLs, and Vonage's webhook URLs hold the call's secret (SECURITY.md).
filter="$(tr '\n' ' ' <deploy/request-log-exclusion.filter)"
exclusion=--add-exclusion
if [[ -z $DRY_RUN ]] && gcloud logging sinks describe _Default --format='value(exclusions.name)' | grep -q ttsprompt-webhook-urls; then
  exclusion=--update-exclusion
fi
change gcloud logging sinks update _Default "$exclusion=^;^name=ttsprompt-webhook-urls;filter=$filter"
