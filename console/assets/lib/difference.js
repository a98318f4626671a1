// What differs between two JSON values, element by element.

import { isHeldAsText, shown } from "./exact.js";

/**
 * `{ path, kind, before, after }` of each element that differs; kind is `added`, `changed` or `removed`. Paths are those of
 * FHIRPath (`name[0].family`). Items of lists are matched by their place, after those that are equal at the front and at
 * the end. `ignored` are names of members of the whole that do not count.
 */
export function differences(before, after, ignored = ["meta"]) {
  const found = [];
  const walk = (path, left, right) => {
    if (same(left, right)) return;
    if (left === undefined) found.push({ path, kind: "added", after: right });
    else if (right === undefined) found.push({ path, kind: "removed", before: left });
    else if (Array.isArray(left) && Array.isArray(right)) lists(path, left, right);
    else if (isObject(left) && isObject(right)) {
      for (const name of new Set([...Object.keys(left), ...Object.keys(right)])) {
        if (path !== "" || !ignored.includes(name)) walk(path ? `${path}.${name}` : name, left[name], right[name]);
      }
    } else found.push({ path, kind: "changed", before: left, after: right });
  };
  const lists = (path, left, right) => {
    let front = 0;
    while (front < left.length && front < right.length && same(left[front], right[front])) front += 1;
    let back = 0;
    const most = Math.min(left.length, right.length) - front;
    while (back < most && same(left[left.length - 1 - back], right[right.length - 1 - back])) back += 1;
    const count = Math.max(left.length, right.length) - back;
    for (let index = front; index < count; index += 1) {
      walk(`${path}[${index}]`, index < left.length - back ? left[index] : undefined, index < right.length - back ? right[index] : undefined);
    }
  };
  walk("", before, after);
  return found;
}

/** Whether two JSON values are equal; the order of members does not count. */
export function same(left, right) {
  if (left === right) return true;
  if (isHeldAsText(left) || isHeldAsText(right)) return left !== undefined && right !== undefined && shown(left) === shown(right);
  if (Array.isArray(left)) {
    return Array.isArray(right) && left.length === right.length && left.every((item, index) => same(item, right[index]));
  }
  if (!isObject(left) || !isObject(right)) return false;
  const names = Object.keys(left);
  return names.length === Object.keys(right).length && names.every((name) => name in right && same(left[name], right[name]));
}

/** Whether a JSON value is an object. */
export function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) && !isHeldAsText(value);
}
