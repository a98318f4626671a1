// Chromium, a page of the console in it, and what all steps ask of that page.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Chromium asks no server of its maker for anything. */
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS });
}

/** A new window in which whatever the page complains of ends the test. */
export async function open(browser, options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.expected = [];
  page.on("pageerror", (error) => page.complaints.push(error.stack));
  page.on("console", (message) => {
    const isExpected = page.expected.some((part) => message.text().includes(part));
    if (message.type() === "error" && !isExpected) page.complaints.push(message.text());
  });
  return page;
}

/** Opens the console and signs in as a user of the demo: one click. */
export async function signIn(page, base, user = "Folake Adeyemi") {
  await page.goto(`${base}/`);
  await page.getByRole("button", { name: new RegExp(`Continue as ${user}`) }).click();
  await page.getByRole("navigation", { name: "Console" }).waitFor();
}

/** Shows a view by its address behind #. */
export async function view(page, hash) {
  await page.evaluate((hash) => { location.hash = hash; }, hash);
}

/** Fails unless axe-core finds nothing serious or critical in what the page shows. */
export async function accessible(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
  }));
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = serious.map(({ id, help, nodes }) => `${id} (${help}): ${nodes.slice(0, 3).map(({ html }) => html).join(" | ")}`);
  if (told.length) throw new Error(`${where}: axe-core finds ${told.join("\n")}`);
}

/** Fails if the page is wider than its window. */
export async function fits(page, where) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  if (content > window) throw new Error(`${where}: ${content} pixels wide in a window of ${window}`);
}
