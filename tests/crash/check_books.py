#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The books after a crash test: what was promised against what is there.

check_books.py DIRECTORY, with the files
  sent          every line that was sent (make_batch.py), once for each batch
  ledger        ids that `fabric schedule` acknowledged
  completions   "ID LEASE" that `fabric complete` acknowledged
  tasks.json    `fabric tasks --limit all --json`
  ended.AGENT   ids of tasks, written by themselves at each end
"""
import collections
import json
import pathlib
import sys

scratch = pathlib.Path(sys.argv[1])
sent = [json.loads(line) for line in (scratch / "sent").read_text().splitlines()]
ledger = (scratch / "ledger").read_text().split()
completions = [tuple(line.split()) for line in (scratch / "completions").read_text().splitlines()]
tasks = json.loads((scratch / "tasks.json").read_text())
tasks = tasks if isinstance(tasks, list) else tasks["tasks"]
ended = collections.Counter()
for marks in scratch.glob("ended.*"):
    ended.update(marks.read_text().split())

bad = []
by_id = {t["id"]: t for t in tasks}
names = collections.Counter(t["payload"]["name"] for t in tasks)
by_name = {t["payload"]["name"]: t for t in tasks}
if len(by_id) != len(tasks):
    bad.append("an id twice in the list")
if len(set(ledger)) != len(ledger):
    bad.append("an id acknowledged twice")
for name, count in names.items():
    if count != 1:
        bad.append(f"{name}: its line is there {count} times")
for task_id in ledger:
    if task_id not in by_id:
        bad.append(f"{task_id}: acknowledged and lost")

# A batch is there whole or not at all.
batches = collections.Counter(name.split("-")[0] for name in names)
sizes = collections.Counter(line["payload"]["name"].split("-")[0] for line in sent)
for batch, there in batches.items():
    if there != sizes[batch]:
        bad.append(f"batch {batch}: {there} of {sizes[batch]} lines are there")

# What must have become of each, in the order in which they were sent.
state = {}
ran = set()
for line in sent:
    name = line["payload"]["name"]
    t = by_name.get(name)
    if t is None:
        continue
    code = int(line["payload"]["code"])
    ends = [state.get(d) for d in line.get("depends_on", [])]
    completed = [e == "completed" for e in ends]
    policy = line.get("after", "success")
    starts = not ends or (any(completed) if policy == "any" else policy == "finish" or all(completed))
    want = ("completed" if code == 0 else "failed") if starts else "failed"
    state[t["id"]] = want
    if t["state"] != want:
        bad.append(f'{name}: {t["state"]} ({t["reason"]}: {t["detail"]}), expected {want}')
    elif not starts:
        if t["reason"] != "dependency" or t["attempt"] != 0 or ended[t["id"]] != 0:
            bad.append(f'{name}: ran, and what it needed had failed')
    else:
        ran.add(name)
        if t["exit_code"] != code and (line["agent"] != "ext" or code != 0):
            bad.append(f'{name}: exit code {t["exit_code"]}, expected {code}')
        if line["agent"] == "ext":
            continue
        if t["result_bytes"] != len(t["id"]) + 1:
            bad.append(f"{name}: result lost")
        least = 1 + int(line["payload"]["fails"])
        if not least <= ended[t["id"]] <= t["attempt"]:
            bad.append(f'{name}: ran to its end {ended[t["id"]]} times in {t["attempt"]} attempts, '
                       f"of which {least - 1} had to fail")

# Order. Times are those of the transactions that decided.
for line in sent:
    name = line["payload"]["name"]
    if name not in ran:
        continue
    before = [by_id[d]["finished_at"] for d in line.get("depends_on", [])
              if line.get("after") != "any" or by_id[d]["state"] == "completed"]
    if before and by_name[name]["started_at"] < (min if line.get("after") == "any" else max)(before):
        bad.append(f"{name}: started before its dependencies allowed it")
for key in {line["exclusive"] for line in sent if "exclusive" in line}:
    spans = sorted((by_name[n]["started_at"], by_name[n]["finished_at"], n)
                   for n in (line["payload"]["name"] for line in sent if line.get("exclusive") == key)
                   if n in ran)
    for (_, end, one), (start, _, other) in zip(spans, spans[1:]):
        if start < end:
            bad.append(f"{one} and {other} ran at a time with exclusive key {key}")

# Answers of the external agent.
for (task_id, lease), count in collections.Counter(completions).items():
    if count > 1:
        bad.append(f"{task_id}: completed {count} times under lease {lease}")
for task_id, count in collections.Counter(task_id for task_id, _ in completions).items():
    if count > 1:
        bad.append(f"{task_id}: {count} completions were acknowledged")

for line in bad[:20]:
    print(line, file=sys.stderr)
again = sum(t["attempt"] > 1 + int(t["payload"]["fails"]) for t in tasks)
twice = sum(ended[t["id"]] > 1 + int(t["payload"]["fails"]) for t in tasks)
print(f"{len(ledger)} tasks acknowledged, {len(ran)} ran, {len(completions)} completed by hand; "
      f"{again} had an attempt more than they failed, {twice} ran to their end once more than needed, "
      f"{len(bad)} wrong")
sys.exit(bool(bad))
