#!/usr/bin/env bash
# Asks the public function who it is, for a dry run, and for a call that does not exist, which it looks for in the
# database. Nobody is phoned.
# shellcheck source=deploy/common.sh
source "$(dirname "$0")/common.sh"
BASE_URL="${BASE_URL:-$(address ttsprompt)}"
ask() { curl --silent --show-error --max-time 30 "$@"; }

# A binding for allUsers that was made now works after minutes.
for ((try = 1; try <= 20; try++)); do
  about="$(ask --fail "$BASE_URL/")" && break
  echo "Not yet; trying again in 30 seconds." >&2
  sleep 30
done
echo "$about"
version="$(sed -n 's/^__version__[^"]*"\(.*\)"$/\1/p' ttsprompt/__init__.py)"
[[ $about == *'"name": "ttsprompt"'* && $about == *"\"version\": \"$version\""* ]] || fail "This is not ttsprompt $version."
[[ -z ${COMMIT:-} || $about == *"\"commit\": \"$COMMIT\""* ]] || fail "This is not the commit $COMMIT that was deployed."

[[ $about == *"\"$BASE_URL/openapi.json\""* ]] || fail "It does not name $BASE_URL as its own address: $about"

# Nobody has this number. Where the deployment's rules exclude it, they have been read.
answer="$(ask -w '\n%{http_code}' "$BASE_URL/call" -H 'Content-Type: application/json' -d '{
  "to": "447700900001", "from": "447700900999", "text": "Smoke test", "pin_code": "1234",
  "callback": "https://example.com/callback", "dry_run": true}')"
case $answer in
  *"$BASE_URL/input/"*$'\n'200 | *'"country_not_allowed"'*$'\n'403 | *'"number_not_allowed"'*$'\n'403) ;;
  *) fail "The dry run of a call was answered: $answer" ;;
esac

# Where Vonage signs, an unsigned webhook is refused before the database is asked; there the sweep has proved it.
wanted=404
[[ $SECRETS != *VONAGE_SIGNATURE_SECRET=* ]] || wanted=401
status="$(ask -o /dev/null -w '%{http_code}' "$BASE_URL/event/00000000-0000-4000-8000-000000000000?token=x" \
  -H 'Content-Type: application/json' -d '{"status": "answered"}')"
[[ $status == "$wanted" ]] || fail "A webhook for no call was answered $status, not $wanted (503: the database)."
echo "$BASE_URL is ttsprompt $version, and answers webhooks as it should."
