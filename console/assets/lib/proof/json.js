// JSON as the formats ask for it: whole numbers are BigInt, however large, and no member stands twice.

import { Wrong, expect } from "./wrong.js";

const DEEPEST = 64;
const SPACE = /[ \t\n\r]*/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const WORDS = { true: true, false: false, null: null };

/**
 * The value that the bytes say. Objects have no prototype; a number with fraction or exponent is a Number, so that it is
 * never taken for a whole one.
 */
export function readJson(bytes) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Wrong("not JSON: it is not UTF-8");
  }
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.space();
  if (reader.at !== text.length) reader.fail("something stands behind the value");
  return value;
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  value(depth) {
    if (depth > DEEPEST) this.fail("it is nested too deeply");
    this.space();
    const letter = this.text[this.at];
    if (letter === "{") return this.object(depth);
    if (letter === "[") return this.list(depth);
    if (letter === '"') return this.string();
    for (const [word, value] of Object.entries(WORDS)) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  object(depth) {
    const object = Object.create(null);
    this.members("}", () => {
      this.space();
      if (this.text[this.at] !== '"') this.fail("a name is missing");
      const name = this.string();
      expect(!(name in object), "a member stands twice");
      this.space();
      this.take(":");
      object[name] = this.value(depth + 1);
    });
    return object;
  }

  list(depth) {
    const list = [];
    this.members("]", () => list.push(this.value(depth + 1)));
    return list;
  }

  members(end, one) {
    this.at += 1;
    this.space();
    if (this.text[this.at] !== end) {
      one();
      this.space();
      while (this.text[this.at] === ",") {
        this.at += 1;
        one();
        this.space();
      }
    }
    this.take(end);
  }

  string() {
    const begin = this.at;
    this.at += 1;
    let isPlain = true;
    for (;;) {
      this.match(PLAIN);
      const letter = this.text[this.at];
      if (letter === '"') break;
      if (letter !== "\\") this.fail("a text does not end, or has a control character");
      isPlain = false;
      this.at += 2;
    }
    this.at += 1;
    if (isPlain) return this.text.slice(begin + 1, this.at - 1);
    try {
      return JSON.parse(this.text.slice(begin, this.at));
    } catch {
      return this.fail("a text has an unknown escape");
    }
  }

  number() {
    const found = this.match(NUMBER);
    if (!found) this.fail(this.at < this.text.length ? "a value is missing" : "it ends too early");
    return found[1] || found[2] ? Number(found[0]) : BigInt(found[0]);
  }

  space() {
    this.match(SPACE);
  }

  take(letter) {
    if (this.text[this.at] !== letter) this.fail(`${letter} is missing`);
    this.at += 1;
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found;
  }

  fail(why) {
    throw new Wrong(`not JSON: ${why} (character ${this.at + 1})`);
  }
}

const TYPES = {
  text: (value) => typeof value === "string",
  integer: (value) => typeof value === "bigint",
  list: Array.isArray,
  object: isObject,
};

export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Expects exactly these members, of these types (names of `TYPES`); those of `optional` may be absent. */
export function members(value, required, what, optional = {}) {
  expect(isObject(value), `${what} is not an object`);
  for (const name of Object.keys(required)) expect(name in value, `${what} has no ${name}`);
  for (const [name, member] of Object.entries(value)) {
    const type = (Object.hasOwn(required, name) && required[name]) || (Object.hasOwn(optional, name) && optional[name]);
    expect(type, `${what} has an unknown member ${name}`);
    expect(TYPES[type](member), `${name} of ${what} has the wrong type`);
  }
}
