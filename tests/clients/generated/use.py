"""What an integrator does first, with a client generated from the OpenAPI document:

openapi-python-client generate --path openapi/chartlog.json && python3 use.py BASE TOKEN
"""

import sys
import time
from http import HTTPStatus

from chartlog_client import AuthenticatedClient
from chartlog_client.api.audit import list_chart_accesses
from chartlog_client.api.charts import append_events, read_chart
from chartlog_client.api.feed import follow_events
from chartlog_client.models import Append, NewEvent, Problem, Resource, ResourceType

base, token = sys.argv[1:]
patient = "p0001"
client = AuthenticatedClient(base_url=base, token=token)

observation = Resource(resource_type=ResourceType.OBSERVATION, id=f"generated-{time.time_ns()}")
observation["status"] = "final"
observation["code"] = {"text": "Heart rate"}
observation["subject"] = {"reference": f"Patient/{patient}"}

# Append an event.
body = Append(events=[NewEvent(type_="Observation.recorded", resource=observation)])
appended = append_events.sync_detailed(patient, client=client, body=body)
assert appended.status_code == HTTPStatus.CREATED, appended
position = appended.parsed.position

# The chart as it is, and as it was before.
now = read_chart.sync(patient, client=client)
before = read_chart.sync(patient, client=client, version=now.version - 1)
assert observation.id in [resource.id for resource in now.resources]
assert observation.id not in [resource.id for resource in before.resources]

# Who looked: this program has.
accesses = list_chart_accesses.sync(patient, client=client, operation="readChart", count=2)
assert accesses.accesses[0].operation == "readChart", accesses

# A page of the feed, from the event on.
feed = follow_events.sync(client=client, after=position - 1, include="resource", limit=1)
assert feed.events[0].body.id == observation.id, feed

# An error says what is wrong, in its type.
refused = list_chart_accesses.sync(patient, client=client, count=5000)
assert isinstance(refused, Problem) and refused.errors[0].place == "count", refused

print("append, chart, accesses and feed work by a generated client (Python)")
