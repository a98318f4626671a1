// Frames: entries as the log stores them, with a header in the clear, and the payload that one commits to (docs/format.md).

import { fromBase64, isEqual, sha256, utf8 } from "./bytes.js";
import { members } from "./json.js";
import { expect } from "./wrong.js";

export const KIND_CHART = 1;
export const KIND_ACCESS = 3;

/** The kinds of frame that each log has. */
export const KINDS = { events: [1, 2], access: [KIND_ACCESS, 4] };

const HEADER_BYTES = 50;
const FLAGS_KNOWN = 0b111;
const FLAG_SEALED = 0b100;
const LABEL = utf8("chartlog commitment v1\u0000");

/** Kind, version, alias (BigInt) and commitment of a frame, which has the length that it says and belongs to `log`. */
export function readFrame(frame, log) {
  expect(frame.length >= HEADER_BYTES, "the frame is cut off");
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  expect(frame.length === HEADER_BYTES + view.getUint32(0, true), "the frame has not the length that it says");
  const [kind, flags] = [frame[4], frame[5]];
  expect((flags & ~FLAGS_KNOWN) === 0, "the frame has unknown flags");
  expect(KINDS[log].includes(kind), `kind ${kind} does not belong to ${log}`);
  return {
    kind,
    isSealed: (flags & FLAG_SEALED) !== 0,
    version: view.getUint32(6, true),
    alias: view.getBigUint64(10, true),
    commitment: frame.subarray(18, HEADER_BYTES),
  };
}

/** Expects that what is disclosed is what the frame committed to when it was written; gives the payload. */
export async function checkDisclosed(disclosed, frame) {
  members(disclosed, { salt: "text", payload: "text" }, "disclosed");
  expect(frame.isSealed, "a payload is disclosed of a frame that is not sealed");
  const salt = fromBase64(disclosed.salt);
  expect(salt.length === 16, "the salt has not 16 bytes");
  const committed = await sha256(LABEL, salt, utf8(disclosed.payload));
  expect(isEqual(committed, frame.commitment), "the payload is not the one committed to");
  return disclosed.payload;
}
