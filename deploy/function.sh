#!/usr/bin/env bash
# Deploys one function with the settings of this deployment, and gives it all the traffic.
# shellcheck source=deploy/common.sh
source "$(dirname "$0")/common.sh"
check_settings

# shellcheck disable=SC2153  # SECRETS is read from the files
function="$1" who=run access=--no-allow-unauthenticated limits=() secrets="--set-secrets=$SECRETS"
[[ -n $SECRETS ]] || secrets=--clear-secrets # an empty list would keep those that the function has
case "$function" in
  ttsprompt)
    [[ $PUBLIC == no-invoker-check ]] || access=--allow-unauthenticated
    threads="$CONCURRENCY"
    limits=(--min-instances="$MIN_INSTANCES" --max-instances="$MAX_INSTANCES" --timeout=60s)
    ;;
  expire-stale-calls) # A sweep brings threads of its own; a second one at once is harmless.
    threads=2
    limits=(--concurrency=1 --min-instances=0 --max-instances=2 --timeout=120s)
    ;;
  setup)
    who=setup threads=2 secrets=--clear-secrets
    limits=(--concurrency=1 --min-instances=0 --max-instances=1 --timeout=120s)
    ;;
  *) fail "No such function: $function" ;;
esac
[[ $function != ttsprompt ]] || limits+=(--concurrency="$CONCURRENCY")

# Environment variables go by file, since values may hold any separator.
variables="$(mktemp)"
trap 'rm -f "$variables"' EXIT
variable() { printf "%s: '%s'\n" "$1" "${2//\'/\'\'}" >>"$variables"; }
BASE_URL="${BASE_URL:-$(address ttsprompt)}"
for name in $SERVICE_NAMES; do
  [[ -z ${!name} ]] || variable "$name" "${!name}" # an empty one is the service's default
done
variable CALL_STORE firestore
variable GOOGLE_CLOUD_PROJECT "$PROJECT"
[[ -z ${COMMIT:-} ]] || variable COMMIT "$COMMIT"
variable THREADS "$threads"

[[ -z $DRY_RUN ]] || sed 's/^/# /' "$variables"

# Where ours are now. After REGION has changed, those of the region before serve on and are swept.
regions="$REGION" left=
live="$(look gcloud functions list --v2 --filter='environment=GEN_2 AND name ~ "/(ttsprompt|expire-stale-calls|setup)$"' \
  --format='csv[no-heading,separator=" "](name.basename(),name.segment(3),labels.env)')"
while read -r name region label; do
  [[ $name != ttsprompt || -z $label || $label == "$ENV" ]] ||
    fail "What runs in $PROJECT is the deployment $label, not $ENV. If it is to become $ENV, take its label away and deploy again.
As Owner, this line does so, and deploys what is in this folder with the settings that it has now:
gcloud functions deploy ttsprompt --gen2 --project=$PROJECT --region=$region --remove-labels=env"
  [[ -n $name && $region != "$REGION" ]] || continue
  [[ " $regions " == *" $region "* ]] || {
    regions+=" $region"
    left+=$'\n'"gcloud scheduler jobs delete expire-stale-calls --quiet --project=$PROJECT --location=$region"
  }
  left+=$'\n'"gcloud functions delete $name --quiet --gen2 --project=$PROJECT --region=$region"
done <<<"$live"

# A deployment would open again what somebody has closed, and leave the sweep paused.
job() { gcloud scheduler jobs describe expire-stale-calls --location="$1" --format='value(state)' 2>&1; }
for region in $regions; do
  state="$(look job "$region")" || grep -qiE 'not.?found|cannot find' <<<"$state" || fail "Is the sweep in $region paused? $state"
  [[ $state != PAUSED ]] ||
    fail "Somebody has stopped everything: the sweep in $region is paused. Go on first (docs/operations.md, 3 a.m.), then deploy."
done
[[ -z $left || $function != ttsprompt ]] ||
  echo "WARNING: it also runs in another region than $REGION. When nobody calls the address there any more, as Owner:$left" >&2

# SOURCE_DATE_EPOCH has the build compile to bytecode that fits whatever the files' times are (docs/decisions/0021).
# A function that does not start says anything, so only another deployment is waited for.
not_yet="$another" patiently gcloud functions deploy "$function" --gen2 --region="$REGION" --runtime="$RUNTIME" --source=. \
  --entry-point="${function//-/_}" --trigger-http "$access" --service-account="$(account "$who")" \
  --build-service-account="projects/$PROJECT/serviceAccounts/$(account build)" \
  --docker-repository="projects/$PROJECT/locations/$REGION/repositories/ttsprompt" \
  --cpu="$CPU" --memory="$MEMORY" "${limits[@]}" "$secrets" --env-vars-file="$variables" \
  --set-build-env-vars=SOURCE_DATE_EPOCH=315532800 --update-labels="commit=${COMMIT:-unknown},env=$ENV" \
  --serve-all-traffic-latest-revision --format='value(state)'
if [[ $function == ttsprompt && $PUBLIC == no-invoker-check ]]; then
  change gcloud run services update ttsprompt --region="$REGION" --no-invoker-iam-check
elif [[ $function == ttsprompt && "$(look gcloud run services describe ttsprompt --region="$REGION" \
  --format='value(metadata.annotations["run.googleapis.com/invoker-iam-disabled"])')" =~ ^[Tt]rue$ ]]; then
  # It was deployed with no-invoker-check before: without the check a binding closes nothing.
  change gcloud run services update ttsprompt --region="$REGION" --invoker-iam-check
fi
[[ -z $DRY_RUN ]] || exit 0

serving="$(gcloud run services describe "$function" --region="$REGION" \
  --format='value[separator=" "](status.traffic[0].revisionName,status.latestReadyRevisionName)')"
read -r served latest <<<"$serving"
[[ -n $served && $served == "$latest" ]] || fail "$function serves $served, not $latest that was deployed."
echo "$function serves $latest."
