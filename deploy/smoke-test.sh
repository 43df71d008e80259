#!/usr/bin/env bash
# Asks the deployed service who it is, and for a dry run. Nobody is phoned.
source "$(dirname "$0")/common.sh"
: "${BASE_URL:?say where the service is}"

about="$(curl --fail --silent --show-error --max-time 30 "$BASE_URL/")"
echo "$about"
grep -q '"name": "ttsprompt"' <<<"$about"
answer="$(curl --fail --silent --show-error --max-time 30 "$BASE_URL/call" -H 'Content-Type: application/json' -d '{
  "to": "447700900001", "from": "447700900999", "text": "Smoke test", "pin_code": "1234",
  "callback": "https://example.com/callback", "dry_run": true}')"
grep -q "$BASE_URL/input/" <<<"$answer"
echo "The dry run names $BASE_URL."
