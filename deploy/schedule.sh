#!/usr/bin/env bash
# Has the sweep called each minute, by an account that may do nothing else, and sees one sweep come to its end: that
# proves the token, the role, the database and its index at once.
# shellcheck source=deploy/common.sh
source "$(dirname "$0")/common.sh"

patiently gcloud run services add-iam-policy-binding expire-stale-calls --region="$REGION" \
  --member="serviceAccount:$(account scheduler)" --role=roles/run.invoker --format=none

url="$(look gcloud run services describe expire-stale-calls --region="$REGION" --format='value(status.url)')"
[[ -z $DRY_RUN ]] || url=https://expire-stale-calls-PROJECT_NUMBER.$REGION.run.app
last() { gcloud scheduler jobs describe expire-stale-calls --location="$REGION" --format="csv[no-heading](lastAttemptTime,status.code)"; }
verb=create
if before="$(look last 2>/dev/null)" && [[ -n $before ]]; then verb=update; fi
# No retries: the next minute is one.
change gcloud scheduler jobs "$verb" http expire-stale-calls --location="$REGION" --schedule="* * * * *" \
  --uri="$url/" --http-method=POST --oidc-service-account-email="$(account scheduler)" --oidc-token-audience="$url" \
  --attempt-deadline=120s --max-retry-attempts=0
[[ -z $DRY_RUN ]] || exit 0

before="$(last)"
for ((try = 1; try <= 25; try++)); do
  gcloud scheduler jobs run expire-stale-calls --location="$REGION"
  sleep 15
  after="$(last)"
  if [[ ${after%,*} != "${before%,*}" && ${after##*,} =~ ^0?$ ]]; then
    echo "A sweep came to its end at ${after%,*}."
    exit 0
  fi
  echo "Not yet (${after:-no answer}); trying again in 30 seconds." >&2
  sleep 30
done
fail "The sweep does not run: its last time and status are $after (7: forbidden, 13: the service failed)."
