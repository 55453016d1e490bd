"""What the tests against foreign software share: counting cases, running programs."""

import contextlib
import os
import pathlib
import subprocess
import sys
import traceback

ROOT = pathlib.Path(os.environ["ROOT"])
OUT = pathlib.Path(os.environ["OUT"])
TEGATA = os.environ["TEGATA"]
PROFILES = os.environ["PROFILES"]

_failed = 0


class Failure(Exception):
    """Something is not as it must be; the text says what."""


@contextlib.contextmanager
def case(name):
    """One case: what is raised inside fails it, and the next one goes on."""
    global _failed
    try:
        yield
    except Failure as failure:
        _failed += 1
        print(f"FAIL {name}: {failure}", flush=True)
    except Exception:  # a test that breaks has failed too, and the rest still counts
        _failed += 1
        print(f"FAIL {name}: {traceback.format_exc()}", flush=True)
    else:
        print(f"ok {name}", flush=True)


def skipped(name, why):
    print(f"SKIPPED {name}: {why}", flush=True)


def finish():
    sys.exit(1 if _failed else 0)


def require(condition, why):
    if not condition:
        raise Failure(why)


def run(*command, expect=0, input=None, timeout=600, cwd=None, env=None):
    """Runs a program; fails unless it ends as expected (`None`: any way). Gives both outputs."""
    command = [str(word) for word in command]
    if isinstance(input, str):
        input = input.encode()
    done = subprocess.run(
        command,
        input=input if input is not None else b"",
        capture_output=True,
        timeout=timeout,
        cwd=cwd or OUT,
        env={**os.environ, **(env or {})},
    )
    text = (done.stdout + done.stderr).decode(errors="replace")
    if expect is not None and done.returncode != expect:
        raise Failure(f"{' '.join(command)} ended with {done.returncode}, not {expect}:\n{text}")
    done.text = text
    return done
