#!/usr/bin/env bash
# Makes what must exist before a deployment: APIs, database, accounts with their roles, signing key, buckets, channel.
# May be run again: it makes what is missing and leaves the rest alone.
# shellcheck source=deploy/common.sh
source "$(dirname "$0")/common.sh"
check_shapes

apis=(artifactregistry cloudbuild cloudfunctions cloudresourcemanager cloudscheduler firestore iam iamcredentials
  logging monitoring run secretmanager storage)
change gcloud services enable "${apis[@]/%/.googleapis.com}"

# Prints what is there, or nothing. An API that was enabled a moment ago refuses everything, so it is asked again.
present() {
  local try
  for ((try = 1; try <= 20; try++)); do
    look "$@" 2>"$errors" && return
    grep -qiE 'not.?found|cannot find' "$errors" && return
    sleep 15
  done
  cat "$errors" >&2
  return 1
}
errors="$(mktemp)"
trap 'rm -f "$errors"' EXIT

database="$FIRESTORE_DATABASE"
kind="$(present gcloud firestore databases describe --database="$database" --format='csv[no-heading](type,databaseEdition)')"
if [[ -n $kind ]]; then
  [[ $kind == FIRESTORE_NATIVE,* && $kind != *,ENTERPRISE ]] || fail "The database $database is $kind, but must be
FIRESTORE_NATIVE in the STANDARD edition. Set FIRESTORE_DATABASE=ttsprompt in deploy/env/$ENV.env to have one of its own."
  # Not given by us, since it may be somebody else's too, and costs. A restored database has neither.
  [[ "$(present gcloud firestore databases describe --database="$database" \
    --format='csv[no-heading](deleteProtectionState,pointInTimeRecoveryEnablement)')" == *PROTECTION_ENABLED,*RECOVERY_ENABLED ]] ||
    echo "WARNING: the database $database can be deleted, or has no point-in-time recovery. To change that:
gcloud firestore databases update --project=$PROJECT --database='$database' --delete-protection --enable-pitr" >&2
else
  patiently gcloud firestore databases create --database="$database" --location="$REGION" \
    --type=firestore-native --delete-protection --enable-pitr
fi
[[ -n "$(present gcloud firestore backups schedules list --database="$database" --format='value(name)')" ]] ||
  patiently gcloud firestore backups schedules create --database="$database" --recurrence=daily --retention=7d

# Accounts. Why each has its role is in docs/operations.md.
accounts="$(present gcloud iam service-accounts list --format='value(email)')"
for name in run setup scheduler check build; do
  grep -q "^$(account $name)$" <<<"$accounts" ||
    patiently gcloud iam service-accounts create "ttsprompt-$name" --display-name="ttsprompt: $name"
done

bound="$(present gcloud projects get-iam-policy "$PROJECT" --flatten='bindings[].members' \
  --format='csv[no-heading](bindings.role,bindings.members)')"
granted=
grant() {
  grep -q "^$2,serviceAccount:$(account "$1")$" <<<"$bound" && return
  patiently gcloud projects add-iam-policy-binding "$PROJECT" \
    --member="serviceAccount:$(account "$1")" --role="$2" --condition=None --format=none
  granted=yes
}
grant run roles/datastore.user
grant setup roles/datastore.indexAdmin
grant check roles/logging.logWriter
for role in artifactregistry.writer cloudfunctions.developer cloudscheduler.admin logging.configWriter logging.logWriter \
  monitoring.alertPolicyEditor monitoring.dashboardEditor monitoring.notificationChannelViewer \
  monitoring.uptimeCheckConfigEditor run.admin storage.objectAdmin; do
  grant build "roles/$role"
done

# The build deploys as the others, builds the functions' images as itself, and calls `setup` with a token of its own.
may_use() {
  patiently gcloud iam service-accounts add-iam-policy-binding "$(account "$1")" \
    --member="serviceAccount:$(account build)" --role="roles/iam.$2" --format=none
}
for name in run setup scheduler build; do may_use $name serviceAccountUser; done
may_use build serviceAccountOpenIdTokenCreator

# The signing key, which nobody sees. A secret without a version is one whose making was interrupted.
secret=ttsprompt-callback-signing-secrets
[[ -n "$(present gcloud secrets describe "$secret" --format='value(name)')" ]] ||
  patiently gcloud secrets create "$secret" --replication-policy=automatic
if [[ -z "$(present gcloud secrets versions list "$secret" --limit=1 --format='value(name)')" ]]; then
  if [[ -n $DRY_RUN ]]; then
    echo "gcloud secrets versions add $secret --data-file=-  # whsk_ and 32 random bytes"
  else
    printf 'whsk_%s' "$(head -c 32 /dev/urandom | base64 | tr -d '\n')" | gcloud secrets versions add "$secret" --data-file=-
  fi
fi
# All secrets that the deployment names can be read by the two functions that need them.
for pair in ${SECRETS//,/ }; do
  secret="${pair#*=}" secret="${secret%:*}"
  readers="$(present gcloud secrets get-iam-policy "$secret" --flatten='bindings[].members' --format='value(bindings.members)')"
  grep -q "^serviceAccount:$(account run)$" <<<"$readers" && continue
  patiently gcloud secrets add-iam-policy-binding "$secret" \
    --member="serviceAccount:$(account run)" --role=roles/secretmanager.secretAccessor --format=none
  granted=yes
done

# Where sources and images are kept, and not for ever.
bucket="gs://$PROJECT-ttsprompt-source"
[[ -n "$(present gcloud storage buckets describe "$bucket" --format='value(name)')" ]] || patiently gcloud storage buckets create "$bucket" \
  --location="$REGION" --uniform-bucket-level-access --public-access-prevention
change gcloud storage buckets update "$bucket" --lifecycle-file=deploy/source-lifecycle.json
patiently gcloud storage buckets add-iam-policy-binding "$bucket" \
  --member="serviceAccount:$(account check)" --role=roles/storage.objectViewer --format=none
[[ -n "$(present gcloud artifacts repositories describe ttsprompt --location="$REGION" --format='value(name)')" ]] ||
  patiently gcloud artifacts repositories create ttsprompt --location="$REGION" --repository-format=docker
change gcloud artifacts repositories set-cleanup-policies ttsprompt --location="$REGION" --policy=deploy/image-cleanup.json \
  --no-dry-run

# Who is told. Alerts get the channel with this label and address.
if [[ -z $ALERT_EMAIL && -z $NOTIFICATION_CHANNELS ]]; then
  echo "WARNING: alerts will reach nobody: set ALERT_EMAIL in deploy/env/$ENV.env and run this again." >&2
elif [[ -n $ALERT_EMAIL && -z "$(present gcloud beta monitoring channels list --format='value(name)' \
  --filter="userLabels.ttsprompt=alerts AND labels.email_address=\"$ALERT_EMAIL\"")" ]]; then
  patiently gcloud beta monitoring channels create --type=email --display-name="ttsprompt: alerts" \
    --channel-labels="email_address=$ALERT_EMAIL" --user-labels=ttsprompt=alerts
fi

if [[ -n $granted && -z $DRY_RUN ]]; then
  echo "Waiting three minutes, since new roles typically work after two."
  sleep 180
fi
if [[ -n $DRY_RUN ]]; then
  echo "# Nothing was changed."
elif [[ -z $ALLOWED_APPLICATIONS ]]; then
  echo "Now say in deploy/env/$ENV.env who may use it (ALLOWED_APPLICATIONS), commit that, and: make deploy ENV=$ENV PROJECT=$PROJECT"
else
  echo "Ready: make deploy ENV=$ENV PROJECT=$PROJECT"
fi
