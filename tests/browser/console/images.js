#!/usr/bin/env node
// Makes the images in docs/images from the console of a running demo.
//
//     images.js BASE TOKEN FOLDER

import { writeFile } from "node:fs/promises";
import { Api } from "./api.js";
import { launch, open, signIn, view } from "./browser.js";

const [base, token, folder] = process.argv.slice(2);
if (!folder) throw new Error("images.js BASE TOKEN FOLDER");
const browser = await launch();
const page = await open(browser, { viewport: { width: 1200, height: 760 } });
const devtools = await page.context().newCDPSession(page);

async function image(name, hash, shown, { top } = {}) {
  await view(page, hash);
  await page.locator(shown).first().waitFor();
  if (top) await page.locator(top).first().evaluate((element) => scrollTo(0, element.getBoundingClientRect().top + scrollY - 140));
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const { data } = await devtools.send("Page.captureScreenshot", { format: "webp", quality: 82 });
  await writeFile(`${folder}/console-${name}.webp`, Buffer.from(data, "base64"));
}

try {
  await signIn(page, base);
  // First, while there are few looks of its own.
  await view(page, "#/charts/p0002/looks");
  await page.getByRole("button", { name: "Check it here" }).click();
  await page.locator(".verdict").first().waitFor();
  await image("looks", "#/charts/p0002/looks", ".verdict", { top: ".verdict" });
  const api = new Api(base, token);
  const { patient, amended } = await api.corrected();
  const before = Math.round((await api.events("p0010")).length * 0.85);
  await image("past", `#/charts/p0010?version=${before}`, `[data-version]`);
  await image("changes", `#/charts/${patient}/changes?from=${amended.version - 1}&to=${amended.version}`, `[data-resource="${amended.resource}"]`);
  await image("plots", "#/charts/p0010/plots", ".plot canvas", { top: "section:has(.plot):nth-of-type(8)" });
} finally {
  await browser.close();
}
