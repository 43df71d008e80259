# shellcheck shell=bash
# Sourced by the scripts here. PROJECT and ENV say what is deployed: deploy/env/$ENV.env over deploy/defaults/.
# DRY_RUN=1 shows what would be done, asks nothing and changes nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${PROJECT:?say which project: PROJECT=my-project}"
: "${ENV:?say which deployment: ENV=prod reads deploy/env/prod.env}"
DRY_RUN="${DRY_RUN:-}"
export CLOUDSDK_CORE_PROJECT="$PROJECT" CLOUDSDK_CORE_DISABLE_PROMPTS=1

fail() {
  echo "$*" >&2
  exit 2
}

[[ $ENV =~ ^[a-z0-9_-]{1,63}$ ]] || fail "ENV is a name of lower-case letters, digits, hyphens and underscores, not '$ENV'."

names_in() { sed -n 's/^\([A-Z_]*\)=.*/\1/p' "$1"; }

# Sets one variable for each line of a file; values are taken as they are, without quotes.
read_settings() {
  local line
  while IFS= read -r line || [[ -n $line ]]; do
    line="${line%$'\r'}"
    [[ -z $line || $line == \#* ]] && continue
    [[ $line =~ ^([A-Z_]+)=[[:blank:]]*(.*[^[:blank:]])?[[:blank:]]*$ ]] || fail "$1: this is not NAME=value: $line"
    [[ " ${BASH_REMATCH[2]}" != *[[:blank:]]\#* ]] || fail "$1: a comment has a line of its own: $line"
    [[ " $DEPLOYMENT_NAMES $SERVICE_NAMES " == *" ${BASH_REMATCH[1]} "* ]] ||
      fail "$1: ${BASH_REMATCH[1]} is no setting; deploy/defaults/ has them all"
    printf -v "${BASH_REMATCH[1]}" '%s' "${BASH_REMATCH[2]}"
  done <"$1"
}

DEPLOYMENT_NAMES="$(names_in deploy/defaults/deployment.env | tr '\n' ' ')"
SERVICE_NAMES="$(names_in deploy/defaults/service.env | tr '\n' ' ')"
[[ -f deploy/env/$ENV.env ]] || fail "There is no deploy/env/$ENV.env."
read_settings deploy/defaults/deployment.env
read_settings deploy/defaults/service.env
read_settings "deploy/env/$ENV.env"
while [[ $BASE_URL == */ ]]; do BASE_URL="${BASE_URL%/}"; done

# shape NAME PATTERN WORDS: a setting's value is all of the pattern, which the words tell.
shape() { [[ ${!1} =~ ^($2)$ ]] || fail "deploy/env/$ENV.env: $1 is $3, not '${!1}'."; }

# Google and the service would find these, too, but in the middle of a deployment, or never.
check_shapes() {
  local whole='0|[1-9][0-9]*' pair='[A-Za-z_][A-Za-z0-9_]*=[A-Za-z0-9_/-]+:[0-9]+' channel='projects/[^/,]+/notificationChannels/[0-9]+'
  shape REGION '[a-z]+-[a-z]+[0-9]+' "one of Google's, such as us-central1"
  shape RUNTIME 'python3[0-9]+' "a version of Python, such as python313"
  shape CPU '([0-9]+(\.[0-9]+)?|\.[0-9]+)m?' "a number of processors"
  shape MEMORY '[1-9][0-9]*([KMGTkmgt]i?[Bb]?)?' "a whole number and its unit, such as 512Mi"
  shape CONCURRENCY '[1-9][0-9]*' "a whole number from 1"
  shape MIN_INSTANCES "$whole" "a whole number"
  shape MAX_INSTANCES '[1-9][0-9]*' "a whole number from 1"
  ((MIN_INSTANCES <= MAX_INSTANCES)) || fail "deploy/env/$ENV.env: MIN_INSTANCES is more than MAX_INSTANCES."
  shape SECRETS "($pair(,$pair)*)?" "NAME=secret:version, comma-separated (pin the versions by their numbers: a rollback brings back the key it had)"
  shape PUBLIC 'allUsers|no-invoker-check' "allUsers or no-invoker-check"
  shape ALERT_EMAIL "([^@,;'\"[:space:]]+@[^@,;'\"[:space:]]+)?" "one address"
  shape NOTIFICATION_CHANNELS "($channel(,$channel)*)?" "names such as projects/my-project/notificationChannels/123, comma-separated"
  shape RETENTION_DAYS "($whole)?" "a whole number"
  shape LOG_LEVEL '(INFO|DEBUG)?' "INFO or DEBUG, since the alerts count what is logged at INFO"
  [[ -z $BASE_URL || $BASE_URL == https://* ]] ||
    fail "deploy/env/$ENV.env: BASE_URL begins with https://; Vonage and the alerts ask there."
}

# What would leave a deployment open, unreachable or unwatched. A trigger submits cloudbuild.yaml by itself, so this is
# asked where something is deployed, and before anything is submitted.
check_settings() {
  [[ -n ${ALLOWED_APPLICATIONS//,/} ]] || fail "Say in deploy/env/$ENV.env who may use this deployment:
ALLOWED_APPLICATIONS=id,id of Vonage applications, or ALLOWED_APPLICATIONS=all for everybody."
  check_shapes
}

account() { echo "ttsprompt-$1@$PROJECT.iam.gserviceaccount.com"; }

project_number() {
  if [[ -n $DRY_RUN ]]; then
    echo PROJECT_NUMBER
  elif [[ -n ${PROJECT_NUMBER:-} ]]; then
    echo "$PROJECT_NUMBER"
  else
    gcloud projects describe "$PROJECT" --format='value(projectNumber)'
  fi
}

# A service's deterministic address (docs/decisions/0011).
address() {
  local number
  number="$(project_number)" || return
  echo "https://$1-$number.$REGION.run.app"
}

# Changes something, or says that it would.
change() {
  if [[ -n $DRY_RUN ]]; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}

# Changes something that may not be possible yet: Google takes minutes to see new APIs, accounts, roles and metrics.
# Or because another deployment is at it. Any other failure ends the script at once.
another='unable to queue the operation|concurrent policy changes'
not_yet="has not been used|does not exist|cannot find metric|permission|conflict|try again|$another"
patiently() {
  local try said
  for ((try = 1; try <= 30; try++)); do
    if { said="$(change "$@" 2>&1 >&3)"; } 3>&1; then
      [[ -z $said ]] || echo "$said" >&2
      return
    fi
    grep -qiE "$not_yet" <<<"$said" || break
    echo "Not yet (${said:0:300}); trying again in 30 seconds." >&2
    sleep 30
  done
  fail "$said"
}

# Looks something up. With DRY_RUN nothing is there, so that everything that would be made is shown.
look() {
  if [[ -z $DRY_RUN ]]; then "$@"; fi
}
