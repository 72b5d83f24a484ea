#!/bin/sh
# Writes the calls of this example: sh make_calls.sh > calls.jsonl
call() { # TOOL NUMBER ARGS [MORE]
  printf '{"id":"%s-%s","tool":"%s","args":%s%s}\n' "$1" "$2" "$1" "$3" "${4:-}"
}

# first of all and all at once, so that they meet
for i in 1 2 3 4 5 6 7 8 9 10; do
  call slow "$i" "{\"page\":$i}"
done

words='breaker bucket bulkhead permit probe half-open burst deadline jitter backoff retry ticket'
i=0
while [ $i -lt 80 ]; do
  i=$((i + 1))
  call hash $i "{\"document\":$i}" ',"deadline":"20s"'
  [ $i -le 60 ] && call sometimes $i "{\"step\":$i}"
  if [ $i -le 60 ]; then
    # shellcheck disable=SC2086 # one word each
    set -- $words
    shift $((i % 12))
    call search $i "{\"text\":\"$1\"}"
  fi
  [ $i -le 40 ] && call page $i "{\"page\":$i}" ',"priority":"high"'
  [ $i -le 40 ] && call outage $i "{\"item\":$i}"
  [ $((i % 5)) -eq 0 ] && [ $i -le 75 ] && call scarce $i "{\"sample\":$i}"
  [ $((i % 8)) -eq 0 ] && call down $i '{}'
  [ $((i % 8)) -eq 1 ] && call quota $i "{\"user\":$i}"
  [ $((i % 20)) -eq 0 ] && call hang $i '{}'
done
:
