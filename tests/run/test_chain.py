"""Chains of unsuccessful runs: who goes on with what failed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import attrs

from osiris_core.run.chain import join_chain
from osiris_core.run.process import this_process

HASH = "ab" * 32


def test_of_runs_that_start_at_the_same_time_one_goes_on_with_what_failed(tmp_path):
    for number in range(20):
        logs = tmp_path / str(number)
        (logs / "failed").mkdir(parents=True)
        (logs / "failed" / "status.json").write_text(json.dumps({"status": "failed"}))
        assert join_chain(logs, HASH, "failed", fresh=False).token == "failed"
        names = [f"run{at}" for at in range(8)]
        for name in names:
            (logs / name).mkdir()
            (logs / name / "session.json").write_text(json.dumps({"process": attrs.asdict(this_process())}))
        with ThreadPoolExecutor(8) as pool:
            tokens = list(pool.map(lambda name, logs=logs: join_chain(logs, HASH, name, fresh=False).token, names))
        assert tokens.count("failed") == 1
        assert len(set(tokens)) == len(names)
