// Does search find what it should? R4's own examples are stored, and another implementation of FHIRPath says what
// each of R4's search parameters finds in them.
//
// usage: node run.js PACKAGE BASE_URL TOKEN
//
// PACKAGE is the folder of the npm package hl7.fhir.r4.examples 4.0.1. Three things are compared:
//
// 1. Every example is accepted, or listed in ../api/invalid_examples.tsv; but AuditEvents, which the server makes itself.
// 2. What is read back equals what was sent, numbers to the digit, but for meta.versionId and meta.lastUpdated.
// 3. A search finds the examples that it should, and no others. Where it does not, disagreements.tsv must explain why.

import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'lossless-json';
import { examples, parametersOf } from './examples.js';
import { conjunctions, searches } from './searches.js';
import { Server, forEach } from './server.js';

const [folder, base, token] = process.argv.slice(2);
if (!folder || !base || !token) {
  console.error('usage: node run.js PACKAGE BASE_URL TOKEN');
  process.exit(2);
}
const server = new Server(base, token);

async function main() {
  const all = examples(folder);
  const faults = [];
  const stored = await storeAndRead(all, faults);
  faults.push(...compared(await searchAll(all, stored)));
  server.close();
  if (faults.length > 0) {
    console.error(faults.join('\n'));
    process.exit(1);
  }
}

// --- storing and reading -----------------------------------------------------------------------------------

async function storeAndRead(all, faults) {
  const invalid = new Set(table('../api/invalid_examples.tsv').map(([file]) => file));
  const stored = [];
  await forEach(all, async (example) => {
    const { file, text, resource: { resourceType: type, id } } = example;
    const answer = await server.request('PUT', `${type}/${encodeURIComponent(id)}`, text);
    const isStored = answer.status < 300;
    if (type === 'AuditEvent') {
      if (answer.status !== 405) faults.push(`${file}: answered with ${answer.status}, not 405`);
      return;
    }
    if (type === 'Subscription') {
      // They lead to hosts to which this server may not send.
      if (answer.status !== 422) faults.push(`${file}: answered with ${answer.status}, not 422`);
      return;
    }
    if (isStored && invalid.has(file)) faults.push(`${file}: listed as invalid, but accepted`);
    if (!isStored && !invalid.has(file)) faults.push(`${file}: refused with ${answer.status} ${answer.text}`);
    if (!isStored) return;
    stored.push(example);
    const read = await server.request('GET', `${type}/${id}`);
    if (!isDeepStrictEqual(withoutVersion(parse(read.text)), withoutVersion(parse(text)))) {
      faults.push(`${file}: read back, it is not what was sent`);
    }
  });
  stored.sort((one, other) => one.file < other.file ? -1 : 1);
  console.log(`  ${stored.length} examples stored and read, ${all.length - stored.length} refused`);
  return stored;
}

function withoutVersion(resource) {
  const { versionId, lastUpdated, ...meta } = resource.meta ?? {};
  const { meta: _, ...rest } = resource;
  return Object.keys(meta).length > 0 ? { ...rest, meta } : rest;
}

// --- searching ---------------------------------------------------------------------------------------------

async function searchAll(all, stored) {
  const disagreements = [];
  let asked = 0;
  const keys = new Set(stored.map(({ resource }) => `${resource.resourceType}/${resource.id}`));
  for (const type of new Set(stored.map(({ resource }) => resource.resourceType))) {
    const resources = stored.map(({ resource }) => resource).filter(({ resourceType }) => resourceType === type);
    const alone = searches(parametersOf(type, all), resources);
    const ids = new Set(resources.map(({ id }) => id));
    const agreed = [];
    const compare = async (search) => {
      asked += 1;
      const rows = await differences(type, search, ids, keys);
      disagreements.push(...rows);
      if (rows.length === 0) agreed.push(search);
    };
    await forEach(alone, compare);
    await forEach(conjunctions(agreed, resources), compare);
  }
  console.log(`  ${asked} searches, ${disagreements.length} disagreements`);
  return disagreements;
}

// So many ids as fit into one query.
function chunks(ids) {
  const LENGTH = 100;
  return Array.from({ length: Math.ceil(ids.length / LENGTH) }, (_, at) => ids.slice(at * LENGTH, (at + 1) * LENGTH));
}

// Rows of disagreements.tsv, without explanations.
async function differences(type, { parameters, expected, allowed, exact }, ids, keys) {
  const [name, value] = parameters.at(-1);
  const row = (example, what) => [type, name, example, value, what];
  const { total, refused } = await server.count(type, parameters);
  if (refused && isAmbiguous(refused, keys)) return [];
  if (refused) return [row([...expected][0] ?? '', `refused with ${refused}`)];
  const rows = [];
  // Counting is quick, and reading is not: some examples are large.
  let named = 0;
  for (const some of chunks([...expected])) {
    const among = [['_id', some.join()], ...parameters];
    const { total: count } = await server.count(type, among);
    named += count;
    if (count === some.length || rows.length > 0) continue;
    const found = await server.ids(type, among);
    rows.push(row(some.filter((id) => !found.includes(id)).sort()[0], 'not found'));
  }
  if (exact && total > named) {
    const found = await server.ids(type, parameters);
    const surplus = found.filter((id) => ids.has(id) && !expected.has(id) && !allowed.has(id));
    if (surplus.length > 0) rows.push(row(surplus.sort()[0], 'found'));
  }
  return rows;
}

// Whether an id alone was refused, and rightly: several resources that a reference may lead to have it.
function isAmbiguous(refused, keys) {
  const [, list] = / may be (.*): name the type too/.exec(refused) ?? [];
  const named = list?.split(' or ') ?? [];
  return named.length > 1 && named.every((key) => keys.has(key));
}

// What differs from disagreements.tsv, in either direction.
function compared(disagreements) {
  const key = (row) => row.map((cell) => cell.replace(/\s+/g, ' ')).slice(0, 5).join('\t');
  const rows = table('disagreements.tsv');
  const listed = new Set(rows.map(key));
  const actual = new Set(disagreements.map(key));
  return [
    ...rows.filter(([, , , , , explanation]) => !explanation).map((row) => `without an explanation: ${key(row)}`),
    ...[...actual].filter((row) => !listed.has(row)).sort().map((row) => `not listed: ${row}`),
    ...[...listed].filter((row) => !actual.has(row)).map((row) => `listed, but not so: ${row}`),
  ];
}

// The rows of a table beside this file, without its header.
function table(name) {
  const text = readFileSync(new URL(name, import.meta.url), 'utf8');
  return text.trimEnd().split('\n').slice(1).map((line) => line.split('\t'));
}

await main();
