// Chartlog as `fhir-kit-client` sees it.
//
// usage: node with-fhir-kit-client.js BASE_URL TOKEN

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Client } from 'fhir-kit-client';

const SYSTEM = 'https://clinic.example/with-fhir-kit-client';

const [baseUrl, token] = process.argv.slice(2);
if (!baseUrl || !token) {
  console.error('usage: node with-fhir-kit-client.js BASE_URL TOKEN');
  process.exit(2);
}
const client = new Client({ baseUrl, bearerToken: token });

// Names what is tried next, so that a failure is read below its name.
const step = (title) => console.log(`  ${title}`);

// Runs what must fail with that status, and returns the issue of its OperationOutcome.
async function refused(status, promise) {
  let error;
  try {
    await promise;
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, `expected ${status}, but it succeeded`);
  assert.equal(error.response?.status, status, String(error));
  const outcome = error.response.data;
  assert.equal(outcome.resourceType, 'OperationOutcome');
  assert.ok(outcome.issue[0].diagnostics, 'the outcome says what was wrong');
  return outcome.issue[0];
}

const observation = (reference, value) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  subject: { reference },
  effectiveDateTime: `2024-03-0${value + 1}`,
  valueQuantity: { value, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
});

const valuesIn = (bundle) => bundle.entry.map(({ resource }) => resource.valueQuantity.value);

const idIn = (location) => location.split('/_history/')[0].split('/').at(-1);

async function main() {
  const run = randomUUID();

  step('metadata');
  const statement = await client.capabilityStatement();
  assert.equal(statement.fhirVersion, '4.0.1');

  step('create, read');
  const draft = {
    resourceType: 'Patient',
    identifier: [{ system: SYSTEM, value: run }],
    name: [{ family: 'Ångström', given: ['Zoë'] }],
    birthDate: '1971-08-02',
  };
  const created = await client.create({ resourceType: 'Patient', body: draft });
  const { response: answer } = Client.httpFor(created);
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get('location'), `${baseUrl}/Patient/${created.id}/_history/1`);
  assert.equal(answer.headers.get('etag'), 'W/"1"');
  const patient = { resourceType: 'Patient', id: created.id };
  assert.equal((await client.read(patient)).name[0].family, 'Ångström');

  step('update, read a version');
  const body = { ...created, birthDate: '1971-08-03' };
  const updated = await client.update({ ...patient, body });
  assert.equal(updated.meta.versionId, '2');
  const first = await client.vread({ ...patient, version: '1' });
  assert.equal(first.birthDate, '1971-08-02');

  step('version conflict: an update based on version 1 is refused with 412');
  const options = { headers: { 'If-Match': 'W/"1"' } };
  await refused(412, client.update({ ...patient, body, options }));

  step('conditional create and update');
  const ifNoneExist = { headers: { 'If-None-Exist': `identifier=${SYSTEM}|${run}` } };
  const known = await client.create({ resourceType: 'Patient', body: draft, options: ifNoneExist });
  assert.deepEqual([Client.httpFor(known).response.status, known.id], [200, created.id]);
  const byIdentifier = { identifier: `${SYSTEM}|${run}` };
  const replaced = await client.update({
    resourceType: 'Patient',
    searchParams: byIdentifier,
    body: { ...draft, birthDate: '1971-08-04' },
  });
  assert.deepEqual([replaced.id, replaced.meta.versionId], [created.id, '3']);

  step('patch: applied, and refused when its test fails');
  const jsonPatch = [
    { op: 'test', path: '/birthDate', value: '1971-08-04' },
    { op: 'replace', path: '/birthDate', value: '1971-08-05' },
    { op: 'add', path: '/name/0/given/-', value: 'Mia' },
  ];
  const patched = await client.patch({ ...patient, jsonPatch });
  assert.deepEqual(patched.name[0].given, ['Zoë', 'Mia']);
  assert.deepEqual([patched.birthDate, patched.meta.versionId], ['1971-08-05', '4']);
  await refused(422, client.patch({ ...patient, jsonPatch }));

  step('history of the resource, newest first, and of its type');
  const history = await client.history(patient);
  assert.deepEqual(history.entry.map((entry) => entry.resource.meta.versionId), ['4', '3', '2', '1']);
  assert.deepEqual(history.entry.map((entry) => entry.response.status), ['200', '200', '200', '201']);
  const ofType = await client.history({ resourceType: 'Patient' });
  assert.deepEqual([ofType.entry[0].resource.id, ofType.entry[0].resource.meta.versionId], [created.id, '4']);

  step('transaction: urn:uuid references become real ones');
  const subject = `urn:uuid:${randomUUID()}`;
  const observations = 7;
  const transaction = await client.transaction({
    body: {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [
        {
          fullUrl: subject,
          resource: { resourceType: 'Patient', name: [{ family: 'Transaction' }] },
          request: { method: 'POST', url: 'Patient' },
        },
        ...Array.from({ length: observations }, (_, value) => ({
          resource: observation(subject, value),
          request: { method: 'POST', url: 'Observation' },
        })),
      ],
    },
  });
  assert.equal(transaction.type, 'transaction-response');
  const chart = { resourceType: 'Patient', id: idIn(transaction.entry[0].response.location) };

  step('search with paging: all pages, each resource once');
  const found = [];
  const searchParams = { patient: `Patient/${chart.id}`, _count: 3 };
  let page = await client.search({ resourceType: 'Observation', searchParams });
  while (page) {
    found.push(...page.entry.map((entry) => entry.resource));
    page = await client.nextPage({ bundle: page });
  }
  assert.equal(found.length, observations);
  assert.equal(new Set(found.map((resource) => resource.id)).size, observations);
  assert.equal(found[0].subject.reference, `Patient/${chart.id}`);

  step('search: token, date with prefixes, quantity, chain, sorted; by GET, by POST and in a compartment');
  const search = async (criteria, options) => valuesIn(await client.search({
    resourceType: 'Observation',
    searchParams: { patient: chart.id, _sort: 'date', ...criteria },
    options,
  }));
  assert.deepEqual(await search({ code: 'http://loinc.org|8867-4' }), [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(await search({ date: ['ge2024-03-03', 'lt2024-03-05'] }), [2, 3]);
  assert.deepEqual(await search({ 'value-quantity': 'gt4|http://unitsofmeasure.org|/min', _sort: '-date' }), [6, 5]);
  assert.deepEqual(await search({ 'patient.family': 'trans', date: '2024-03-02' }, { postSearch: true }), [1]);
  const inCompartment = await client.search({
    resourceType: 'Observation',
    compartment: chart,
    searchParams: { date: '2024-03-07' },
  });
  assert.deepEqual(valuesIn(inCompartment), [6]);

  step('search with _include and _revinclude');
  const types = async (resourceType, searchParams) => {
    const bundle = await client.search({ resourceType, searchParams });
    return bundle.entry.map((entry) => `${entry.search.mode} ${entry.resource.resourceType}`);
  };
  const oneDay = { patient: chart.id, date: '2024-03-01' };
  assert.deepEqual(await types('Observation', { ...oneDay, _include: 'Observation:patient' }), ['match Observation', 'include Patient']);
  const around = await types('Patient', { _id: chart.id, _revinclude: 'Observation:patient' });
  assert.deepEqual([around.length, around[0]], [1 + observations, 'match Patient']);

  step('search by identifier, and following a reference');
  const bundle = await client.search({ resourceType: 'Patient', searchParams: byIdentifier });
  assert.deepEqual(bundle.entry.map((entry) => entry.resource.id), [patient.id]);
  const resolved = await client.resolve({ reference: found[0].subject.reference });
  assert.equal(resolved.id, chart.id);

  step('batch: one entry fails, the other is stored');
  const batch = await client.batch({
    body: {
      resourceType: 'Bundle',
      type: 'batch',
      entry: [
        {
          resource: observation(`Patient/${chart.id}`, 8),
          request: { method: 'POST', url: 'Observation' },
        },
        { request: { method: 'DELETE', url: 'Nonsense/1' } },
      ],
    },
  });
  assert.deepEqual(batch.entry.map((entry) => entry.response.status[0]), ['2', '4']);

  step('$everything: the patient and all observations');
  const everything = await client.operation({ name: '$everything', ...chart, method: 'GET' });
  assert.equal(everything.entry.length, 1 + observations + 1);

  step('delete: then 410, and the history stays');
  await client.delete(patient);
  await refused(410, client.read(patient));
  assert.equal((await client.history(patient)).entry.length, 5);

  step('errors: unknown id, unknown parameter, bad resource, no token');
  await refused(404, client.read({ resourceType: 'Patient', id: randomUUID() }));
  const nonsense = { resourceType: 'Patient', searchParams: { nonsense: '1' } };
  assert.match((await refused(400, client.search(nonsense))).diagnostics, /nonsense/);
  const bad = { resourceType: 'Patient', birthDate: '' };
  const issue = await refused(400, client.create({ resourceType: 'Patient', body: bad }));
  assert.ok(issue.expression, 'the outcome says where');
  await refused(401, new Client({ baseUrl }).read(chart));
}

try {
  await main();
} catch (error) {
  console.error(`  FAILED: ${error.stack}`);
  process.exit(1);
}
