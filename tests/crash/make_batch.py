#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lines for `fabric schedule --batch`: DAGs, retries, exclusive keys, tasks of an external agent.

make_batch.py NUMBER SEED KNOWN: batch NUMBER; KNOWN lists ids that are acknowledged, one a line.
The payload says what a task will do: end with `code`, after failing `fails` times.
"""
import json
import pathlib
import random
import sys

SIZE = 60
number, seed, known = int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3])
rng = random.Random(seed * 100003 + number)
earlier = known.read_text().split()[-200:]
here = []
for i in range(SIZE):
    name = f"t{number}-{i}"
    agent = rng.choice(["a", "b", "c", "a", "b", "c", "a", "b", "c", "a", "b", "c", "ext"])
    fails = rng.choice([0, 0, 0, 1, 2]) if agent != "ext" else 0
    code = 0 if fails or rng.random() < 0.75 else rng.randint(1, 3)
    line = {
        "agent": agent,
        "payload": {"name": name, "code": str(code), "fails": str(fails),
                    "spin": str(rng.randint(0, 4000))},
    }
    # By either a repeated line is the same task.
    if rng.random() < 0.2:
        line["idempotency_key"] = f"key of {name}"
    else:
        line["id"] = name
    if fails:
        line["retries"] = fails
        line["retry_on"] = ["exit:75"]
    if rng.random() < 0.15:
        line["exclusive"] = rng.choice(["db", "port"])
    if rng.random() < 0.4:
        wanted = [rng.choice(here) for _ in range(rng.randint(1, 3)) if here]
        if earlier and rng.random() < 0.3:
            wanted.append(rng.choice(earlier))
        if wanted:
            line["depends_on"] = sorted(set(wanted))
            line["after"] = rng.choice(["success", "finish", "any"])
    if "id" in line:
        here.append(name)
    print(json.dumps(line))
