#!/usr/bin/env bash
# Makes or updates the uptime check, the dashboard and the alerts. A policy that has not changed is left alone, since
# an alert on absence forgets what it has seen when it is modified. Channels that somebody has added stay; of those that
# bootstrap has made, the one of ALERT_EMAIL.
# shellcheck source=deploy/common.sh
source "$(dirname "$0")/common.sh"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
host="${BASE_URL:-$(address ttsprompt)}"
host="${host#https://}" path="/"
[[ $host != */* ]] || path="/${host#*/}/"
host="${host%%/*}" port=443
[[ $host != *:* ]] || port="${host##*:}" host="${host%:*}"
missing=

checks="$(look gcloud monitoring uptime list-configs \
  --format='csv[no-heading,separator=" "](displayName,monitoredResource.labels.host,name,httpCheck.port,httpCheck.path)')"
read -r _ _ check asked <<<"$(grep "^ttsprompt $host " <<<"$checks" || true)"
if [[ -z $check ]]; then
  change gcloud monitoring uptime create ttsprompt --resource-type=uptime-url \
    --resource-labels="host=$host,project_id=$PROJECT" --protocol=https --port="$port" --path="$path" --period=1 ||
    missing=" the uptime check"
elif [[ $asked != "$port $path" ]]; then
  change gcloud monitoring uptime update "$check" --port="$port" --path="$path" || missing=" the uptime check"
fi

made="$(look gcloud beta monitoring channels list --filter='userLabels.ttsprompt=alerts' --format='value(name,labels.email_address)')"
ours="" former="" told="$(tr '[:upper:]' '[:lower:]' <<<"$ALERT_EMAIL")"
while IFS=$'\t' read -r channel email; do
  # Addresses are the same in any case.
  if [[ -z $email || $(tr '[:upper:]' '[:lower:]' <<<"$email") == "$told" ]]; then ours+="$channel"$'\n'; else former+="$channel"$'\n'; fi
done <<<"$made"
if [[ -n $ALERT_EMAIL && -n $former && $(tr '[:upper:]' '[:lower:]' <<<"$made")$'\n' != *$'\t'"$told"$'\n'* ]]; then
  echo "WARNING: $ALERT_EMAIL has no channel yet, so the address before is told: run make bootstrap, and deploy again." >&2
  ours+="$former" former=""
fi
[[ -z $former ]] || printf 'Not told any more, as ALERT_EMAIL is another:\n%s' "$former" >&2
wanted="$(printf '%s\n' "$ours" "${NOTIFICATION_CHANNELS//,/$'\n'}" | sed '/^$/d')"
[[ -n $wanted || -n $DRY_RUN ]] || echo "WARNING: these alerts reach nobody: set ALERT_EMAIL and run make bootstrap." >&2
policies="$(look gcloud alpha monitoring policies list --filter='userLabels.ttsprompt:*' \
  --format='csv[no-heading,separator=" "](userLabels.ttsprompt,name,userLabels.content,notificationChannels)')"
for file in deploy/alerts/*.json; do
  label="$(basename "$file" .json)"
  sed "s/@HOST@/$host/" "$file" >"$work/$label.json"
  content="$(cksum <"$work/$label.json" | tr -d ' ')"
  sed -i.bak "s/@CONTENT@/$content/" "$work/$label.json"
  read -r _ policy old channels <<<"$(grep "^$label " <<<"$policies" || true)"
  kept="$(grep -vxF "$former" <<<"${channels//;/$'\n'}" || true)"
  all="$(printf '%s\n' "$wanted" "$kept" | sed '/^$/d' | sort -u | paste -s -d, -)"
  if [[ -z $policy ]]; then
    patiently gcloud alpha monitoring policies create --policy-from-file="$work/$label.json" \
      ${all:+--notification-channels="$all"} --format='value(name)'
  elif [[ $old != "$content" || $(tr ';' '\n' <<<"$channels" | sed '/^$/d' | sort -u | paste -s -d, -) != "$all" ]]; then
    patiently gcloud alpha monitoring policies update "$policy" --policy-from-file="$work/$label.json" \
      ${all:+--set-notification-channels="$all"} --format='value(name)'
  fi
done

# After the alerts, which matter more.
name="$(look gcloud monitoring dashboards list --format='value(displayName,name)' | sed -n 's/^ttsprompt	//p' | sed -n 1p)"
if [[ -n $name ]]; then
  etag="$(gcloud monitoring dashboards describe "$name" --format='value(etag)')"
  sed "1s|{|{\"etag\": \"$etag\",|" deploy/dashboard.json >"$work/dashboard.json"
  change gcloud monitoring dashboards update "$name" --config-from-file="$work/dashboard.json"
else
  change gcloud monitoring dashboards create --config-from-file=deploy/dashboard.json
fi
[[ -z $missing ]] || fail "Could not be made:$missing."
