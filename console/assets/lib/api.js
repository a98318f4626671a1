// Requests to the two APIs of the server, under the token of who signed in. Every one of them is recorded as an access.

import { parseExact } from "./exact.js";
import { queryOf } from "./query.js";
import { authorization, expired } from "./session.js";

/** The address of the server, with a slash at its end; it may lie below a path of a proxy. */
export const BASE = new URL("../../", import.meta.url).href;

/** Why a request was not answered: the status, and each problem with its place. */
export class Problem extends Error {
  constructor(status, issues) {
    super(issues.map((issue) => issue.text).join(" "));
    this.status = status;
    /** `{ severity, where, text }`: `where` is an expression or a JSON pointer, and may be missing. */
    this.issues = issues;
  }
}

/**
 * Sends a request and reads the JSON of its answer.
 *
 * `path` is below the address of the server, without a slash in front, or one that an answer named. `options.body` is sent
 * as JSON. Gives `{ status, headers, data }`; throws a `Problem` for every status of 400 and above.
 */
export async function request(method, path, options = {}) {
  const response = await send(method, path, options);
  const text = await response.text();
  const data = text === "" ? undefined : read(text);
  return { status: response.status, headers: response.headers, data };
}

/** The JSON of an answer to GET. */
export async function get(path, options) {
  return (await request("GET", path, options)).data;
}

/** As `get`, and numbers keep the digits that were sent. */
export async function getExact(path, options) {
  return parseExact(await (await send("GET", path, options)).text());
}

/** The pages of a list of the native API, as `getExact` reads each; members of `query` that are undefined or empty are left out. */
export async function* pages(path, query, options) {
  let cursor;
  do {
    const page = await getExact(`${path}?${queryOf({ ...query, cursor })}`, options);
    yield page;
    cursor = page.next;
  } while (cursor);
}

/** As `request`, and gives the `Response`, whose body is not read yet. */
export async function send(method, path, { body, headers, signal } = {}) {
  const isFhir = path.startsWith("fhir") || path.startsWith(`${BASE}fhir`);
  const all = new Headers({ accept: isFhir ? "application/fhir+json" : "application/json", ...headers });
  const bearer = authorization();
  if (bearer) all.set("authorization", bearer);
  if (body !== undefined && !all.has("content-type")) {
    all.set("content-type", isFhir ? "application/fhir+json" : "application/json");
  }
  let response;
  try {
    response = await fetch(new URL(path, BASE), {
      method,
      headers: all,
      body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
      signal,
      cache: "no-store",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, [{ severity: "error", text: "The server cannot be reached." }]);
  }
  if (response.status === 401) expired();
  if (response.status < 400) return response;
  throw new Problem(response.status, issuesOf(read(await response.text()), response.status));
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The problems that an answer tells: of an OperationOutcome, or of problem details (RFC 9457). */
function issuesOf(data, status) {
  if (data?.resourceType === "OperationOutcome") {
    return data.issue.map((issue) => ({
      severity: issue.severity,
      where: issue.expression?.[0] ?? issue.location?.[0],
      text: issue.details?.text ?? issue.diagnostics ?? issue.code,
    }));
  }
  const errors = data?.errors?.map((error) => ({
    severity: "error",
    where: error.place,
    text: error.detail ?? String(error),
  }));
  if (errors?.length) return errors;
  return [{ severity: "error", text: data?.detail ?? data?.title ?? `The server answered with ${status}.` }];
}
