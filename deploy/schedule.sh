#!/usr/bin/env bash
# Has the sweep called each minute, by an account that may do nothing else.
source "$(dirname "$0")/common.sh"

change gcloud run services add-iam-policy-binding expire-stale-calls --region="$REGION" \
  --member="serviceAccount:$(account scheduler)" --role=roles/run.invoker

number=PROJECT_NUMBER
[[ -n $DRY_RUN ]] || number="$(gcloud projects describe "$PROJECT" --format='value(projectNumber)')"
url="https://expire-stale-calls-$number.$REGION.run.app"
verb=create
if found gcloud scheduler jobs describe expire-stale-calls --location="$REGION"; then verb=update; fi
# No retries: the next minute is one.
change gcloud scheduler jobs "$verb" http expire-stale-calls --location="$REGION" --schedule="* * * * *" \
  --uri="$url/" --http-method=POST --oidc-service-account-email="$(account scheduler)" --oidc-token-audience="$url" \
  --attempt-deadline=120s --max-retry-attempts=0
