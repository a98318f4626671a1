// The figures at /metrics: their text format, and what they say between two moments. No DOM here.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** `{ name, labels, value }` of each line of the Prometheus text format. */
export function readMetrics(text) {
  return text.split("\n").flatMap((line) => {
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    if (!name) return [];
    const pairs = [...labels.matchAll(LABEL)].map(([, label, text]) => [label, unescaped(text)]);
    return [{ name, labels: Object.fromEntries(pairs), value: numberOf(value) }];
  });
}

function unescaped(text) {
  return text.replace(/\\(.)/g, (_, letter) => (letter === "n" ? "\n" : letter));
}

function numberOf(text) {
  return /^[+-]?Inf$/.test(text) ? (text.startsWith("-") ? -Infinity : Infinity) : Number(text);
}

/** The sum of a figure over its lines that `isMeant(labels)`; undefined without any. */
export function sum(metrics, name, isMeant = () => true) {
  const found = metrics.filter((metric) => metric.name === name && isMeant(metric.labels));
  return found.length ? found.reduce((total, { value }) => total + value, 0) : undefined;
}

/** Each operation of which requests were counted: `{ operation, requests, clientErrors, serverErrors, mean, high }`; seconds. */
export function operationsOf(metrics) {
  const names = new Set(metrics.filter(({ name }) => name === "chartlog_requests_total").map(({ labels }) => labels.operation));
  return [...names].map((operation) => {
    const of = (name, isMeant = () => true) => sum(metrics, name, (labels) => labels.operation === operation && isMeant(labels));
    const answered = of("chartlog_request_seconds_count");
    return {
      operation,
      requests: of("chartlog_requests_total") ?? 0,
      clientErrors: of("chartlog_requests_total", ({ status }) => status === "4xx") ?? 0,
      serverErrors: of("chartlog_requests_total", ({ status }) => status === "5xx") ?? 0,
      mean: answered ? of("chartlog_request_seconds_sum") / answered : undefined,
      high: highOf(metrics.filter(({ labels }) => labels.operation === operation)),
    };
  });
}

/** What 95 of 100 requests stayed within: from a histogram, or from a summary. */
function highOf(metrics) {
  const buckets = metrics.filter(({ name }) => name === "chartlog_request_seconds_bucket");
  if (!buckets.length) {
    return metrics.find(({ name, labels }) => name === "chartlog_request_seconds" && labels.quantile === "0.95")?.value;
  }
  const bounds = buckets.map(({ labels, value }) => [numberOf(labels.le), value]).sort(([one], [other]) => one - other);
  const most = bounds.at(-1)[1] * 0.95;
  const at = bounds.findIndex(([, count]) => count >= most);
  const [low, below] = at ? bounds[at - 1] : [0, 0];
  const [high, within] = bounds[at];
  return Number.isFinite(high) && within > below ? low + ((high - low) * (most - below)) / (within - below) : low;
}

/** How much a figure grows in a second between two samples `{ at, metrics }`; a server that began anew counts from 0. */
export function rate(before, after, name, isMeant) {
  const [from, to] = [sum(before.metrics, name, isMeant) ?? 0, sum(after.metrics, name, isMeant) ?? 0];
  return ((to >= from ? to - from : to) * 1000) / (after.at - before.at);
}
