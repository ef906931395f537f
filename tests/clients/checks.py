"""What the programs share: checks that run in the order they stand, waiting, and names nobody else has."""

import secrets
import sys
import time
import traceback

PATIENCE = 90
_checks = []


def check(function):
    """Registers a check."""
    _checks.append(function)
    return function


def run(*arguments):
    """Runs every check, or those named on the command line; ends the program."""
    wanted = sys.argv[1:]
    failed = 0
    chosen = [function for function in _checks if not wanted or function.__name__ in wanted]
    for function in chosen:
        try:
            function(*arguments)
            print(f"ok {function.__name__}", flush=True)
        except BaseException:
            failed += 1
            print(f"FAILED {function.__name__}", flush=True)
            traceback.print_exc()
    print(f"{len(chosen) - failed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not chosen else 0)


def wait_for(what, look):
    """Waits until `look` gives something that is not None or False."""
    end = time.monotonic() + PATIENCE
    while True:
        found = look()
        if found is not None and found is not False:
            return found
        if end < time.monotonic():
            raise AssertionError(f"waited {PATIENCE} s in vain for {what}")
        time.sleep(0.02)


def unique(prefix):
    """A name nobody else has."""
    return f"{prefix}-{secrets.token_hex(4)}"


def job(name, command, image="kiln/demo", labels=None, **spec):
    """A Job as plain data."""
    container = {"name": "main", "image": image, "command": command}
    template = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"template": template, **spec},
    }


def pod(name, command, image="kiln/host", labels=None):
    """A pod as plain data."""
    container = {"name": "main", "image": image, "command": command}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 0},
    }
