"""schemathesis drives the REST API by its own description and finds no contradiction."""

import json
import pathlib
import sys

from lib import OUT, Failure, case, finish, require, run
from tegata import Platform, credential

# What schemathesis checks that does not hold here, as (check, reason).
EXCLUDED = []

with Platform(OUT / "platform") as platform:
    certificates, key = credential(OUT, "admin", platform.admin.read_text())
    description = OUT / "openapi.json"

    with case("the description is served, and is OpenAPI 3.1"):
        run("curl", "--silent", "--show-error", "--fail", "--max-time", "20", "--cacert",
            platform.roots, "--cert", certificates, "--key", key, "--output", description,
            f"{platform.url}/v1/openapi.json")
        parsed = json.loads(description.read_text())
        require(parsed["openapi"].startswith("3.1"), parsed["openapi"])
        require(len(parsed["paths"]) > 10, f"only {len(parsed['paths'])} paths")

    with case("schemathesis: answers are as described, whatever is asked"):
        tool = pathlib.Path(sys.executable).parent / "schemathesis"
        exclude = ["--exclude-checks", ",".join(check for check, _ in EXCLUDED)] if EXCLUDED else []
        done = run(tool, "run", description, "--url", platform.url, "--request-cert", certificates,
                   "--request-cert-key", key, "--tls-verify", platform.roots,
                   "--phases", "examples,coverage,fuzzing", "--max-examples", "15",
                   "--max-time", "180", "--seed", "1", "--checks", "all", *exclude,
                   "--continue-on-failure", "--no-color", "--report-dir", OUT / "report",
                   expect=None, timeout=400)
        (OUT / "schemathesis.log").write_text(done.text)
        if done.returncode != 0:
            raise Failure(f"see target/interop/test_openapi/schemathesis.log\n{done.text[-6000:]}")
        print("\n".join(done.text.splitlines()[-12:]))
finish()
