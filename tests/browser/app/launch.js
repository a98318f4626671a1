// The example of a SMART app (examples/app), a page that comes from another port: the whole standalone launch with PKCE
// against the demo, then it reads and writes as the user lets it. And the same when its site is not named, which fails.
//
//     (cd tests/browser && npm ci) && node tests/browser/app/launch.js target/release/chartlog [chromium]

import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { chromium } from "playwright-core"

const PATIENCE_MS = 120_000
const here = (path) => new URL(path, import.meta.url)
const [program, browserPath = "/usr/bin/chromium", page = here("../../../examples/app/index.html")] = process.argv.slice(2)

// The app and the library beside it. The example names the address at which the demo is by itself: `demo.base` is told instead.
async function serveApp(demo) {
  const text = await readFile(page, "utf8")
  const library = await readFile(here("../node_modules/fhirclient/build/fhir-client.min.js"))
  const files = {
    get "/"() {
      return ["text/html; charset=utf-8", text.replaceAll("http://127.0.0.1:8080", demo.base)]
    },
    "/fhir-client.min.js": ["text/javascript", library],
  }
  const server = createServer((request, response) => {
    const file = files[new URL(request.url, "http://localhost").pathname]
    response.writeHead(file ? 200 : 404, { "content-type": file?.[0] ?? "text/plain" }).end(file?.[1])
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  return { server, site: `http://localhost:${server.address().port}` }
}

async function startDemo(data, site) {
  const cors = site ? ["--set", `server.cors_origins=${site}`] : []
  const child = spawn(
    program,
    ["serve", "--demo", "--demo-patients", "3", "--listen", "127.0.0.1:0", "--data", data, ...cors],
    { stdio: ["ignore", "pipe", "ignore"] },
  )
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("listening on ")) return { child, base: line.split(" ").at(-1) }
  }
  throw new Error("the server does not start")
}

async function launch(browser, site) {
  const view = await browser.newPage()
  view.setDefaultTimeout(PATIENCE_MS)
  await view.goto(`${site}/`)
  return view
}

async function signsInReadsAndWrites(browser, site, base) {
  const view = await launch(browser, site)
  await view.waitForURL(`${base}/oauth/authorize?**`)
  const asked = new URL(view.url()).searchParams
  assert.equal(asked.get("code_challenge_method"), "S256")
  assert.equal(asked.get("aud"), `${base}/fhir`)
  await view.selectOption("select", "p0002")
  await view.getByRole("button", { name: /^Continue as/ }).click()
  await view.waitForURL(`${site}/**`)
  await view.locator("tbody tr").nth(9).waitFor()
  assert.notEqual(await view.locator("h1").textContent(), "")
  const before = await view.locator("tbody tr").allTextContents()
  await view.getByLabel("Body weight today").fill("71.5")
  await view.getByRole("button", { name: "Record" }).click()
  await view.getByText("Recorded 71.5 kg.").waitFor()
  const rows = await view.locator("tbody tr").allTextContents()
  assert.match(rows[0], /Body weight71\.5 kg$/)
  assert.deepEqual(rows.slice(1), before.slice(0, -1))
  console.log("the app is launched, reads ten results, and records one")
}

async function isKeptOut(browser, site) {
  const view = await launch(browser, site)
  await view.waitForFunction(() => !["", "Signing in…"].includes(document.querySelector("#said").textContent))
  assert.equal(await view.locator("tbody tr").count(), 0)
  assert.ok(view.url().startsWith(site), view.url())
  console.log(`a site that is not named is kept out: ${await view.locator("#said").textContent()}`)
}

for (const isNamed of [true, false]) {
  const demo = {}
  const { server, site } = await serveApp(demo)
  const scratch = await mkdtemp(join(tmpdir(), "launch-"))
  const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--disable-dev-shm-usage"] })
  const { child, base } = await startDemo(join(scratch, "data"), isNamed ? site : undefined)
  demo.base = base
  try {
    await (isNamed ? signsInReadsAndWrites : isKeptOut)(browser, site, base)
  } finally {
    child.kill()
    await once(child, "exit")
    await browser.close()
    server.close()
    await rm(scratch, { recursive: true, force: true })
  }
}
