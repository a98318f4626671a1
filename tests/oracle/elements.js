// The elements to which an expression leads, found by the npm package `fhirpath` with its model of R4.

import fhirpath from 'fhirpath';
import model from 'fhirpath/fhir-context/r4/index.js';

const userInvocationTable = {
  // What `resolve() is Type` means, without a server: the type that a reference names.
  refersTo: {
    fn: (nodes, type) => nodes.map((node) => typeOf(node.data) === type),
    arity: { 1: ['String'] },
    internalStructures: true,
  },
};

const compiled = new Map();

// [{ type, data, path }]: the elements with their FHIR types and where the model has them. `base` is such a path,
// of `start` if that is an element and no resource, and `resource` the resource in which it stands.
export function elements(start, expression, base, resource = start) {
  const key = `${base ?? ''} ${expression}`;
  if (!compiled.has(key)) compiled.set(key, alternatives(expression).map((text) => compile(text, base)));
  const nodes = compiled.get(key).flatMap((evaluate) => evaluate(start, { resource }));
  return nodes.map((node) => typeof node === 'object'
    ? { type: node.fhirNodeDataType, data: node.data, path: node.path }
    : { type: typeof node, data: node });
}

// The operands of `|` outside of parentheses: `fhirpath` would compare their elements, and fails where a quantity has
// a comparator.
function alternatives(expression) {
  const parts = [''];
  let depth = 0;
  for (const character of expression) {
    depth += { '(': 1, ')': -1 }[character] ?? 0;
    if (character === '|' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts;
}

function compile(expression, base) {
  const text = expression
    .replace(/resolve\(\) is (\w+)/g, "refersTo('$1')")
    .replace(/hasExtension\(([^)]*)\)/g, 'extension($1).exists()')
    // `as` takes one element only, but R4's parameters mean each of several.
    .replace(/\(([\w.]+) as (\w+)\)/g, '$1.ofType($2)')
    .replace(/\bas\(/g, 'ofType(')
    // A slip of the pen in Observation's code-value-date.
    .replace('ofType(DateTime)', 'ofType(dateTime)');
  const path = base ? { base, expression: text } : text;
  return fhirpath.compile(path, model, { userInvocationTable, resolveInternalTypes: false });
}

function typeOf(reference) {
  const text = typeof reference === 'string' ? reference : reference.reference;
  return reference.type ?? text?.split('/_history/')[0].split('/').at(-2);
}
