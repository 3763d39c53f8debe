# Manual pages and completion scripts in the repository are those that this fabric makes.
load helper

@test "man/ and completions/ are up to date" {
  "$BATS_TEST_DIRNAME/../lint/generated.sh" "$FABRIC"
}

@test "mandoc has nothing to say about the pages" {
  requires mandoc
  for page in "$BATS_TEST_DIRNAME"/../../man/*.1; do
    # Pages refer to each other, which mandoc only sees once they are installed.
    mandoc -T lint "$page" | grep -v 'referenced manual not found' && return 1
    true
  done
}
