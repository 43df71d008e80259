#!/usr/bin/env bash
# Deploys the commit that is checked out, as deploy/env/$ENV.env in it says, after its checks have passed.
# CHECK=skip leaves the checks out, for a fix that cannot wait; DRY_RUN=1 shows the commands.
for name in ALLOWED_APPLICATIONS SUBSTITUTIONS REGION; do
  if [[ -n ${!name:-} ]]; then
    echo "$name is not given here: a deployment is what deploy/env/${ENV:-NAME}.env says, this time and the next." >&2
    exit 2
  fi
done
# shellcheck source=deploy/common.sh
source "$(dirname "$0")/common.sh"

check_settings

file() { if grep -q "^$1=" "deploy/env/$ENV.env"; then echo "deploy/env/$ENV.env"; else echo default; fi; }
for name in $DEPLOYMENT_NAMES $SERVICE_NAMES; do printf '%-24s %-40s %s\n' "$name" "${!name:--}" "$(file "$name")"; done

commit=COMMIT archive=ARCHIVE.tgz
if [[ -z $DRY_RUN ]]; then
  [[ -z "$(git status --porcelain)" ]] || fail "Commit first: what is deployed is a commit, and this folder has changes."
  commit="$(git rev-parse --short=12 HEAD)"
  folder="$(mktemp -d)"
  trap 'rm -rf "$folder"' EXIT
  archive="$folder/$commit.tgz"
  git archive --format=tar.gz --output="$archive" HEAD
fi

submit() {
  change gcloud beta builds submit "$archive" --region="$REGION" --gcs-source-staging-dir="gs://$PROJECT-ttsprompt-source/source" "$@"
}
[[ ${CHECK:-} == skip ]] || submit --config=deploy/check.yaml
submit --config=cloudbuild.yaml --substitutions="_ENV=$ENV,_COMMIT=$commit"
[[ -z $DRY_RUN ]] || exit 0
address="${BASE_URL:-$(address ttsprompt)}"
echo "Deployed: $commit as $ENV in $PROJECT.
It is at $address
Try it: ttsprompt doctor --url $address (docs/operations.md, The first call)"
