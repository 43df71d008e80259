#!/usr/bin/env bash
# Makes what must exist once in a project: APIs, the database, service accounts with their roles, the signing key.
# May be run again. PROJECT is required, REGION optional; DRY_RUN=1 shows the commands.
source "$(dirname "$0")/common.sh"

change gcloud services enable \
  artifactregistry.googleapis.com cloudbuild.googleapis.com cloudfunctions.googleapis.com \
  cloudscheduler.googleapis.com firestore.googleapis.com logging.googleapis.com monitoring.googleapis.com \
  run.googleapis.com secretmanager.googleapis.com

found gcloud firestore databases describe --database="(default)" ||
  change gcloud firestore databases create --database="(default)" --location="$REGION" --type=firestore-native

for name in run setup scheduler build; do
  found gcloud iam service-accounts describe "$(account $name)" ||
    change gcloud iam service-accounts create "ttsprompt-$name" --display-name="ttsprompt: $name"
done

# Why each has its role is in docs/operations.md.
grant() {
  change gcloud projects add-iam-policy-binding "$PROJECT" --member="serviceAccount:$(account "$1")" --role="$2" --condition=None
}
grant run roles/datastore.user
grant setup roles/datastore.indexAdmin
for role in cloudfunctions.developer run.admin artifactregistry.writer cloudscheduler.admin logging.configWriter \
  logging.logWriter monitoring.dashboardEditor monitoring.alertPolicyEditor storage.objectAdmin; do
  grant build "roles/$role"
done
for name in run setup scheduler; do
  change gcloud iam service-accounts add-iam-policy-binding "$(account $name)" \
    --member="serviceAccount:$(account build)" --role=roles/iam.serviceAccountUser
done
# It also builds the functions' images as itself.
change gcloud iam service-accounts add-iam-policy-binding "$(account build)" \
  --member="serviceAccount:$(account build)" --role=roles/iam.serviceAccountUser

secret=ttsprompt-callback-signing-secrets
if ! found gcloud secrets describe "$secret"; then
  change gcloud secrets create "$secret" --replication-policy=automatic
  if [[ -n $DRY_RUN ]]; then
    echo "gcloud secrets versions add $secret --data-file=-  # whsk_ and 32 random bytes, which nobody sees"
  else
    printf 'whsk_%s' "$(head -c 32 /dev/urandom | base64 -w 0)" | gcloud secrets versions add "$secret" --data-file=-
  fi
fi
change gcloud secrets add-iam-policy-binding "$secret" \
  --member="serviceAccount:$(account run)" --role=roles/secretmanager.secretAccessor

if [[ -n $DRY_RUN ]]; then echo "# Nothing was changed."; else echo "Ready: make deploy PROJECT=$PROJECT"; fi
