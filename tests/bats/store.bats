load helper

@test "store stat shows schema, size and tables" {
  fabric store stat --json | jq -e '.schema_version >= 1 and .file_bytes > 0 and (.tables | length) > 3'
  expect_match "$(fabric store stat)" 'schema +[0-9]'
}

@test "store check of a used store finds nothing" {
  fabric spawn a -- echo hi
  fabric schedule a --wait >/dev/null
  expect_match "$(fabric store check)" 'no problems'
  fabric store check --json | jq -e '.records > 0 and .problems == []'
}

# behaviour: a garbled store is noticed
@test "store check of a damaged store says so" {
  fabric spawn a -- echo hi
  for i in $(seq 50); do printf '{"agent":"a","id":"t%s","payload":"%0500d"}\n' "$i" 0; done |
    fabric schedule --batch - --wait >/dev/null 2>&1
  fabric down
  file=$(find .fabric/store -name '*.mdb' ! -name 'lock*' | head -1)
  # Every copy of every payload, as some lie in pages that are free by now.
  LC_ALL=C sed -i 's/000000000000000000000000/00000000000X000000000000/g' "$file"
  run --separate-stderr fabric store check
  [ "$status" -ne 0 ]
}

@test "store backup is a copy that can be read" {
  fabric spawn a -- echo hi
  fabric schedule a --id t --wait >/dev/null
  fabric store backup "$BATS_TEST_TMPDIR/copy"
  fabric down
  rm -r .fabric/store
  mv "$BATS_TEST_TMPDIR/copy" .fabric/store
  expect_equal "$(fabric result t)" hi
  fabric store check
}

@test "store backup does not write over anything" {
  mkdir "$BATS_TEST_TMPDIR/there"
  touch "$BATS_TEST_TMPDIR/there/file"
  run ! fabric store backup "$BATS_TEST_TMPDIR/there"
  [ -e "$BATS_TEST_TMPDIR/there/file" ]
}

@test "store compact needs the workspace for itself" {
  fabric spawn a -- true
  refused 1 'fabric down|supervisor' fabric store compact
  fabric down
  fabric store compact --json | jq -e '.after_bytes > 0 and .after_bytes <= .before_bytes'
  fabric store check
}
