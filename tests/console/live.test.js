// What the pages about a running server read: the feed's stream and the figures. Run: node --test tests/console/

import assert from "node:assert/strict";
import { test } from "node:test";

import { operationsOf, rate, readMetrics, sum } from "../../console/assets/pages/live/metrics.js";
import { messagesOf } from "../../console/assets/pages/live/stream.js";

const SUMMARY = `# TYPE chartlog_requests_total counter
chartlog_requests_total{operation="readChart",status="2xx"} 8
chartlog_requests_total{operation="readChart",status="4xx"} 2

chartlog_request_seconds{operation="readChart",quantile="0.95"} 0.25
chartlog_request_seconds_sum{operation="readChart"} 1
chartlog_request_seconds_count{operation="readChart"} 10
chartlog_applied_position 4422
odd{name="a \\"b\\" \\\\ c"} +Inf
`;
const HISTOGRAM = `chartlog_requests_total{operation="readChart",status="2xx"} 100
chartlog_request_seconds_bucket{operation="readChart",le="0.01"} 90
chartlog_request_seconds_bucket{operation="readChart",le="0.02"} 100
chartlog_request_seconds_bucket{operation="readChart",le="+Inf"} 100
chartlog_request_seconds_sum{operation="readChart"} 1
chartlog_request_seconds_count{operation="readChart"} 100
`;

test("figures are read, as summaries and as histograms", () => {
  const metrics = readMetrics(SUMMARY);
  assert.equal(sum(metrics, "chartlog_applied_position"), 4422);
  assert.equal(sum(metrics, "nothing"), undefined);
  assert.deepEqual(metrics.at(-1), { name: "odd", labels: { name: 'a "b" \\ c' }, value: Infinity });
  const expected = { operation: "readChart", requests: 10, clientErrors: 2, serverErrors: 0, mean: 0.1, high: 0.25 };
  assert.deepEqual(operationsOf(metrics), [expected]);
  const [{ high, mean }] = operationsOf(readMetrics(HISTOGRAM));
  assert.equal(mean, 0.01);
  assert.ok(Math.abs(high - 0.015) < 1e-9, String(high));
});

test("a rate is what came in a second, also behind a restart", () => {
  const at = (at, value) => ({ at, metrics: readMetrics(`n ${value}\n`) });
  assert.equal(rate(at(0, 10), at(2000, 16), "n"), 3);
  assert.equal(rate(at(0, 10), at(2000, 4), "n"), 2);
});

test("messages of the feed come whole however they stream", async () => {
  const parts = ["retry: 2000\n\nid: 4", "1\nevent: x\ndata: {\"a\":\ndata: 1}\n", "\n: head 42\nid: 42\r\n\r\n", "id: 43\ndata: grü", "n\n\nid: 44\n"];
  const stream = new ReadableStream({
    start(control) {
      for (const part of parts) control.enqueue(new TextEncoder().encode(part));
      control.close();
    },
  });
  const messages = [];
  for await (const message of messagesOf(stream)) messages.push(message);
  assert.deepEqual(messages, [{ id: "41", event: "x", data: '{"a":\n1}' }, { id: "42" }, { id: "43", data: "grün" }]);
});
