// What the server can do, from its CapabilityStatement.

import { get } from "./api.js";

let statement = null;

/** The types that the server has, each with its search parameters; read once. */
export function capabilities() {
  statement ??= get("fhir/metadata").then(
    (read) => new Map(read.rest[0].resource.map((one) => [one.type, one])),
    (error) => {
      statement = null;
      throw error;
    },
  );
  return statement;
}
