"""What both Python checks use: a step that is announced before it runs, and claims that explain themselves."""

import sys


def step(title):
    """Names what is tried next, so that a failure is read below its name."""
    print(f"  {title}", flush=True)


def equal(what, found, expected):
    if found != expected:
        fail(f"{what}: expected {expected!r}, found {found!r}")


def true(what, holds):
    if not holds:
        fail(f"{what}: does not hold")


def raises(what, kind, call):
    """Runs what must fail with that exception, and returns the exception."""
    try:
        answer = call()
    except kind as error:
        return error
    fail(f"{what}: expected {kind.__name__}, but it succeeded with {answer!r}")


def fail(why):
    sys.exit(f"  FAILED: {why}")


def arguments():
    """Base URL of the FHIR face and a token, from the command line."""
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} BASE_URL TOKEN")
    return sys.argv[1].rstrip("/"), sys.argv[2]
