// What people do in the console, a function each, in this order.

import assert from "node:assert/strict";
import { accessible, fits, open, signIn, view } from "./browser.js";

const heading = (page, name) => page.getByRole("heading", { level: 1, name }).waitFor();

/** Ends a step: nothing that the page complained of is left unsaid. */
async function close(page) {
  assert.deepEqual(page.complaints, []);
  await page.context().close();
}

async function signs_in_and_finds_a_patient({ browser, base, api, shot }) {
  const { entry } = await api.get("fhir/Patient?_count=1&_id=p0002");
  const { family } = entry[0].resource.name[0];
  const page = await open(browser);
  await page.goto(`${base}/`);
  await heading(page, "Sign in");
  await accessible(page, "signing in");
  await signIn(page, base);
  await page.getByLabel("Name").fill(family);
  await page.getByRole("button", { name: "Find" }).click();
  await page.locator('a[href="#/charts/p0002"]').waitFor();
  await accessible(page, "finding patients");
  await shot(page, "find");
  await page.locator('a[href="#/charts/p0002"]').click();
  await heading(page, new RegExp(family));
  await close(page);
}

async function signs_in_with_a_token_and_is_told_when_it_is_none({ browser, base, api }) {
  const page = await open(browser);
  page.expected.push("401");
  await page.goto(`${base}/console/`);
  await page.getByText("With a token").click();
  await page.getByLabel("Token").fill("not.a.token");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await heading(page, "Sign in");
  await page.getByText("With a token").click();
  await page.getByLabel("Token").fill(api.token);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await heading(page, "Find");
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.ok(!stored.includes(api.token), "the token is kept in memory alone");
  await close(page);
}

async function drags_the_slider_and_sees_the_chart_as_the_API_has_it({ browser, base, api, shot }) {
  const page = await open(browser);
  await signIn(page, base);
  await view(page, "#/charts/p0002");
  const slider = page.getByLabel("Moment of the chart");
  await slider.waitFor();
  const last = Number(await slider.getAttribute("max"));
  for (const part of [0.25, 0.6, 1]) {
    const box = await slider.boundingBox();
    await page.mouse.move(box.x + box.width - 2, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * part - (part === 1 ? 1 : 0), box.y + box.height / 2, { steps: 12 });
    await page.mouse.up();
    const version = Number(await slider.inputValue());
    await page.locator(`[data-version="${version}"]`).waitFor();
    const { resources } = await api.get(`v1/patients/p0002/chart?version=${version}`);
    const expected = resources.filter((one) => one.resourceType === "Condition" && one.verificationStatus?.coding?.[0]?.code !== "entered-in-error");
    // What is past is folded away until somebody asks for it.
    while (await page.locator("main details:not([open]) > summary").count()) {
      await page.locator("main details:not([open]) > summary").first().click();
    }
    const names = await page.locator('[data-resource^="Condition/"]').evaluateAll((all) => all.map((one) => one.dataset.resource));
    for (const one of expected) assert.ok(names.includes(`Condition/${one.id}`), `version ${version} of ${last}: Condition/${one.id} is not shown`);
    assert.equal(new Set(names).size, resources.filter((one) => one.resourceType === "Condition").length, `version ${version}`);
  }
  await accessible(page, "a chart");
  await shot(page, "chart");
  await view(page, "#/charts/p0002/plots");
  await page.locator(".plot canvas").first().waitFor();
  await accessible(page, "plots");
  await shot(page, "plots");
  await view(page, "#/charts/p0002/timeline");
  await page.locator("[data-event]").first().waitFor();
  await accessible(page, "a timeline");
  await shot(page, "timeline");
  await close(page);
}

async function sees_a_correction_in_what_changed({ browser, base, api, shot }) {
  const { patient, amended } = await api.corrected();
  const page = await open(browser);
  await signIn(page, base);
  await view(page, `#/charts/${patient}/changes?from=${amended.version - 1}&to=${amended.version}`);
  const change = page.locator(`[data-resource="${amended.resource}"]`);
  await change.waitFor();
  assert.match(await change.getAttribute("data-marks"), /correction/);
  assert.ok(await change.locator(".before").count(), "the value before is shown");
  assert.ok(await change.locator(".after").count(), "the value after is shown");
  await accessible(page, "what changed");
  await shot(page, "changes");
  await close(page);
}

async function reads_a_resource_its_versions_and_who_set_what({ browser, base, api, shot }) {
  const { amended } = await api.corrected();
  const page = await open(browser);
  await signIn(page, base);
  const before = Number(amended.versionId) - 1;
  await view(page, `#/resources/${amended.resource}?version=${before}`);
  await page.locator(`[data-version="${before}"]`).waitFor();
  for (const [tab, shown] of [["JSON", "pre.json"], ["Versions", "table"], ["Who set what", "table"], ["References", "table"]]) {
    await page.getByRole("link", { name: tab, exact: true }).click();
    await page.locator(shown).first().waitFor();
    await accessible(page, tab);
  }
  await view(page, `#/resources/${amended.resource}?tab=blame`);
  const set = page.getByRole("row", { name: /valueQuantity\.value|component/ }).first();
  await set.waitFor();
  await shot(page, "who-set-what");
  await close(page);
}

async function completes_a_search_pages_through_it_and_keeps_it({ browser, base }) {
  const page = await open(browser);
  await signIn(page, base);
  await view(page, "#/find/search");
  const bar = page.getByRole("combobox", { name: "Search" });
  const complete = async (typed, wanted) => {
    await bar.pressSequentially(typed);
    // The list follows what is typed; the one for all of it begins with what is wanted.
    await page.waitForFunction((wanted) => document.querySelector("[role=option]")?.innerText.startsWith(wanted), wanted);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
  };
  await complete("Observ", "Observation");
  assert.equal(await bar.inputValue(), "Observation?");
  await complete("patient=p0002&_cou", "_count");
  assert.equal(await bar.inputValue(), "Observation?patient=p0002&_count=");
  await bar.pressSequentially("3");
  await page.keyboard.press("Enter");
  await page.getByRole("row").nth(3).waitFor();
  const first = await page.getByRole("row").nth(1).innerText();
  await page.getByRole("button", { name: "Next page" }).click();
  await page.getByRole("row").nth(3).waitFor();
  await page.waitForFunction((first) => document.querySelectorAll("tbody tr")[0]?.innerText !== first, first);
  await page.getByRole("button", { name: "Save this search" }).click();
  await page.getByRole("button", { name: "Forget Observation?patient=p0002&_count=3" }).waitFor();
  await accessible(page, "searching");
  await page.getByText("JSON").click();
  await page.locator("pre.json").waitFor();
  await view(page, "#/find/types");
  await page.getByRole("link", { name: "Observation", exact: true }).waitFor();
  await accessible(page, "types");
  await close(page);
}

async function sees_the_own_look_and_proves_that_no_other_is_missing({ browser, base, shot }) {
  const page = await open(browser);
  await signIn(page, base);
  await view(page, "#/charts/p0004");
  await page.getByLabel("Moment of the chart").waitFor();
  await view(page, "#/charts/p0004/looks");
  await page.getByText("GET /v1/patients/p0004/events").first().waitFor();
  await page.getByRole("button", { name: "Check it here" }).click();
  await page.locator(".verdict.good").first().waitFor();
  assert.equal(await page.locator(".verdict.bad").count(), 0);
  await accessible(page, "who looked");
  await shot(page, "looks");
  await close(page);
}

async function refuses_a_tampered_file({ browser, base, api, shot }) {
  const bundle = await (await fetch(`${base}/v1/patients/p0002/events/evidence?limit=3&disclose=true`, { headers: { authorization: `Bearer ${api.token}` } })).text();
  const page = await open(browser);
  await signIn(page, base);
  await view(page, "#/check");
  const check = async (text) => {
    const chooser = page.locator('input[type="file"]');
    await chooser.setInputFiles({ name: "evidence.json", mimeType: "application/json", buffer: Buffer.from(text) });
    await page.getByRole("button", { name: "Check", exact: true }).click();
  };
  await check(bundle);
  await page.locator(".verdict.good").first().waitFor();
  await accessible(page, "checking a file");
  const parsed = JSON.parse(bundle);
  const frame = parsed.entries[1].frame;
  parsed.entries[1].frame = frame.slice(0, 100) + (frame[100] === "A" ? "B" : "A") + frame.slice(101);
  await check(JSON.stringify(parsed));
  await page.locator(".verdict.bad").first().waitFor();
  assert.match(await page.locator("main").innerText(), new RegExp(`${parsed.entries[1].position}`), "the place is named");
  await shot(page, "tampered");
  await close(page);
}

async function sees_an_event_as_it_happens({ browser, base, api, shot }) {
  const page = await open(browser);
  await signIn(page, base);
  await view(page, "#/live");
  await page.getByRole("heading", { name: /feed|events/i }).first().waitFor();
  await page.getByText(/following|live/i).first().waitFor();
  const id = `live-${Date.now()}`;
  await api.ask("PUT", `fhir/Practitioner/${id}`, { resourceType: "Practitioner", id });
  await page.getByText(`Practitioner/${id}`).first().waitFor();
  await accessible(page, "live");
  await shot(page, "live");
  await close(page);
}

async function edits_with_what_is_wrong_beside_the_field_and_meets_a_conflict({ browser, base, api, shot }) {
  const id = `edited-${Date.now()}`;
  const observation = {
    resourceType: "Observation", id, status: "final", code: { text: "body weight" }, subject: { reference: "Patient/p0005" },
    valueQuantity: { value: 72.5, unit: "kg" }, note: [{ text: "first" }],
  };
  const body = JSON.stringify(observation).replace("72.5", "72.50");
  await fetch(`${base}/fhir/Observation/${id}`, { method: "PUT", headers: { authorization: `Bearer ${api.token}`, "content-type": "application/fhir+json" }, body });
  const page = await open(browser);
  page.expected.push("412", "422", "400");
  await signIn(page, base);
  await view(page, `#/resources/Observation/${id}?tab=edit`);
  const field = (path) => page.locator(`[data-path="${path}"]`);
  await field("status").fill("nonsense");
  await page.getByRole("button", { name: "Check" }).click();
  await page.locator(".field.wrong", { has: field("status") }).waitFor();
  await accessible(page, "editing");
  await field("status").fill("amended");
  // Meanwhile, somebody else.
  await api.ask("PUT", `fhir/Observation/${id}`, { ...observation, note: [{ text: "second" }] });
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator("[data-conflict]").waitFor();
  await page.getByText("note[0].text").first().waitFor();
  await accessible(page, "a conflict");
  await shot(page, "conflict");
  await page.getByRole("button", { name: "Put my changes on top of theirs" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator('[data-version="3"]').waitFor();
  const now = await api.get(`fhir/Observation/${id}`);
  assert.deepEqual([now.status, now.note[0].text, now.meta.versionId], ["amended", "second", "3"]);
  await close(page);
}

async function works_by_keyboard_alone({ browser, base }) {
  const page = await open(browser);
  await page.goto(`${base}/`);
  await heading(page, "Sign in");
  const press = async (key, times = 1) => { for (let time = 0; time < times; time += 1) await page.keyboard.press(key); };
  const focused = () => page.evaluate(() => {
    const element = document.activeElement;
    return element.matches("a, button, input, summary, select") ? element.textContent.trim() || element.ariaLabel : "";
  });
  /** Tabs on until what has the focus reads so. */
  const reach = async (text) => {
    for (let tabs = 0; tabs < 60; tabs += 1) {
      if ((await focused())?.match(text)) return;
      await press("Tab");
    }
    throw new Error(`${text} is not reached by Tab`);
  };
  await reach(/Continue as/);
  await press("Enter");
  await heading(page, "Find");
  await page.locator('a[href="#/charts/p0001"]').waitFor();
  const name = await page.locator('a[href="#/charts/p0001"]').innerText();
  await reach(new RegExp(name));
  await press("Enter");
  await page.getByLabel("Moment of the chart").waitFor();
  await reach(/Moment of the chart/);
  const before = await page.getByLabel("Moment of the chart").inputValue();
  await press("ArrowLeft", 3);
  assert.equal(Number(await page.getByLabel("Moment of the chart").inputValue()), Number(before) - 3);
  await reach(/Who looked/).catch(async () => { await press("Shift+Tab", 8); await reach(/Who looked/); });
  await close(page);
}

async function fits_a_phone_in_the_light_and_in_the_dark({ browser, base, shot }) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open(browser, { viewport: { width: 390, height: 844 }, colorScheme });
    await signIn(page, base);
    for (const [name, hash, shown] of [
      ["find", "#/find", "tbody tr"], ["search", "#/find/search?q=Observation%3F_count%3D3", "tbody tr"],
      ["chart", "#/charts/p0002", "[data-version]"], ["timeline", "#/charts/p0002/timeline", "[data-event]"],
      ["plots", "#/charts/p0002/plots", ".plot canvas"], ["changes", "#/charts/p0002/changes", "[data-resource]"],
      ["looks", "#/charts/p0002/looks", "tbody tr"], ["resource", "#/resources/Patient/p0002", ".elements"],
      ["edit", "#/resources/Patient/p0002?tab=edit", "[data-path]"], ["check", "#/check", 'input[type="file"]'], ["live", "#/live", "h1"],
    ]) {
      await view(page, hash);
      await page.locator(shown).first().waitFor({ state: "attached" });
      await fits(page, `${name}, ${colorScheme}`);
      await accessible(page, `${name} on a phone, ${colorScheme}`);
      await shot(page, `phone-${name}-${colorScheme}`);
    }
    await close(page);
  }
}

/** In this order. */
/** The page of the OpenAPI document, which is beside the console. */
async function keeps_the_token_of_the_documents_page_over_a_reload({ browser, base, api }) {
  const page = await open(browser);
  await page.goto(`${base}/docs/`);
  const dialog = page.locator(".dialog-ux");
  await page.getByRole("button", { name: "Authorize" }).first().click();
  await dialog.getByRole("textbox").first().fill(api.token);
  await dialog.getByRole("button", { name: "Apply credentials" }).click();
  await dialog.getByRole("button", { name: "Remove authorization" }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Authorize" }).first().click();
  await dialog.getByRole("button", { name: "Remove authorization" }).waitFor();
  assert.match(await page.title(), /Chartlog/);
  await close(page);
}

export const STEPS = [
  signs_in_and_finds_a_patient,
  signs_in_with_a_token_and_is_told_when_it_is_none,
  drags_the_slider_and_sees_the_chart_as_the_API_has_it,
  sees_a_correction_in_what_changed,
  reads_a_resource_its_versions_and_who_set_what,
  completes_a_search_pages_through_it_and_keeps_it,
  sees_the_own_look_and_proves_that_no_other_is_missing,
  refuses_a_tampered_file,
  sees_an_event_as_it_happens,
  edits_with_what_is_wrong_beside_the_field_and_meets_a_conflict,
  works_by_keyboard_alone,
  fits_a_phone_in_the_light_and_in_the_dark,
  keeps_the_token_of_the_documents_page_over_a_reload,
];
