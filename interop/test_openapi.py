"""schemathesis drives the REST API by its own description and finds no contradiction."""

import json
import pathlib
import sys

from lib import OUT, ROOT, Failure, case, finish, require, run
from tegata import Platform, credential

# What schemathesis checks that does not hold here, as (check, reason).
EXCLUDED = [
    (
        "positive_data_acceptance",
        "a schema cannot say that PEM must parse, that a token has no more roles than its owner, \
or which CA an organisation may have; such requests are refused with 400 or 422 and a reason",
    ),
]
# What else may answer a request that breaks its schema: a body beyond the limit is not read at all.
CONFIGURATION = """
[checks]
negative_data_rejection.expected-statuses = [
    400, 401, 403, 404, 405, 406, 409, 413, 414, 415, 422, 428, 429, 431, "5xx",
]
"""
# Operations with which a caller may end its own access; they run by themselves, at the end.
SUICIDAL = [
    "/v1/certificates/{authority}/{serial}/revoke",
    "/v1/certificates/{authority}/{serial}/suspend",
    "/v1/organisations/{organisation}/members/{fingerprint}",
    "/v1/tokens/{token}",
]


def schemathesis(platform, description, credential_, selection, examples):
    certificates, key = credential_
    tool = pathlib.Path(sys.executable).parent / "schemathesis"
    log = OUT / f"{certificates.stem}-{len(selection)}.log"
    configuration = OUT / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    done = run(tool, "--config-file", configuration, "run", description, "--url", platform.url,
               "--request-cert", certificates, "--request-cert-key", key,
               "--tls-verify", platform.roots,
               "--phases", "examples,coverage,fuzzing", "--max-examples", examples,
               "--seed", "1", "--checks", "all",
               "--exclude-checks", ",".join(check for check, _ in EXCLUDED), *selection,
               "--continue-on-failure", "--request-retries", "3", "--no-color", "--warnings", "off",
               expect=None, timeout=400,
               env={"PYTHONPATH": str(ROOT / "interop"),
                    "SCHEMATHESIS_HOOKS": "schemathesis_hooks"})
    log.write_text(done.text)
    if done.returncode != 0:
        raise Failure(f"see {log}\n{done.text[-4000:]}")
    print("\n".join(line for line in done.text.splitlines() if "generated" in line))


with Platform(OUT / "platform") as platform:
    admin = credential(OUT, "admin", platform.admin.read_text())
    maker = credential(OUT, "maker", platform.credentials[platform.MAKER].read_text())
    description = OUT / "openapi.json"

    with case("the description is served, and is OpenAPI 3.1"):
        run("curl", "--silent", "--show-error", "--fail", "--max-time", "20", "--cacert",
            platform.roots, "--cert", admin[0], "--key", admin[1], "--output", description,
            f"{platform.url}/v1/openapi.json")
        parsed = json.loads(description.read_text())
        require(parsed["openapi"].startswith("3.1"), parsed["openapi"])
        require(len(parsed["paths"]) > 10, f"only {len(parsed['paths'])} paths")

    # curl up to 7.88 takes an answer before the end of its request for a broken stream.
    big = OUT / "big.json"
    big.write_bytes(b" " * 300_000)
    for version in ["--http1.1", "--http2"]:
        for path, sent_as, wanted in [("/v1/nowhere", admin, "404"),
                                      ("/v1/organisations", None, "401"),
                                      ("/v1/organisations", admin, "413")]:
            with case(f"curl {version}: a body that is not read, answered with {wanted}"):
                who = ["--cert", sent_as[0], "--key", sent_as[1]] if sent_as else []
                done = run("curl", version, "--silent", "--show-error", "--max-time", "20",
                           "--cacert", platform.roots, *who, "--header",
                           "Content-Type: application/json", "--data-binary", f"@{big}",
                           "--output", "/dev/null", "--write-out", "%{http_version} %{http_code}",
                           f"{platform.url}{path}")
                answered = done.stdout.decode()
                require(answered == f"{version[6:].removesuffix('.0')} {wanted}", answered)

    without = [word for path in SUICIDAL for word in ["--exclude-path", path]]
    only = [word for path in SUICIDAL for word in ["--include-path", path]]
    with case("schemathesis, as a maker: answers are as described, whatever is asked"):
        schemathesis(platform, description, maker, without, 10)
    with case("schemathesis, as the platform's administrator"):
        schemathesis(platform, description, admin, without, 3)
    with case("schemathesis: operations with which a caller may end its own access"):
        schemathesis(platform, description, maker, only, 10)
finish()
