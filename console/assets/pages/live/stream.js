// The feed as Server-Sent Events, read by fetch: EventSource cannot send the token. It goes on where it broke off.

import { send } from "../../lib/api.js";

const RETRY_MS = 2000;
const RETRY_MS_MAX = 30_000;

/** `{ id, event, data }` of each message in a stream of bytes; a message without data tells its id alone. */
export async function* messagesOf(body) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  let message = {};
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r/);
      rest = lines.pop();
      for (const line of lines) {
        if (line !== "") {
          message = added(message, line);
        } else {
          if (message.id !== undefined || message.data !== undefined) yield message;
          message = {};
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function added(message, line) {
  const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
  if (name === "data") return { ...message, data: message.data === undefined ? value : `${message.data}\n${value}` };
  return name === "id" || name === "event" ? { ...message, [name]: value } : message;
}

/**
 * Follows the feed until `signal` ends it. `query`: its filters. `onEvent(event)` gets each event, `onState(state, error)` hears
 * `connecting`, `open`, and `waiting` when the connection broke and is tried again, `failed` when the server refuses.
 */
export async function follow(query, { signal, onEvent, onState }) {
  let last;
  let wait = RETRY_MS;
  while (!signal.aborted) {
    onState("connecting");
    try {
      const start = last === undefined ? { from: "head" } : {};
      const headers = { accept: "text/event-stream", ...(last === undefined ? {} : { "last-event-id": last }) };
      const response = await send("GET", `v1/events?${new URLSearchParams({ ...query, ...start })}`, { headers, signal });
      onState("open");
      for await (const { id, data } of messagesOf(response.body)) {
        wait = RETRY_MS;
        last = id ?? last;
        if (data !== undefined) onEvent(JSON.parse(data));
      }
      onState("waiting");
    } catch (error) {
      if (signal.aborted) return;
      // What the client did wrong stays wrong; everything else may pass.
      if (error.status >= 400 && error.status < 500 && error.status !== 429) return onState("failed", error);
      onState("waiting", error);
    }
    await pause(wait, signal);
    wait = Math.min(wait * 2, RETRY_MS_MAX);
  }
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
