#!/usr/bin/env bash
# Calls the setup function: index, exemption and TTL. Index and TTL may go on being made for minutes.
# A role that was granted now works after 2 to 7 minutes, and a database that was made now may ask to be asked again.
# shellcheck source=deploy/common.sh
source "$(dirname "$0")/common.sh"

patiently gcloud run services add-iam-policy-binding setup --region="$REGION" \
  --member="serviceAccount:$(account build)" --role=roles/run.invoker --format=none
[[ -z $DRY_RUN ]] || exit 0

url="$(gcloud run services describe setup --region="$REGION" --format='value(status.url)')"
for ((try = 1; try <= 25; try++)); do
  token="$(gcloud auth print-identity-token --audiences="$url")" &&
    curl --fail-with-body --write-out "\n" --silent --show-error --max-time 130 -X POST -d '' -H "Authorization: Bearer $token" "$url/" && exit 0
  echo "Not yet; trying again in 30 seconds." >&2
  sleep 30
done
fail "setup cannot be called, or does not come to its end."
