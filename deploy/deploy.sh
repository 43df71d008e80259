#!/usr/bin/env bash
# Submits the build. PROJECT is required; REGION, ALLOWED_APPLICATIONS and SUBSTITUTIONS (more of cloudbuild.yaml's,
# comma-separated NAME=value) optional; DRY_RUN=1 shows the command.
source "$(dirname "$0")/common.sh"

if [[ -z ${ALLOWED_APPLICATIONS+set} ]]; then
  if [[ ! -t 0 ]]; then
    echo "Say which Vonage applications may use this deployment: ALLOWED_APPLICATIONS=id,id (empty: all)." >&2
    exit 2
  fi
  read -rp "Vonage application ids that may use this deployment, comma-separated (empty: everybody's): " ALLOWED_APPLICATIONS
fi

# Semicolons part the substitutions, since the ids are parted by commas.
values="_REGION=$REGION;_ALLOWED_APPLICATIONS=$ALLOWED_APPLICATIONS"
if [[ -n ${SUBSTITUTIONS:-} ]]; then values+=";${SUBSTITUTIONS//,/;}"; fi
change gcloud builds submit . --config=cloudbuild.yaml --ignore-file=deploy/build.gcloudignore \
  --region="$REGION" "--substitutions=^;^$values"
