// The page as people use it: opened, searched, clicked, slid, compared, watched.
//
//     cargo build --workspace && cd tests/page && npm ci && npm test
//
// SCREENSHOTS=dir keeps pictures of all of it; HYPER_FLOW and CHROMIUM name other binaries.
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { after, before, test } from "node:test";
import { browser, Lab, Page } from "./lab.mjs";
import { large } from "./large.mjs";

let chromium;
let lab;
let address;

before(async () => {
  lab = new Lab();
  lab.run("run", "small.ron", "-q");
  lab.run("run", "small.ron", "-q", "--set", "lora.lr=2e-3", "--set", "lora.steps=8");
  lab.run("report", "-o", "report.html");
  [chromium, address] = await Promise.all([browser(), lab.ui()]);
});

after(async () => {
  await chromium?.close();
  await lab?.close();
});

async function quiet(page) {
  assert.deepEqual(page.errors, []);
  assert.deepEqual(await page.faults(), []);
  await page.page.close();
}

test("a report is one file that needs nothing else", async () => {
  const text = readFileSync(lab.path("report.html"), "utf8");
  assert.ok(statSync(lab.path("report.html")).size < 10 << 20);
  assert.ok(!text.includes("<img src=x") && !text.includes("<script>alert"), "names stay text");
  const page = await Page.open(chromium, pathToFileURL(lab.path("report.html")).href);
  const asked = [];
  page.page.on("request", (request) => asked.push(request.url()));
  await page.page.reload();
  await page.seen(".card.selected");
  assert.deepEqual(
    asked.filter((url) => !/^(file|data):/.test(url)),
    [],
  );
  assert.equal(await page.text("h1"), "small <b>& Co</b>done");
  assert.equal(
    await page.page.title(),
    await page.page.evaluate(() => `small <b>& Co</b> · ${document.querySelector(".facts code").textContent}`),
  );
  for (const part of ["graph", "time", "curves", "measured", "pictures", "settings", "cite"])
    await page.seen(`#${part}`);
  assert.match(await page.text("#cite"), /Hyper-SD/);
  await page.shot("report");
  await quiet(page);
});

test("nodes are found, clicked and told whole; those of a matrix are one card until it is opened", async () => {
  const page = await Page.open(chromium, pathToFileURL(lab.path("report.html")).href);
  await page.seen(".card.selected");
  const cards = await page.count(".card");
  await page.page.evaluate(() =>
    [...document.querySelectorAll(".card")]
      .find((card) => card.textContent.includes("drawn@"))
      .dispatchEvent(new MouseEvent("click")),
  );
  assert.equal(await page.count(".card"), cards + 1);
  await page.page.keyboard.press("/");
  await page.page.keyboard.type("SegmentDistill");
  await page.until(() => document.querySelector("#node h3")?.textContent === "lora");
  assert.match(await page.text("#node"), /learning|lr/);
  assert.equal((await page.count("#node tr.default")) > 3, true, "defaults are marked");
  assert.match(await page.text("#node"), /[0-9a-f]{64}/, "hashes are whole");
  await page.page.keyboard.press("Escape");
  await page.page.keyboard.press("j");
  await page.until(() => document.querySelector("#node h3")?.textContent !== "lora");
  await page.page.evaluate(() =>
    [...document.querySelectorAll("#node button.link")].find((link) => link.textContent === "digits")?.click(),
  );
  await page.page.keyboard.press("?");
  await page.seen("dialog[open] kbd");
  await page.shot("help");
  await quiet(page);
});

test("pictures follow the slider of step counts", async () => {
  const page = await Page.open(chromium, pathToFileURL(lab.path("report.html")).href);
  await page.seen("#pictures .strip");
  const first = await page.page.$eval("#pictures .stripe:nth-child(3) svg", (svg) => svg.getAttribute("viewBox"));
  await page.set("#pictures input[type=range]", "1");
  assert.equal(await page.text("#pictures output"), "2");
  const second = await page.page.$eval("#pictures .stripe:nth-child(3) svg", (svg) => svg.getAttribute("viewBox"));
  assert.notEqual(first, second);
  assert.match(await page.text("#pictures"), /not drawn in 2 steps|teacher/);
  await page.page.$eval("#pictures", (part) => part.scrollIntoView());
  await page.shot("pictures");
  await quiet(page);
});

test("a report prints with all settings open, and is dark and narrow where it has to be", async () => {
  const page = await Page.open(chromium, pathToFileURL(lab.path("report.html")).href, {
    width: 400,
    height: 800,
    dark: true,
  });
  await page.seen(".card.selected");
  await page.until(() => document.documentElement.scrollWidth <= innerWidth);
  assert.equal(await page.page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(19, 22, 26)");
  await page.shot("narrow-dark");
  assert.deepEqual(await page.faults(), []);
  await page.page.click("#theme");
  await page.page.click("#theme");
  assert.equal(await page.page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(246, 245, 241)");
  const pdf = await page.page.pdf({ format: "A4" });
  assert.ok(pdf.length > 20000);
  assert.equal(
    await page.page.evaluate(() =>
      [...document.querySelectorAll("#settings details[data-node]")].every((one) => one.open),
    ),
    true,
  );
  await quiet(page);
});

test("the ui finds runs, nodes and artifacts", async () => {
  const page = await Page.open(chromium, address);
  await page.until(() => document.querySelectorAll("#runs li").length === 2);
  await page.shot("runs");
  await page.page.keyboard.press("/");
  await page.page.keyboard.type("lora.steps=8");
  await page.until(() => document.querySelectorAll("#runs li").length === 1);
  await page.set("#search", "SegmentDistill");
  await page.until(() => document.querySelectorAll("#found tbody tr").length === 2);
  await page.page.click("#found tbody a");
  await page.until(() => document.querySelector("#node h3")?.textContent === "lora");
  await page.set("#search", "");
  await page.page.evaluate(() =>
    [...document.querySelectorAll(".card")]
      .find((card) => card.textContent.includes("<img"))
      .dispatchEvent(new MouseEvent("click")),
  );
  await page.until(() => document.querySelector("#node h3")?.textContent.startsWith("<img"));
  await page.page.evaluate(() => (document.querySelector("#node details.printed").open = true));
  await page.until(() => document.querySelector("#node .log")?.textContent.includes("<script>alert(2)</script>"));
  await page.shot("ui");
  await quiet(page);
});

test("two runs are compared: settings, curves, numbers and pictures", async () => {
  const [newer, older] = await lab.runs(address);
  const page = await Page.open(chromium, `${address}#/run/${newer}`);
  await page.seen(".card.selected");
  await page.page.keyboard.press("c");
  await page.seen(".compare");
  assert.equal(await page.page.evaluate(() => location.hash), `#/compare/${older}/${newer}`);
  const settings = await page.text("#settings");
  assert.match(settings, /lorasteps128/);
  assert.match(await page.text("#curves"), /A .*B /s);
  assert.ok((await page.count("#measured tbody tr")) >= 4);
  assert.equal(await page.count("#pictures .paper"), 2);
  await page.set("#pictures input[type=range]", "1");
  await page.shot("compare");
  await page.page.setViewport({ width: 420, height: 800 });
  await page.until(() => document.documentElement.scrollWidth <= innerWidth);
  await quiet(page);
});

test("a training is watched while it goes on", async () => {
  const page = await Page.open(chromium, address);
  const before = (await lab.runs(address)).length;
  const training = lab.start("run", "long.ron", "-q");
  await page.until((count) => document.querySelectorAll("#runs li").length === count + 1, before);
  await page.page.click("#runs li a");
  await page.until(() => document.querySelector("#curves:not([hidden])"));
  await page.page.$eval("#curves", (part) => part.scrollIntoView());
  await page.until(() => document.querySelector("#curves path.line")?.getAttribute("d")?.length > 40);
  const length = () => page.page.$eval("#curves path.line", (line) => line.getAttribute("d").length);
  const first = await length();
  await page.until((first) => document.querySelector("#curves path.line").getAttribute("d").length > first + 200, first);
  assert.match(await page.text("h1"), /running/);
  await page.shot("live");
  training.kill("SIGINT");
  await page.until(() => /interrupted/.test(document.querySelector("h1").textContent));
  await page.until(() => /interrupted/.test(document.querySelector("#runs li.open").textContent));
  await quiet(page);
});

test("a pipeline of 1,000 nodes is usable", async () => {
  lab.write("large.html", large(readFileSync(lab.path("report.html"), "utf8"), 1000));
  const began = Date.now();
  const page = await Page.open(chromium, pathToFileURL(lab.path("large.html")).href);
  await page.seen(".card.selected");
  console.log(`# 1,000 nodes are open after ${Date.now() - began} ms`);
  assert.equal(await page.count(".card"), 1000);
  await page.page.keyboard.press("/");
  await page.page.keyboard.type("node-0777");
  await page.until(() => document.querySelector("#node h3")?.textContent === "node-0777");
  await page.shot("large");
  assert.deepEqual(page.errors, []);
  await page.page.close();
});
