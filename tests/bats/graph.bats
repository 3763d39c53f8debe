# SPDX-License-Identifier: Apache-2.0
# fabric graph: tasks and what they depend on.
load helper

diamond() {
  fabric spawn anna --kind external
  fabric schedule anna --id top
  fabric schedule anna --id left --after top
  fabric schedule anna --id right --after top
  fabric schedule anna --id end --after left,right
}

@test "text is a tree that names a node again without what hangs on it" {
  diamond
  diff - <(fabric graph) <<'END'
top  pending
  left  pending
    end  pending
  right  pending
    end  pending
END
}

@test "a task shows all that hangs together with it, and nothing else" {
  diamond
  fabric schedule anna --id alone
  expect_equal "$(fabric graph right | grep -c alone)" 0
  expect_match "$(fabric graph right)" 'left +pending'
  fabric cancel top >/dev/null
  expect_match "$(fabric graph end)" 'top +cancelled'
}

@test "of a group a task shows what hangs together with it, ended or not" {
  fabric spawn a -- true
  printf '[[task]]\nname = "%s"\nagent = "a"\n' one two >d.toml
  printf '[[task]]\nname = "three"\nagent = "a"\ndepends_on = ["one"]\n' >>d.toml
  fabric schedule --dag d.toml --group g --wait
  diff - <(fabric graph g.one) <<'END'
g.one  completed
  g.three  completed
END
  expect_match "$(fabric graph --group g)" 'g.two +completed'
  run --separate-stderr fabric graph
  expect_equal "$output" ""
}

@test "more dependencies than can be drawn are refused with what to do" {
  fabric spawn anna --kind external --max-queue-depth 5000
  python3 - >many <<'END'
import json
first = ["b%d" % i for i in range(150)]
for id in first:
    print(json.dumps({"agent": "anna", "id": id}))
for i in range(150):
    print(json.dumps({"agent": "anna", "id": "t%d" % i, "depends_on": first}))
END
  fabric schedule --batch many >/dev/null
  run --separate-stderr fabric graph
  expect_status 1
  expect_match "$stderr" 'more than 20000 dependencies to draw'
}

@test "dot, mermaid and svg are well formed" {
  diamond
  expect_match "$(fabric graph --format dot)" '"left" -> "end";'
  expect_match "$(fabric graph --format mermaid)" 'n1 --> n3|n1 --> n2'
  fabric graph --format svg >g.svg
  python3 - <<'END'
import xml.etree.ElementTree as t
r = t.parse("g.svg").getroot()
n = "{http://www.w3.org/2000/svg}"
assert len(r.findall(n + "rect")) == 4, len(r.findall(n + "rect"))
assert len(r.findall(n + "path")) == 4
boxes = {(b.get("x"), b.get("y")) for b in r.findall(n + "rect")}
assert len(boxes) == 4
END
}

@test "unknown tasks and groups are not found; nothing to draw is said" {
  run --separate-stderr fabric graph nothing
  expect_status 3
  run --separate-stderr fabric graph --group nothing
  expect_status 3
  run --separate-stderr fabric graph
  expect_status 0
  expect_match "$stderr" 'no tasks wait or run'
}
