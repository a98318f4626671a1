"""What the fuzzer must know that the document cannot say."""

from datetime import datetime, timedelta, timezone

import schemathesis
from hypothesis import strategies
from hypothesis.internal import lambda_sources

# To describe its own lambdas, Hypothesis parses their source; deep in a recursion, the parser of Python 3.11 fails.
lambda_sources.lambda_description = lambda function: "lambda"

# Cursors are opaque: only those that the server gave out are good.
CURSORS = ("cursor", "_cursor")


def instants():
    """A moment that has not come has no answer yet, and is refused: only those of the past are good."""
    yesterday = datetime.now() - timedelta(days=1)
    moments = strategies.datetimes(datetime(2000, 1, 1), yesterday, timezones=strategies.just(timezone.utc))
    return moments.map(lambda moment: moment.isoformat())


schemathesis.openapi.format("date-time", instants())


@schemathesis.hook
def map_query(context, query):
    for name in CURSORS:
        (query or {}).pop(name, None)
    return query


@schemathesis.hook
def filter_case(context, case):
    """What is empty is as if it were not there, so it violates nothing: a parameter (FHIR R4 section 3.1.1.3), and a header
    such as Last-Event-ID (HTML section 9.2.4)."""
    given = [*(case.query or {}).values(), *(case.headers or {}).values()]
    return not any(value in ("", [], {}) for value in given)
