// page.mjs -- the demo page as a person uses it, for browser tests against any server.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

export async function launch() {
    return chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: FLAGS });
}

/** With the profile in that folder; launch() is incognito. */
export async function launchAtHome(folder, options) {
    return chromium.launchPersistentContext(folder, { executablePath: "/usr/bin/chromium", headless: true, args: FLAGS, ...options });
}

/**
 * A window of its own (own storage). `problems` of the page gathers script errors and CSP violations,
 * `sockets` the address of each WebSocket that it opened.
 */
export async function open(browser, options = {}) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.setDefaultTimeout(10000);
    page.problems = [];
    page.sockets = [];
    page.on("websocket", (socket) => page.sockets.push(socket.url()));
    page.on("pageerror", (error) => page.problems.push(String(error)));
    page.on("console", (message) => {
        if (/Content Security Policy/.test(message.text())) page.problems.push(message.text());
    });
    return page;
}

/** Fill in the form and wait until the room is open. */
export async function join(page, { base, room, name }) {
    await page.goto(base);
    await page.getByLabel("Your name", { exact: true }).fill(name);
    await page.getByLabel("Room", { exact: true }).fill(room);
    await page.getByRole("button", { name: "Join" }).click();
    await until(page, "online");
}

export async function until(page, wanted) {
    await page.locator(`[data-testid=state][data-state=${wanted}]`).waitFor();
}

export async function say(page, text) {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.keyboard.press("Enter");
}

/** [{ from, text, status, seq }] from top to bottom; seq is absent while pending. */
export async function messages(page) {
    return page.getByTestId("message").evaluateAll((rows) => rows.map((row) => ({
        from: row.dataset.from,
        text: row.querySelector(".text").textContent,
        status: row.dataset.status,
        seq: row.dataset.seq && Number(row.dataset.seq),
    })));
}

export async function texts(page) {
    return (await messages(page)).map((m) => m.text);
}

/** Wait until a message with this text is there, with this status. */
export async function shown(page, text, status = "sent") {
    await page.locator(`[data-testid=message][data-status=${status}]`)
        .filter({ has: page.getByText(text, { exact: true }) }).first().waitFor();
}

export async function people(page) {
    return page.getByTestId("people").locator("li").evaluateAll((rows) => rows.map((r) => r.dataset.name));
}

export async function state(page) {
    return page.getByTestId("state").getAttribute("data-state");
}

export async function node(page) {
    return page.getByTestId("node").textContent();
}

export async function notices(page) {
    return page.getByTestId("notice").allTextContents();
}

/** Wait until `probe()` gives this value, or a text that matches. */
export async function eventually(what, probe, wanted, ms = 10000) {
    const end = Date.now() + ms;
    let got;
    do {
        got = await probe();
        if (wanted instanceof RegExp ? wanted.test(String(got)) : JSON.stringify(got) === JSON.stringify(wanted)) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
    } while (Date.now() < end);
    assert.fail(`${what}: ${JSON.stringify(got)}, wanted ${wanted}`);
}

/** A screenshot, when SHOTS names a folder. */
export async function shoot(page, file) {
    const shots = process.env.SHOTS;
    if (!shots) return;
    mkdirSync(shots, { recursive: true });
    await page.screenshot({ path: `${shots}/${file}.png` });
}
