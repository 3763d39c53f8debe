#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A module of lib/ includes only itself and modules below it (docs/architecture.md); scheduler and
# lifecycle do not know each other; nothing in lib/ knows cmd/. Prints every include that breaks it.
set -eu
cd "${1:-.}"

status=0
below=
for module in base model telemetry config store egress image isolation scheduler lifecycle supervisor; do
  allowed="$below $module"
  case $module in
    egress) allowed="base model egress" ;;  # a program of its own, with other people's bytes
    image) allowed="base image" ;;  # likewise
    isolation) allowed="base model telemetry image isolation" ;;  # knows no tasks' keeper, no settings
    lifecycle) allowed="base model telemetry config store isolation lifecycle" ;;
  esac
  below="$below $module"
  [ -d "lib/$module" ] || continue
  pattern=$(echo "$allowed" | tr -s ' ' '|' | sed 's/^|//')
  found=$(grep -rnE '^[[:space:]]*#[[:space:]]*include "' "lib/$module" --include='*.?pp' --include='*.[ch]' |
    grep -vE "#[[:space:]]*include \"($pattern)/" || true)
  if [ -n "$found" ]; then
    echo "$module may include only: $allowed"
    echo "$found"
    status=1
  fi
done
exit $status
