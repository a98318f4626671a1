// The searches on one type: what is asked, and which resources must be found.

import { elements } from './elements.js';
import { questions } from './questions.js';

// Elements of one resource about which is asked for one parameter.
const ELEMENTS_MAX = 4;
// Searches for one parameter in each way of asking but the plainest. Some ways are slow where texts are long.
const PER_WAY_MAX = 24;
// Of so many searches, one is repeated with a value that no resource has.
const CHANGED_EVERY = 7;

// [{ parameters: [[name, value]], expected: ids, allowed: ids, exact }]: each asks for one value of one parameter.
export function searches(parameters, resources) {
  return parameters.flatMap((parameter) => ofParameter(parameter, resources));
}

// For each resource one search with all parameters of those that find it alone.
export function conjunctions(alone, resources) {
  return resources.map(({ id }) => {
    const finding = alone.filter(({ expected }) => expected.has(id));
    const perName = new Map([...finding.flatMap(({ parameters }) => parameters), ['_id', id]]);
    return { parameters: [...perName], expected: new Set([id]), allowed: new Set(), exact: true };
  });
}

function ofParameter(parameter, resources) {
  const found = resources.map((resource) => ({ id: resource.id, all: seen(parameter, resource) }));
  const askedOf = (elements) => elements.flatMap((element) => asked(parameter, element));
  const byKey = new Map();
  for (const { id, all } of found) {
    for (const question of askedOf(all).filter(({ holds }) => !holds)) {
      byKey.set(keyOf(question), (byKey.get(keyOf(question)) ?? new Set()).add(id));
    }
  }
  const isChosen = (_, at, all) => at < ELEMENTS_MAX - 1 || at === all.length - 1;
  const some = found.flatMap(({ all }) => askedOf(all.filter(isChosen)));
  const distinct = new Map(some.map((question) => [keyOf(question), question]));
  const meeting = ({ holds }) => new Set(found.filter(({ all }) => all.some(holds)).map(({ id }) => id));
  const all = fewOfEachWay([...distinct.values()]).map((question) => ({
    parameters: [[parameter.code + question.modifier, question.value]],
    expected: question.holds ? meeting(question) : byKey.get(keyOf(question)),
    allowed: question.may ? meeting({ holds: question.may }) : new Set(),
    exact: question.exact,
  }));
  return [...all, ...changed(parameter, all)];
}

const keyOf = ({ modifier, value }) => `${modifier}=${value}`;

// All that are asked in the plainest way, and of the others some from everywhere.
function fewOfEachWay(all) {
  const ways = new Set(all.map(({ way }) => way));
  return [...ways].flatMap((way) => {
    const asked = all.filter((question) => question.way === way);
    const every = way === '' ? 1 : Math.ceil(asked.length / PER_WAY_MAX);
    return asked.filter((_, at) => at % every === 0);
  });
}

// Some of the searches with values that no resource has.
function changed({ searchType }, all) {
  const isChanged = ({ parameters: [[name]] }, at) =>
    at % CHANGED_EVERY === 0 && CHANGEABLE.includes(searchType) && !name.endsWith(':above');
  return all.filter(isChanged).map(({ parameters: [[name, value]] }) =>
    ({ parameters: [[name, `${value}-zzq`]], expected: new Set(), allowed: new Set(), exact: true }));
}

// Types of which a value with something behind it is another value.
const CHANGEABLE = ['token', 'reference', 'string', 'uri'];

// The elements of a resource that a parameter sees; of a composite, lists of the elements of each component.
function seen({ expression, components }, resource) {
  const found = elements(resource, expression);
  if (components.length === 0) return found;
  return found.map((element) => components.map((component) =>
    elements(element.data, component.expression, element.path, resource)));
}

function asked({ searchType, target, components }, element) {
  if (searchType !== 'composite') return questions(searchType, element, target);
  const perComponent = element.map((parts, at) => {
    const { searchType: type, target: ofComponent } = components[at];
    return parts.flatMap((part) => questions(type, part, ofComponent)).filter(({ modifier }) => modifier === '');
  });
  return combined(perComponent).map((combination) => ({
    modifier: '',
    way: combination.map(({ way }) => way).join(''),
    value: combination.map(({ value }) => value).join('$'),
    exact: combination.every(({ exact }) => exact),
    holds: (other) => combination.every(({ value, holds }, at) => other[at].some((part) =>
      holds ? holds(part) : questions(components[at].searchType, part, components[at].target)
        .some((question) => question.modifier === '' && question.value === value))),
  }));
}

// The first of each with the first of the others, the second with the second, and so on to the end of the longest.
function combined(lists) {
  if (lists.some((list) => list.length === 0)) return [];
  const longest = Math.max(...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, at) => lists.map((list) => list[at % list.length]));
}
