"""Chartlog as `fhirclient` sees it: SMART's Python client, whose models check every answer.

usage: with_fhirclient.py BASE_URL TOKEN
"""

import uuid

import requests
from fhirclient import client
from fhirclient.models.bundle import Bundle
from fhirclient.models.observation import Observation
from fhirclient.models.operationoutcome import OperationOutcome
from fhirclient.models.patient import Patient

from check import arguments, equal, raises, step, true

SYSTEM = "https://clinic.example/with-fhirclient"
UCUM = "http://unitsofmeasure.org"


def connect(base, token):
    """The client knows OAuth flows only; a token that is there already goes into its session."""
    smart = client.FHIRClient(settings={"app_id": "chartlog-check", "api_base": base})
    smart.server.session.headers["Authorization"] = f"Bearer {token}"
    smart.prepare()
    return smart.server


def outcome(response):
    """The body of a failed request, which must be an OperationOutcome that the models accept."""
    parsed = OperationOutcome(response.json())
    true("the outcome says what was wrong", parsed.issue[0].diagnostics)
    equal("its severity", parsed.issue[0].severity, "error")
    return parsed


def main():
    base, token = arguments()
    run = uuid.uuid4().hex

    step("metadata: the CapabilityStatement is valid")
    server = connect(base, token)
    equal("fhirVersion", server.capabilityStatement.fhirVersion, "4.0.1")
    types = {each.type for each in server.capabilityStatement.rest[0].resource}
    true("Patient and Observation are listed", {"Patient", "Observation"} <= types)

    step("create, read")
    draft = Patient({
        "identifier": [{"system": SYSTEM, "value": run}],
        "name": [{"family": "Ångström", "given": ["Zoë"]}],
        "birthDate": "1971-08-02",
    })
    created = Patient(draft.create(server))
    equal("first version", created.meta.versionId, "1")
    patient = Patient.read(created.id, server)
    equal("family name", patient.name[0].family, "Ångström")

    step("update, read a version")
    patient.birthDate.date = patient.birthDate.date.replace(day=3)
    updated = Patient(patient.update(server))
    equal("second version", updated.meta.versionId, "2")
    first = Patient.read_from(f"{patient.relativePath()}/_history/1", server)
    equal("birth date as first recorded", first.birthDate.isostring, "1971-08-02")

    step("version conflict: an update based on version 1 is refused with 412")
    server.session.headers["If-Match"] = 'W/"1"'
    conflict = raises("stale update", requests.HTTPError, lambda: patient.update(server))
    del server.session.headers["If-Match"]
    equal("status", conflict.response.status_code, 412)
    outcome(conflict.response)

    step("conditional create and update")
    server.session.headers["If-None-Exist"] = f"identifier={SYSTEM}|{run}"
    again = Patient(draft.create(server))
    del server.session.headers["If-None-Exist"]
    equal("nothing created", (again.id, again.meta.versionId), (created.id, "2"))
    criteria = f"Patient?identifier={SYSTEM}%7C{run}"
    replaced = Patient(server.put_json(criteria, {**draft.as_json(), "birthDate": "1971-08-04"}).json())
    equal("replaced", (replaced.id, replaced.meta.versionId), (created.id, "3"))

    step("patch, which the client leaves to its session: applied, and refused when its test fails")
    patch = [
        {"op": "test", "path": "/birthDate", "value": "1971-08-04"},
        {"op": "replace", "path": "/birthDate", "value": "1971-08-05"},
        {"op": "add", "path": "/name/0/given/-", "value": "Mia"},
    ]
    headers = {"Content-Type": "application/json-patch+json"}
    url = f"{base}/{patient.relativePath()}"
    answer = server.session.patch(url, json=patch, headers=headers)
    patched = Patient(answer.json())
    equal("given names", patched.name[0].given, ["Zoë", "Mia"])
    equal("version", patched.meta.versionId, "4")
    refused = server.session.patch(url, json=patch, headers=headers)
    equal("status", refused.status_code, 422)
    outcome(refused)

    step("history, newest first")
    history = Bundle.read_from(f"{patient.relativePath()}/_history", server)
    equal("type", history.type, "history")
    equal("versions", [e.resource.meta.versionId for e in history.entry], ["4", "3", "2", "1"])
    equal("statuses", [e.response.status for e in history.entry], ["200", "200", "200", "201"])

    step("transaction: urn:uuid references become real ones")
    subject, observations = f"urn:uuid:{uuid.uuid4()}", 7
    transaction = Bundle({"type": "transaction", "entry": [{
        "fullUrl": subject,
        "resource": {"resourceType": "Patient", "name": [{"family": "Transaction"}]},
        "request": {"method": "POST", "url": "Patient"},
    }] + [{
        "fullUrl": f"urn:uuid:{uuid.uuid4()}",
        "resource": observation(subject, value),
        "request": {"method": "POST", "url": "Observation"},
    } for value in range(observations)]})
    response = Bundle(transaction.create(server))
    equal("type", response.type, "transaction-response")
    equal("statuses", {e.response.status[:3] for e in response.entry}, {"201"})
    chart_id = response.entry[0].response.location.split("/_history/")[0].rsplit("/", 1)[-1]

    step("search with paging: all pages, each resource once")
    search = Observation.where({"patient": f"Patient/{chart_id}", "_count": "3"})
    found = list(search.perform_resources_iter(server))
    equal("observations", len({each.id for each in found}), observations)
    equal("none twice", len(found), observations)
    references = {each.subject.reference for each in found}
    equal("subjects", references, {f"Patient/{chart_id}"})

    step("search: token, date with prefixes, quantity, chain, sorted")

    def values(**criteria):
        criteria = {name.replace("_", "-"): value for name, value in criteria.items()}
        where = Observation.where({"patient": chart_id, "_sort": "date", **criteria})
        return [each.valueQuantity.value for each in where.perform_resources(server)]

    equal("by code", values(code="http://loinc.org|8867-4"), [0, 1, 2, 3, 4, 5, 6])
    equal("by another code", values(code="http://loinc.org|8867-5"), [])
    equal("by dates", values(date={"$and": ["ge2024-03-03", "lt2024-03-05"]}), [2, 3])
    equal("by quantity", values(value_quantity="gt4|http://unitsofmeasure.org|/min"), [5, 6])
    equal("by the patient's name", values(**{"patient.family": "trans", "date": "2024-03-02"}), [1])
    where = Observation.where({"patient": chart_id, "_sort": "-date", "_count": "3"})
    pages = [[e.resource.valueQuantity.value for e in page.entry] for page in where.perform_iter(server)]
    equal("pages, the latest first", pages, [[6, 5, 4], [3, 2, 1], [0]])

    step("search with _include and _revinclude")
    where = Observation.where({"patient": chart_id, "date": "2024-03-01"}).include("subject")
    entries = where.perform(server).entry
    found = [(e.search.mode, e.resource.resource_type) for e in entries]
    equal("with the patient", found, [("match", "Observation"), ("include", "Patient")])
    where = Patient.where({"_id": chart_id}).include("subject", Observation, reverse=True)
    equal("with the observations", len(where.perform(server).entry), 1 + observations)

    step("search by identifier")
    by_identifier = Patient.where({"identifier": f"{SYSTEM}|{run}"}).perform_resources(server)
    equal("patients with the identifier", [each.id for each in by_identifier], [created.id])

    step("batch: one entry fails, the other is stored")
    batch = Bundle({"type": "batch", "entry": [
        {"resource": observation(f"Patient/{chart_id}", 8),
         "request": {"method": "POST", "url": "Observation"}},
        {"request": {"method": "DELETE", "url": "Nonsense/1"}},
    ]})
    response = Bundle(batch.create(server))
    equal("type", response.type, "batch-response")
    equal("statuses", [e.response.status[0] for e in response.entry], ["2", "4"])
    true("the failed entry says why", response.entry[1].response.outcome.issue[0].diagnostics)

    step("$everything: the patient and all observations")
    everything = Bundle.read_from(f"Patient/{chart_id}/$everything", server)
    equal("resources", len(everything.entry), 1 + observations + 1)

    step("delete: then 410, and the history stays")
    patient.delete(server)
    gone = raises("read after delete", requests.HTTPError, lambda: Patient.read(created.id, server))
    equal("status", gone.response.status_code, 410)
    outcome(gone.response)
    history = Bundle.read_from(f"Patient/{created.id}/_history", server)
    equal("entries of the history", len(history.entry), 5)

    step("errors: unknown id, bad resource, no token")
    missing = raises("unknown id", Exception, lambda: Patient.read(uuid.uuid4().hex, server))
    equal("status", missing.response.status_code, 404)
    outcome(missing.response)
    wrong = {"resourceType": "Patient", "birthDate": ""}
    bad = raises("bad resource", requests.HTTPError, lambda: server.post_json("Patient", wrong))
    equal("status", bad.response.status_code, 400)
    true("the outcome says where", outcome(bad.response).issue[0].expression)
    del server.session.headers["Authorization"]
    stranger = raises("no token", Exception, lambda: Patient.read(chart_id, server))
    equal("status", stranger.response.status_code, 401)
    outcome(stranger.response)


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
