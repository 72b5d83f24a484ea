#!/bin/sh
# Lists the sources of this repository that contain the text {"text": "..."}, at most ten.
text=$(sed -n 's/.*"text":"\([^"]*\)".*/\1/p')
[ -n "$text" ] || { echo 'the argument "text" is missing or empty' >&2; exit 64; }
grep -rlsF --include='*.rs' --include='*.md' --include='*.toml' -- "$text" README.md docs core/src std-adapter/src cli/src |
  sort | head -n 10
