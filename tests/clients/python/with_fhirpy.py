"""Chartlog as `fhirpy` sees it: a client without models, which takes the JSON as it is.

usage: with_fhirpy.py BASE_URL TOKEN
"""

import json
import uuid

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import (
    AuthorizationError,
    MultipleResourcesFound,
    OperationOutcome,
    ResourceNotFound,
)

from check import arguments, equal, raises, step, true

SYSTEM = "https://clinic.example/with-fhirpy"
UCUM = "http://unitsofmeasure.org"


def outcome(error):
    """The OperationOutcome inside the client's exception."""
    parsed = json.loads(str(error))
    equal("resourceType of the error", parsed["resourceType"], "OperationOutcome")
    true("the outcome says what was wrong", parsed["issue"][0]["diagnostics"])
    return parsed["issue"][0]


def main():
    base, token = arguments()
    client = SyncFHIRClient(base, authorization=f"Bearer {token}")
    run = uuid.uuid4().hex

    step("metadata")
    equal("fhirVersion", client.execute("metadata", method="get").fhirVersion, "4.0.1")

    step("create, read")
    patient = client.resource(
        "Patient",
        identifier=[{"system": SYSTEM, "value": run}],
        name=[{"family": "Ångström", "given": ["Zoë"]}],
        birthDate="1971-08-02",
    )
    patient.save()
    equal("first version", patient.meta.versionId, "1")
    again = client.reference("Patient", patient.id).to_resource()
    equal("family name", again.name[0].family, "Ångström")

    step("update, refresh, read a version")
    patient["birthDate"] = "1971-08-03"
    patient.save()
    equal("second version", patient.meta.versionId, "2")
    again.refresh()
    equal("refreshed", again.birthDate, "1971-08-03")
    again.refresh()  # now not modified: 304
    equal("refreshed once more", again.meta.versionId, "2")
    first = client.execute(f"Patient/{patient.id}/_history/1", method="get")
    equal("birth date as first recorded", first.birthDate, "1971-08-02")

    step("version conflict: an update based on version 1 is refused with 412")
    careful = SyncFHIRClient(base, authorization=f"Bearer {token}", extra_headers={"If-Match": 'W/"1"'})
    stale = careful.resource("Patient", id=patient.id, birthDate="1971-08-04")
    # The client's name for every 412.
    outcome(raises("stale update", MultipleResourcesFound, stale.save))

    step("conditional update")
    draft = client.resource("Patient", **{**patient.serialize(), "birthDate": "1971-08-04"})
    identified = client.resources("Patient").search(identifier=f"{SYSTEM}|{run}")
    replaced, was_created = identified.update(draft)
    equal("replaced", (replaced.id, replaced.meta.versionId, was_created), (patient.id, "3", False))

    step("patch: applied, and refused when its test fails")
    patch = [
        {"op": "test", "path": "/birthDate", "value": "1971-08-04"},
        {"op": "replace", "path": "/birthDate", "value": "1971-08-05"},
        {"op": "add", "path": "/name/0/given/-", "value": "Mia"},
    ]
    patched = patient.execute("", method="patch", data=patch)
    equal("given names", patched.name[0].given, ["Zoë", "Mia"])
    equal("version", patched.meta.versionId, "4")
    raises("the same again", OperationOutcome, lambda: patient.execute("", method="patch", data=patch))

    step("history, newest first")
    history = patient.execute("_history", method="get")
    equal("versions", [e.resource.meta.versionId for e in history.entry], ["4", "3", "2", "1"])
    equal("statuses", [e.response.status for e in history.entry], ["200", "200", "200", "201"])

    step("transaction: urn:uuid references become real ones")
    subject, observations = f"urn:uuid:{uuid.uuid4()}", 7
    entries = [{
        "fullUrl": subject,
        "resource": {"resourceType": "Patient", "name": [{"family": "Transaction"}]},
        "request": {"method": "POST", "url": "Patient"},
    }] + [{
        "resource": observation(subject, value),
        "request": {"method": "POST", "url": "Observation"},
    } for value in range(observations)]
    response = client.execute("", data={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    equal("type", response.type, "transaction-response")
    location = response.entry[0].response.location
    chart_id = location.split("/_history/")[0].rsplit("/", 1)[-1]

    step("search with paging: all pages, each resource once")
    found = client.resources("Observation").search(patient=f"Patient/{chart_id}").limit(3).fetch_all()
    equal("observations", len({each.id for each in found}), observations)
    equal("none twice", len(found), observations)
    equal("subject", found[0].subject.reference, f"Patient/{chart_id}")

    step("search: token, date with prefixes, quantity, chain, sorted; count")
    ours = client.resources("Observation").search(patient=chart_id).sort("date")

    def values(search):
        return [each.valueQuantity.value for each in search.fetch_all()]

    equal("by code", values(ours.search(code="http://loinc.org|8867-4")), [0, 1, 2, 3, 4, 5, 6])
    equal("by dates", values(ours.search(date__ge="2024-03-03", date__lt="2024-03-05")), [2, 3])
    equal("by quantity", values(ours.search(value_quantity=f"gt4|{UCUM}|/min")), [5, 6])
    equal("by the patient's name", values(ours.search(patient__family="trans", date="2024-03-02")), [1])
    equal("the latest first, in pages", values(ours.sort("-date").limit(3)), [6, 5, 4, 3, 2, 1, 0])
    equal("count", ours.search(date__ge="2024-03-03").count(), 5)
    having = client.resources("Patient").search(_id=chart_id).has("Observation", "patient", code="8867-4")
    equal("patients who have one", [each.id for each in having.fetch_all()], [chart_id])
    none = client.resources("Patient").search(_id=chart_id).has("Observation", "patient", code="8867-5")
    equal("patients who have another", none.first(), None)

    step("search with _include and _revinclude")
    with_patient = ours.search(date="2024-03-01").include("Observation", "patient").fetch_raw()
    found = [(e.search.mode, e.resource.resourceType) for e in with_patient.entry]
    equal("with the patient", found, [("match", "Observation"), ("include", "Patient")])
    with_all = client.resources("Patient").search(_id=chart_id).revinclude("Observation", "patient").fetch_raw()
    equal("with the observations", len(with_all.entry), 1 + observations)

    step("search by identifier")
    one = client.resources("Patient").search(identifier=f"{SYSTEM}|{run}").get()
    equal("the patient with the identifier", one.id, patient.id)

    step("batch: one entry fails, the other is stored")
    entries = [
        {"resource": observation(f"Patient/{chart_id}", 8),
         "request": {"method": "POST", "url": "Observation"}},
        {"request": {"method": "DELETE", "url": "Nonsense/1"}},
    ]
    response = client.execute("", data={"resourceType": "Bundle", "type": "batch", "entry": entries})
    equal("statuses", [e.response.status[0] for e in response.entry], ["2", "4"])

    step("$everything: the patient and all observations")
    everything = client.reference("Patient", chart_id).execute("$everything", method="get")
    equal("resources", len(everything.entry), 1 + observations + 1)

    step("delete: then gone")
    patient.delete()
    gone = raises("read after delete", ResourceNotFound, lambda: client.get("Patient", patient.id))
    equal("code of the issue", outcome(gone)["code"], "deleted")

    step("errors: unknown parameter, bad resource, no token")
    unknown = client.resources("Patient").search(nonsense="1")
    error = raises("unknown parameter", OperationOutcome, unknown.fetch)
    true("the outcome names it", "nonsense" in outcome(error)["diagnostics"])
    error = raises("bad resource", OperationOutcome, client.resource("Patient", birthDate="").save)
    true("the outcome says where", outcome(error)["expression"])
    stranger = SyncFHIRClient(base)
    outcome(raises("no token", AuthorizationError, lambda: stranger.get("Patient", chart_id)))


def observation(subject, value):
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": subject},
        "effectiveDateTime": f"2024-03-0{value + 1}",
        "valueQuantity": {"value": value, "unit": "/min", "system": UCUM, "code": "/min"},
    }


if __name__ == "__main__":
    main()
