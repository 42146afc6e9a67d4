// A store with two runs of a small pipeline, and a browser.
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const binary = process.env.HYPER_FLOW ?? join(root, "target", "debug", "hyper-flow");
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/// The directory that all is in; `small.ron` has run twice in it.
export class Lab {
  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), "hyper-flow-page-"));
    cpSync(join(root, "pipelines", "data", "digits.csv.gz"), join(this.dir, "digits.csv.gz"));
    for (const file of ["small.ron", "long.ron"]) cpSync(join(here, file), join(this.dir, file));
    this.children = [];
  }

  /// Runs the command line; its output, or that it failed.
  run(...args) {
    const done = spawnSync(binary, args, { cwd: this.dir, encoding: "utf8", maxBuffer: 64 << 20 });
    if (done.status !== 0)
      throw new Error(`hyper-flow ${args.join(" ")}: exit ${done.status}\n${done.stdout}\n${done.stderr}`);
    return done.stdout;
  }

  /// Starts the command line, and leaves it running.
  start(...args) {
    const child = spawn(binary, args, { cwd: this.dir, stdio: ["ignore", "pipe", "inherit"] });
    this.children.push(child);
    return child;
  }

  /// Serves the store; gives the address.
  async ui() {
    const child = this.start("ui");
    for await (const chunk of child.stdout) {
      const found = String(chunk).match(/http:\/\/\S+/);
      if (found) return found[0];
    }
    throw new Error("`hyper-flow ui` printed no address");
  }

  /// The ids of the runs, the newest first.
  async runs(address) {
    return (await (await fetch(`${address}api/runs`)).json()).map((run) => run.id);
  }

  write(file, text) {
    writeFileSync(join(this.dir, file), text);
  }

  path(file) {
    return join(this.dir, file);
  }

  /// Ends what was started, and nothing else; a run is asked to stop first.
  async close() {
    for (const child of this.children) {
      if (child.exitCode !== null) continue;
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGINT");
      await ended;
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/// A page that must stay without errors. `screenshots` are kept if SCREENSHOTS names a directory.
export class Page {
  static async open(browser, url, { width = 1400, height = 900, dark = false } = {}) {
    const page = await browser.newPage();
    const own = new Page();
    own.page = page;
    own.errors = [];
    page.on("console", (message) => ["error", "warn"].includes(message.type()) && own.errors.push(message.text()));
    page.on("pageerror", (error) => own.errors.push(String(error)));
    page.on("dialog", (dialog) => own.errors.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
    await page.setViewport({ width, height });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
    await page.goto(url);
    await own.seen(".run .box");
    return own;
  }

  seen(selector) {
    return this.page.waitForSelector(selector, { visible: true, timeout: 30000 });
  }

  text(selector) {
    return this.page.$eval(selector, (element) => element.textContent);
  }

  count(selector) {
    return this.page.$$eval(selector, (all) => all.length);
  }

  /// Until a function of the page says yes.
  until(condition, ...args) {
    return this.page.waitForFunction(condition, { timeout: 60000, polling: 100 }, ...args);
  }

  /// Sets the value of a control as a hand would.
  set(selector, value) {
    return this.page.$eval(
      selector,
      (element, to) => {
        element.value = to;
        element.dispatchEvent(new Event("input", { bubbles: true }));
        element.dispatchEvent(new Event("change", { bubbles: true }));
      },
      value,
    );
  }

  /// Faults that axe calls serious or critical, each with its first element.
  async faults() {
    const bypass = await this.page.target().createCDPSession();
    await bypass.send("Page.setBypassCSP", { enabled: true });
    const source = (await import("node:fs")).readFileSync(axe, "utf8");
    await this.page
      .evaluate((text) => {
        (0, eval)(text);
      }, source)
      .catch(async () => this.page.addScriptTag({ content: source }));
    const { violations } = await this.page.evaluate(() => globalThis.axe.run(document));
    return violations
      .filter(({ impact }) => ["serious", "critical"].includes(impact))
      .map(
        ({ id, nodes }) =>
          `${id}: ${nodes
            .slice(0, 3)
            .map((node) => `${node.html.slice(0, 140)} (${node.failureSummary.replaceAll("\n", " ").slice(0, 200)})`)
            .join(" | ")}`,
      );
  }

  async shot(name) {
    if (process.env.SCREENSHOTS) await this.page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
  }
}

/// A browser without a window. In a container the sandbox of Chromium has nothing to stand on.
export function browser() {
  const executablePath = [
    process.env.CHROMIUM,
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
  ].find((path) => path && existsSync(path));
  if (!executablePath) throw new Error("there is no Chromium; `apt-get install chromium`, or name one with CHROMIUM");
  return puppeteer.launch({ executablePath, args: ["--no-sandbox", "--force-color-profile=srgb"] });
}
