"""A sentence becomes a pipeline from MySQL to Supabase, is approved and run: real servers, a scripted model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.golden.test_golden_path import Project, source  # noqa: F401 - a fixture
from tests.servers.models import ModelServer

INTENT = {
    "kind": "pipeline",
    "goal": "Flights and mean departure delay by airline name, updated by airline in the mart",
    "connections": ["@mysql.shop"],
    "destination": "supabase.writer@mart",
    "question": "",
    "answer": "",
}
PLAN = {
    "name": "delays",
    "transforms": [
        {
            "id": "delays",
            "sql": "SELECT a.name AS airline, count(*) AS flights, avg(f.dep_delay) AS mean_delay "
            "FROM flights f JOIN airlines a USING (carrier) GROUP BY a.name",
        }
    ],
    "outputs": [
        {
            "source": "delays",
            "destination": "supabase.writer@mart",
            "target": "delays",
            "mode": "upsert",
            "key": ["airline"],
        }
    ],
    "assumptions": ["The mean is over flights that departed."],
    "more_tables": [],
    "impossible": "",
}


def test_a_sentence_becomes_rows(tmp_path, mariadb, source, postgres_server):  # noqa: F811 - the fixture
    with ModelServer() as server, postgres_server.new_database("golden") as target:
        server.say(INTENT, PLAN, INTENT, PLAN)
        project = Project(tmp_path, mariadb, source, postgres_server, target)
        (tmp_path / "osiris.yaml").write_text(
            "llm: {provider: openai_compatible, providers: {openai_compatible: "
            f"{{base_url: '{server.openai}', model: test-model}}}}}}\n"
        )
        made = None
        for _ in range(2):  # the second time changes nothing: an upsert
            wish = "How late is each airline on average? Keep it up to date in the mart."
            done = subprocess.run(
                [
                    Path(sys.executable).with_name("osiris"),
                    "chat",
                    wish,
                    *("--non-interactive", "--run", "--yes", "--json"),
                ],
                cwd=tmp_path,
                env=project.env,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            made = json.loads(done.stdout)
            assert made["run"]["status"] == "succeeded"
        expected = project.mariadb.execute(
            "SELECT a.name, count(*), avg(f.dep_delay) FROM flights f JOIN airlines a USING (carrier)"
            " GROUP BY a.name ORDER BY a.name",
            database=source,
        )
        found = postgres_server.execute(
            'SELECT airline, flights, mean_delay FROM delays ORDER BY airline COLLATE "C"', target
        )
        assert [row[:2] for row in found] == sorted((name, count) for name, count, _ in expected)
        means = {name: mean for name, _, mean in expected}
        assert all(abs(mean - means[name]) < 1e-9 for name, _, mean in found)
        assert "mysql.extractor" in made["pipeline"]["oml"]
        sent = "\n".join(call.text for call in server.calls)
        assert mariadb.password not in sent
        assert "dep_delay" in sent
