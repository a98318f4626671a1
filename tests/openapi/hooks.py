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
    """FHIR R4 section 3.1.1.3: an empty parameter is as if it were not there, so it violates nothing."""
    return "" not in (case.query or {}).values()
