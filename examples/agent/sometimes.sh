#!/bin/sh
# Echoes its arguments. Whether the first attempt fails is told by a hash of them; no second one does.
args=$(cat)
case $FUSEBOX_ATTEMPT-$(printf %s "$args" | sha256sum) in
1-[0-3]*)
  echo "not this time" >&2
  exit 75
  ;;
esac
printf '%s\n' "$args"
