# SPDX-License-Identifier: Apache-2.0
# A machine that is short of processor: less urgent tasks wait, and fabric says so.
load helper

pressed() { fabric status --json | jq -e '.pressure != null'; }

@test "under pressure a low task waits while others run, is told why, and runs alone at last" {
  [ -r /proc/pressure/cpu ]
  printf '[scheduler]\npressure_cpu = 1\npressure_memory = "none"\n' >fabric.toml
  fabric spawn burner --isolation none --cpu none -- sh -c 'for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; wait' 2>/dev/null ||
    fabric spawn burner --isolation none -- sh -c 'for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; wait'
  fabric spawn a -- true
  fabric schedule burner --id burn --priority critical
  wait_until 60 pressed
  fabric schedule a --id low --priority low
  fabric schedule a --id high --priority high
  fabric wait high --timeout 30s
  expect_equal "$(field_of low state)" pending
  expect_match "$(fabric explain low --json | jq -r '.reasons[] | select(.kind == "pressure").text')" 'cpu pressure'
  expect_match "$(fabric status)" 'pressure +cpu pressure'
  fabric cancel burn
  fabric wait low --timeout 60s
}
