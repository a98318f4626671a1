// How fast the console is: printed, and no gate.

import { gzipSync } from "node:zlib";
import { open, signIn, view } from "./browser.js";

const EVENTS = 10_000;

export async function figures({ browser, base, api }) {
  const page = await open(browser);
  const files = new Map();
  page.on("response", async (response) => {
    if (!response.url().startsWith(`${base}/console/`) || response.status() !== 200) return;
    files.set(response.url(), gzipSync(await response.body().catch(() => Buffer.alloc(0)), { level: 6 }).length);
  });
  await page.goto(`${base}/console/`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  console.log(`first paint after ${Math.round(paint)} ms`);

  const patient = await largeChart(api);
  await signIn(page, base);
  await page.evaluate(() => {
    globalThis.long = [];
    new PerformanceObserver((list) => globalThis.long.push(...list.getEntries().map(({ duration }) => duration)))
      .observe({ type: "long-animation-frame", buffered: false });
  });
  const frames = async (what, act) => {
    await page.evaluate(() => { globalThis.long.length = 0; });
    await act();
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    const long = await page.evaluate(() => globalThis.long);
    console.log(`${what}: ${long.length} frames above 50 ms${long.length ? `, the longest ${Math.round(Math.max(...long))} ms` : ""}`);
  };
  for (const tab of ["", "/timeline"]) {
    await view(page, `#/charts/${patient}${tab}`);
    const slider = page.getByLabel("Moment of the chart");
    await slider.waitFor({ timeout: 120_000 });
    await page.locator("[data-version]").first().waitFor();
    await frames(`sliding through ${EVENTS} events, ${tab || "summary"}`, () => drag(page, slider));
  }
  await frames(`scrolling through ${EVENTS} events`, async () => {
    const list = page.locator(".virtual");
    const box = await list.boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    for (let turn = 0; turn < 60; turn += 1) await page.mouse.wheel(0, 3_000);
  });
  for (const hash of ["#/find/search", "#/find/types", `#/charts/${patient}/plots`, `#/charts/${patient}/changes`, `#/charts/${patient}/looks`, "#/resources/Patient/p0002?tab=edit", "#/looks", "#/check", "#/live"]) {
    await view(page, hash);
    await page.waitForTimeout(500);
  }
  const bytes = [...files.values()].reduce((sum, size) => sum + size, 0);
  console.log(`${files.size} files, ${Math.round(bytes / 1024)} KiB compressed, over all pages`);
  await page.context().close();
}

/** A chart with many events. */
async function largeChart(api) {
  const id = `large-${Date.now()}`;
  const first = { type: "Patient.recorded", resource: { resourceType: "Patient", id, name: [{ family: "Large" }] } };
  for (let sent = 0; sent < EVENTS; ) {
    const events = sent === 0 ? [first] : [];
    while (events.length < 500 && sent + events.length < EVENTS) events.push(measured(id, sent + events.length));
    await api.ask("POST", `v1/patients/${id}/events`, { events });
    sent += events.length;
  }
  return id;
}

function measured(patient, number) {
  const code = ["8867-4", "8310-5", "29463-7", "2708-6"][number % 4];
  return {
    type: "Observation.recorded",
    resource: {
      resourceType: "Observation", status: "final", code: { coding: [{ system: "http://loinc.org", code }], text: code },
      subject: { reference: `Patient/${patient}` }, effectiveDateTime: new Date(1.5e12 + number * 3.6e6).toISOString(),
      valueQuantity: { value: 60 + (number % 37), unit: "1" },
    },
  };
}

async function drag(page, slider) {
  const box = await slider.boundingBox();
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width - 2, y);
  await page.mouse.down();
  await page.mouse.move(box.x + 2, y, { steps: 80 });
  await page.mouse.move(box.x + box.width - 2, y, { steps: 80 });
  await page.mouse.up();
}
