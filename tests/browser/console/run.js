#!/usr/bin/env node
// Uses the console of a running demo in Chromium as people do, and compares what it shows with the APIs.
//
//     run.js BASE TOKEN [FOLDER [STEP…]]
//
// BASE is the address of the server, TOKEN one that the demo printed; screenshots go to FOLDER. Without a STEP, all. Changes the data: run it on
// a demo of its own. Figures are printed and no gate: the machine may be shared.

import { mkdirSync } from "node:fs";
import { Api } from "./api.js";
import { launch } from "./browser.js";
import { STEPS } from "./steps.js";
import { figures } from "./figures.js";

const [base, token, folder = ".", ...wanted] = process.argv.slice(2);
if (!token) throw new Error("run.js BASE TOKEN [FOLDER [STEP…]]");
mkdirSync(folder, { recursive: true });
const browser = await launch();
const world = { browser, base, api: new Api(base, token), shot: (page, name) => page.screenshot({ path: `${folder}/${name}.png` }) };
try {
  for (const step of [...STEPS, figures]) {
    if (wanted.length && !wanted.includes(step.name)) continue;
    await step(world);
    console.log(`ok: ${step.name.replaceAll("_", " ")}`);
  }
} finally {
  await browser.close();
}
