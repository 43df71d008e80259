# Sourced by the scripts here. DRY_RUN=1 shows what would be done and changes nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${PROJECT:?say which project: PROJECT=my-project}"
REGION="${REGION:-us-central1}"
DRY_RUN="${DRY_RUN:-}"
export CLOUDSDK_CORE_PROJECT="$PROJECT" CLOUDSDK_CORE_DISABLE_PROMPTS=1

account() { echo "ttsprompt-$1@$PROJECT.iam.gserviceaccount.com"; }

# Changes something, or says that it would.
change() {
  if [[ -n $DRY_RUN ]]; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}

# Looks something up; with DRY_RUN nothing is there, so that everything that would be made is shown.
found() {
  [[ -z $DRY_RUN ]] && "$@" >/dev/null 2>&1
}

first() {
  if [[ -z $DRY_RUN ]]; then "$@" | head -n 1; fi
}
