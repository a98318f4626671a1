// Chartlog as `@medplum/core` sees it: Medplum's own client, pointed at another server.
//
// usage: node with-medplum.js BASE_URL TOKEN

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { MedplumClient, OperationOutcomeError } from '@medplum/core';

const SYSTEM = 'https://clinic.example/with-medplum';

const [base, token] = process.argv.slice(2);
if (!base || !token) {
  console.error('usage: node with-medplum.js BASE_URL TOKEN');
  process.exit(2);
}
const url = new URL(base);
const options = { baseUrl: `${url.origin}/`, fhirUrlPath: url.pathname.slice(1), cacheTime: 0 };
const client = new MedplumClient({ ...options, accessToken: token });

// Names what is tried next, so that a failure is read below its name.
const step = (title) => console.log(`  ${title}`);

// Runs what must fail, and returns the issue of the OperationOutcome.
async function refused(promise) {
  const error = await promise.then((answer) => assert.fail(`it succeeded with ${JSON.stringify(answer)}`), (caught) => caught);
  assert.ok(error instanceof OperationOutcomeError, String(error));
  assert.ok(error.outcome.issue[0].diagnostics, 'the outcome says what was wrong');
  return error.outcome.issue[0];
}

const observation = (reference, value) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  subject: { reference },
  effectiveDateTime: `2024-03-0${value + 1}`,
  valueQuantity: { value, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
});

const values = (resources) => resources.map(({ valueQuantity }) => valueQuantity.value);

async function main() {
  const run = randomUUID();

  step('create, read');
  const draft = {
    resourceType: 'Patient',
    identifier: [{ system: SYSTEM, value: run }],
    name: [{ family: 'Ångström', given: ['Zoë'] }],
    birthDate: '1971-08-02',
  };
  const created = await client.createResource(draft);
  assert.equal(created.meta.versionId, '1');
  assert.deepEqual((await client.readResource('Patient', created.id)).name, draft.name);

  step('conditional create: what is there is returned, and nothing created');
  const again = await client.createResourceIfNoneExist(draft, `identifier=${SYSTEM}|${run}`);
  assert.equal(again.id, created.id);
  assert.equal(again.meta.versionId, '1');

  step('conditional update: creates, then updates');
  const other = { ...draft, identifier: [{ system: SYSTEM, value: `${run}-other` }] };
  const criteria = { identifier: `${SYSTEM}|${run}-other` };
  const inserted = await client.upsertResource(other, criteria);
  assert.equal(inserted.meta.versionId, '1');
  const replaced = await client.upsertResource({ ...other, gender: 'female' }, criteria);
  assert.deepEqual([replaced.id, replaced.meta.versionId, replaced.gender], [inserted.id, '2', 'female']);

  step('update, patch, read a version');
  const updated = await client.updateResource({ ...created, birthDate: '1971-08-03' });
  assert.equal(updated.meta.versionId, '2');
  const patched = await client.patchResource('Patient', created.id, [
    { op: 'test', path: '/birthDate', value: '1971-08-03' },
    { op: 'replace', path: '/birthDate', value: '1971-08-04' },
    { op: 'add', path: '/name/0/given/-', value: 'Mia' },
  ]);
  assert.deepEqual([patched.birthDate, patched.name[0].given, patched.meta.versionId], ['1971-08-04', ['Zoë', 'Mia'], '3']);
  assert.equal((await client.readVersion('Patient', created.id, '1')).birthDate, '1971-08-02');

  step('a patch whose test fails changes nothing');
  await refused(client.patchResource('Patient', created.id, [
    { op: 'test', path: '/birthDate', value: '1900-01-01' },
    { op: 'remove', path: '/birthDate' },
  ]));
  assert.equal((await client.readResource('Patient', created.id)).meta.versionId, '3');

  step('history, newest first');
  const history = await client.readHistory('Patient', created.id);
  assert.deepEqual(history.entry.map(({ resource }) => resource.meta.versionId), ['3', '2', '1']);
  assert.deepEqual(history.entry.map(({ resource }) => resource.birthDate), ['1971-08-04', '1971-08-03', '1971-08-02']);

  step('transaction: urn:uuid references become real ones');
  const subject = `urn:uuid:${randomUUID()}`;
  const response = await client.executeBatch({
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      {
        fullUrl: subject,
        resource: { resourceType: 'Patient', name: [{ family: 'Transaction' }] },
        request: { method: 'POST', url: 'Patient' },
      },
      ...Array.from({ length: 7 }, (_, value) => ({
        resource: observation(subject, value),
        request: { method: 'POST', url: 'Observation' },
      })),
    ],
  });
  assert.equal(response.type, 'transaction-response');
  assert.deepEqual([...new Set(response.entry.map((entry) => entry.response.status.slice(0, 3)))], ['201']);
  const chart = response.entry[0].response.location.split('/_history/')[0].split('/').at(-1);
  const patient = `Patient/${chart}`;

  step('search: token, date with prefixes, quantity, string, reference, sorted');
  const search = async (criteria) => values(await client.searchResources('Observation', { patient, _sort: 'date', ...criteria }));
  assert.deepEqual(await search({ code: 'http://loinc.org|8867-4' }), [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(await search({ code: 'http://loinc.org|8867-5' }), []);
  assert.deepEqual(await search({ date: 'ge2024-03-06' }), [5, 6]);
  assert.deepEqual(await search({ 'value-quantity': 'lt2|http://unitsofmeasure.org|/min', _sort: '-date' }), [1, 0]);
  assert.deepEqual(await search({ 'patient.family': 'TRANS', date: '2024-03-04' }), [3]);
  assert.deepEqual(await search({ status: 'preliminary' }), []);
  const named = await client.searchResources('Patient', { identifier: `${SYSTEM}|${run}`, family: 'angstrom' });
  assert.deepEqual(named.map(({ id }) => id), [created.id]);

  step('search with _include and _total');
  const bundle = await client.search('Observation', { patient, date: '2024-03-01', _include: 'Observation:patient', _total: 'accurate' });
  assert.equal(bundle.total, 1);
  assert.deepEqual(bundle.entry.map((entry) => [entry.search.mode, entry.resource.resourceType]), [['match', 'Observation'], ['include', 'Patient']]);

  step('pages: all of them, each resource once, in order');
  const pages = [];
  for await (const page of client.searchResourcePages('Observation', { patient, _sort: '-date', _count: '3' })) pages.push(values(page));
  assert.deepEqual(pages, [[6, 5, 4], [3, 2, 1], [0]]);

  step('$everything, $validate');
  const everything = await client.readPatientEverything(chart);
  assert.equal(everything.entry.length, 8);
  const verdict = await client.validateResource(draft);
  assert.equal(verdict.resourceType, 'OperationOutcome');
  assert.ok(verdict.issue.every(({ severity }) => severity !== 'error'));

  step('delete: then gone, and the history stays');
  await client.deleteResource('Patient', created.id);
  assert.equal((await refused(client.readResource('Patient', created.id))).code, 'deleted');
  const after = await client.readHistory('Patient', created.id);
  assert.deepEqual(after.entry.map(({ request }) => request.method), ['DELETE', 'PUT', 'PUT', 'PUT']);

  step('errors: unknown id, unknown parameter, bad resource, no token');
  assert.equal((await refused(client.readResource('Patient', randomUUID()))).code, 'not-found');
  assert.match((await refused(client.search('Patient', { nonsense: '1' }))).diagnostics, /nonsense/);
  const bad = await refused(client.createResource({ resourceType: 'Patient', birthDate: '' }));
  assert.deepEqual(bad.expression, ['Patient.birthDate']);
  // The client has an outcome of its own for 401.
  await assert.rejects(new MedplumClient(options).readResource('Patient', chart), /Unauthorized/);
}

try {
  await main();
} catch (error) {
  console.error(`  FAILED: ${error.stack}`);
  process.exit(1);
}
