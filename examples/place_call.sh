#!/usr/bin/env bash
# Place a call: set BASE_URL, VONAGE_JWT, CALLBACK, TO, FROM.
set -euo pipefail
curl -sS --fail-with-body --retry 3 -X POST "$BASE_URL/call" \
  -H "Authorization: Bearer $VONAGE_JWT" \
  -H "Idempotency-Key: $(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen)" \
  --data-urlencode "to=$TO" --data-urlencode "from=$FROM" \
  --data-urlencode "text=This is the on-call desk. Enter your PIN, please." \
  --data-urlencode "pin_code=1234" \
  --data-urlencode "callback=$CALLBACK"
