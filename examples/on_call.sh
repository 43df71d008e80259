#!/usr/bin/env bash
# Wake somebody up: on_call.sh PEOPLE.toml "The database is down" [ID]. Set FROM and the client's three settings.
# The same ID (of the alert, say) phones nobody twice, however often this runs.
ttsprompt ladder "$1" --from="$FROM" --text="$2. Key your PIN to take over." ${3:+--run="$3"}
case $? in
  0) echo "somebody has taken over" ;;
  4) echo "not clear: run the same with the ID above" && exit 1 ;;
  *) echo "nobody has taken over" && exit 2 ;;
esac
