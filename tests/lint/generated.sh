#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# generated.sh FABRIC [--write]: compares man/ and completions/ with what FABRIC makes from its
# command table, or writes them.
set -eu
fabric=$1
mode=${2:-check}
root=$(cd "$(dirname "$0")/../.." && pwd)
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
mkdir "$made/man" "$made/completions"

"$fabric" __man >"$made/man/fabric.1"
"$fabric" __man --list >"$made/names"
while read -r name; do
  # shellcheck disable=SC2086 # "store stat" is two words
  "$fabric" __man $name >"$made/man/fabric-$(echo "$name" | tr ' ' '-').1"
done <"$made/names"
"$fabric" completion bash >"$made/completions/fabric.bash"
"$fabric" completion zsh >"$made/completions/_fabric"
"$fabric" completion fish >"$made/completions/fabric.fish"

for folder in man completions; do
  if [ "$mode" = --write ]; then
    rm -rf "${root:?}/$folder"
    cp -r "$made/$folder" "$root/$folder"
  elif ! diff -ru "$root/$folder" "$made/$folder"; then
    echo "$folder/ is out of date; run: tests/lint/generated.sh $fabric --write" >&2
    exit 1
  fi
done
