// Files that can be checked: which of the two a file is, and its lines as they stream.

import { joined } from "./bytes.js";
import { EVIDENCE_FORMAT, EVIDENCE_STEPS, verifyEvidence } from "./evidence.js";
import { EXPORT_FORMAT, EXPORT_STEPS, verifyExport } from "./export.js";
import { Wrong, expect } from "./wrong.js";

const NEWLINE = 0x0a;

/** Lines of a stream of bytes, each with its end; the last may lack it. */
export async function* linesOf(stream) {
  let rest = [];
  const reader = stream.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      let from = 0;
      for (let end = value.indexOf(NEWLINE); end >= 0; end = value.indexOf(NEWLINE, from)) {
        yield whole([...rest, value.subarray(from, end + 1)]);
        rest = [];
        from = end + 1;
      }
      if (from < value.length) rest.push(value.slice(from));
    }
    if (rest.length) yield whole(rest);
  } finally {
    reader.cancel().catch(() => {});
  }
}

function whole(parts) {
  return parts.length === 1 ? parts[0] : joined(...parts);
}

/** `{ kind: "evidence" | "export", log, steps }` of a Blob, by its first bytes, unproven; throws `Wrong` if it is neither. */
export async function recognise(blob) {
  const head = await blob.slice(0, 4096).text();
  const format = /"format"\s*:\s*"([^"]*)"/.exec(head)?.[1];
  const log = /"log"\s*:\s*"([^"]*)"/.exec(head)?.[1];
  if (format === EVIDENCE_FORMAT) return { kind: "evidence", log, steps: EVIDENCE_STEPS };
  if (format === EXPORT_FORMAT) return { kind: "export", log, steps: EXPORT_STEPS };
  expect(!format?.startsWith("chartlog-"), `The file is of the format ${format}, which is not known here.`);
  throw new Wrong("The file is neither an evidence bundle nor an audit export with proof.");
}

/** Checks a Blob of that kind; see `verifyEvidence` and `verifyExport`. */
export async function verifyFile(kind, blob, vkey, told = {}) {
  if (kind === "export") return verifyExport(linesOf(blob.stream()), vkey, told);
  return verifyEvidence(new Uint8Array(await blob.arrayBuffer()), vkey, told.passed);
}
