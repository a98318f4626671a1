// The official package as files: every example, and the search parameters among them.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

// Examples of how to write a SearchParameter; not part of the standard's own set.
const NOT_STANDARD = ['example', 'example-extension', 'example-reference'];

// The server says when a resource was updated, not the example.
const LAST_UPDATED = '_lastUpdated';

// [{ file, text, resource }] of all files that are resources.
export function examples(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json')).sort();
  const read = files.map((file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    return { file, text, resource: JSON.parse(text) };
  });
  return read.filter(({ resource }) => resource.resourceType);
}

// What the standard's SearchParameters offer to a search on that type.
export function parametersOf(type, all) {
  const definitions = all.map(({ resource }) => resource).filter((resource) =>
    resource.resourceType === 'SearchParameter' && !NOT_STANDARD.includes(resource.id));
  const byUrl = new Map(definitions.map((definition) => [definition.url, definition]));
  const bases = [type, 'Resource', 'DomainResource'];
  return definitions
    .filter(({ code, base, expression }) =>
      expression && code !== LAST_UPDATED && base?.some((name) => bases.includes(name)))
    .map(({ code, type: searchType, expression, target, component = [] }) => ({
      code,
      searchType,
      expression: forType(expression, type),
      target,
      components: component.map((part) => ({
        searchType: byUrl.get(part.definition).type,
        target: byUrl.get(part.definition).target,
        expression: part.expression,
      })),
    }));
}

// fhirpath knows a resource by its own type only.
const forType = (expression, type) =>
  expression.replace(/^(Resource|DomainResource)\./, `${type}.`);
