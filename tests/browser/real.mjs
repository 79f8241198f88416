// real.mjs -- what people see of two real nodes behind alb: node real.mjs NAME HTTP_URL HTTPS_URL
//
// test_real.py runs the servers. A line on standard output asks it for something ("kill n1"),
// its line on standard input says that it is done.

import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import * as ui from "./page.mjs";
import { eventually, shoot } from "./page.mjs";

const [name, http, https] = process.argv.slice(2);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let browser;

async function please(...words) {
    console.log(words.join(" "));
    assert.equal((await answers.next()).value, "done");
}

/** A window in the lobby, on that node: who comes again is sent to the other one. */
async function enter(who, { on, base = http, setup = "", ...options } = {}) {
    const page = await ui.open(browser, options);
    await page.addInitScript(setup);
    await ui.join(page, { base, room: "lobby", name: who });
    await eventually(`${who} on ${on}`, async () => {
        const node = await ui.node(page);
        if (!on || node === on) return true;
        await page.getByTestId("leave").click();
        await page.getByRole("button", { name: "Join" }).click();
        await ui.until(page, "online");
        return false;
    }, true);
    return page;
}

async function together(...pages) {
    const names = await Promise.all(pages.map((page) => page.getByTestId("name").inputValue()));
    for (const page of pages) await eventually("people", () => ui.people(page), names.sort((a, b) => a.localeCompare(b)));
}

/** Alice on n1 and bob on n2, who see each other. */
async function pair(options = {}) {
    const alice = await enter("alice", { on: "n1", ...options });
    const bob = await enter("bob", { on: "n2" });
    await together(alice, bob);
    return [alice, bob];
}

/** Every state of the connection and every list of people that the page shows from now on. */
async function record(page) {
    await page.evaluate(() => {
        const state = document.querySelector("[data-testid=state]");
        const people = document.querySelector("[data-testid=people]");
        window.record = { states: [], people: [] };
        new MutationObserver(() => window.record.states.push(state.dataset.state))
            .observe(state, { attributes: true });
        new MutationObserver(() => window.record.people.push([...people.children].map((row) => row.dataset.name)))
            .observe(people, { childList: true });
    });
    return () => page.evaluate(() => window.record);
}

function series(who, n) {
    return Array.from({ length: n }, (_, i) => `${who} ${i + 1}`);
}

async function sayAll(page, texts) {
    for (const text of texts) await ui.say(page, text);
    return texts;
}

/** All windows show these messages, each once, in one order without holes; of each author in the order said. */
async function assertWhole(pages, ...said) {
    for (const page of pages) for (const texts of said) await ui.shown(page, texts.at(-1));
    const logs = await Promise.all(pages.map(ui.messages));
    const [first] = logs;
    for (const log of logs) assert.deepEqual(log, first);
    assert.equal(first.length, said.flat().length);
    assert.deepEqual(first.map((m) => m.seq), first.map((_, i) => first[0].seq + i));
    for (const texts of said) assert.deepEqual(first.map((m) => m.text).filter((t) => texts.includes(t)), texts);
    for (const page of pages) assert.deepEqual(page.problems, []);
}

const scenarios = {
    async meet() {
        const [alice, bob] = await pair();
        await ui.say(alice, "hello n2");
        await ui.shown(bob, "hello n2");
        await ui.say(bob, "hello n1");
        await assertWhole([alice, bob], ["hello n2"], ["hello n1"]);
        assert.deepEqual([await ui.node(alice), await ui.node(bob)], ["n1", "n2"]);
        const carl = await enter("carl");
        await together(alice, bob, carl);
        await assertWhole([alice, bob, carl], ["hello n2"], ["hello n1"]);
        await carl.close(); // as one closes a tab
        await together(alice, bob);
    },

    async killed() {
        // Her first try waits for a second, so that something happens meanwhile.
        const [alice, bob] = await pair({ setup: "Math.random = () => 0.999" });
        const recorded = await record(bob);
        const fromAlice = await sayAll(alice, series("on the way", 3));
        const waiting = ui.until(alice, "waiting"); // it lasts for a second
        const killed = please("kill", "n1");
        const fromBob = await sayAll(bob, series("meanwhile", 3));
        await killed;
        await waiting;
        fromAlice.push(...await sayAll(alice, series("from the dark", 2)));
        await ui.shown(alice, fromAlice.at(-1), "pending");
        await shoot(alice, "real-waiting");
        await ui.until(alice, "online");
        fromBob.push(...await sayAll(bob, ["welcome back"]));
        await assertWhole([alice, bob], fromAlice, fromBob);
        await eventually("notice", () => ui.notices(alice), /Reconnected to n2/);
        assert.equal(await ui.node(alice), "n2");
        await shoot(alice, "real-resumed");

        await please("start", "n1");
        const carl = await enter("carl", { on: "n1" });
        await together(alice, bob, carl);
        fromBob.push(...await sayAll(bob, ["hello n1"]));
        await assertWhole([alice, bob, carl], fromAlice, fromBob);
        const { people, states } = await recorded();
        assert.ok(people.every((names) => names.includes("alice") && names.includes("bob")), JSON.stringify(people));
        assert.deepEqual(states, []);
    },

    async reloaded() {
        const [alice, bob] = await pair();
        const windows = [alice, bob];
        const recorded = await Promise.all(windows.map(record));
        const sockets = windows.map((page) => page.sockets.length);
        const said = [[], []];
        for (let round = 1; round <= 3; round++) {
            const reloaded = please("reload");
            for (const i of [0, 1]) said[i].push(...await sayAll(windows[i], series(`${i} in ${round},`, 3)));
            await reloaded;
        }
        await assertWhole(windows, ...said);
        assert.deepEqual(windows.map((page) => page.sockets.length), sockets);
        for (const of of recorded) assert.deepEqual(await of(), { states: [], people: [] });
    },

    async drained() {
        const [alice, bob] = await pair();
        const recorded = await Promise.all([alice, bob].map(record));
        await please("terminate", "n1");
        const said = [[], []];
        for (let round = 1; await ui.node(alice) !== "n2"; round++) {
            said[0].push(...await sayAll(alice, [`alice ${round}`]));
            said[1].push(...await sayAll(bob, [`bob ${round}`]));
        }
        await please("ended", "n1");
        await assertWhole([alice, bob], ...said);
        await eventually("notice", () => ui.notices(alice), /Moved to n2 without a break/);
        for (const of of recorded) {
            const { states, people } = await of();
            assert.ok(states.every((state) => state === "online"), String(states));
            assert.ok(people.every((names) => names.includes("alice")), JSON.stringify(people));
        }
        await shoot(alice, "real-moved");
    },

    async secure() {
        const alice = await enter("alice", { base: https, ignoreHTTPSErrors: true });
        assert.match(alice.sockets.at(-1), /^wss:/);
        const bob = await enter("bob");
        await together(alice, bob);
        await ui.say(alice, "sealed");
        await ui.shown(bob, "sealed");
        await ui.say(bob, "plain");
        await assertWhole([alice, bob], ["sealed"], ["plain"]);
    },

    // Each node takes one client only.
    async full() {
        await enter("alice", { on: "n1" });
        const bob = await enter("bob", { on: "n2" });
        const carl = await ui.open(browser, { colorScheme: "dark" });
        await carl.goto(`${http}?room=lobby&name=carl`);
        await eventually("why", () => carl.getByTestId("explanation").textContent(),
            /refused the connection \(503\):\nThis server has all the clients it may have/);
        await shoot(carl, "real-full-dark");
        await bob.getByTestId("leave").click();
        await eventually("his place", async () => {
            await carl.getByTestId("retry").click({ timeout: 500 }).catch(() => {}); // or he is in, or trying
            return ui.state(carl);
        }, "online");
    },

    async nobody() {
        const alice = await enter("alice");
        await please("kill", "n1");
        await please("kill", "n2");
        await ui.say(alice, "anybody?");
        await eventually("why", () => alice.getByTestId("explanation").textContent(),
            /refused the connection \(50[23]\):\n./);
        await shoot(alice, "real-nobody");
        await please("start", "n2");
        await assertWhole([alice], ["anybody?"]);
        assert.equal(await alice.getByTestId("banner").isVisible(), false);
    },

    async misnamed() {
        const page = await ui.open(browser);
        await page.goto(`${http}?room=no%20room&name=alice`);
        await page.getByRole("button", { name: "Join" }).click();
        assert.ok(await page.locator("#room:invalid").isVisible());
        assert.deepEqual(page.sockets, []);
        const why = await page.evaluate(async () => (await import("/postern.js")).explain("/ws/no%20room"));
        assert.equal(why.status, 400);
        assert.match(why.text, /^The path names no room\.\nAsk for /);
    },

    async looks() {
        const talk = ["Morning! Is the new node up?", "It took its first connections a minute ago.",
            "Then let us drain n1 and see whether anybody notices.", "Drained. Did you?"];
        const [alice, bob] = await pair();
        for (const [i, text] of talk.entries()) {
            await ui.say([alice, bob][i % 2], text);
            await ui.shown([bob, alice][i % 2], text);
        }
        for (const colorScheme of ["light", "dark"]) {
            for (const [size, width, height] of [["wide", 1100, 720], ["phone", 390, 780]]) {
                const page = await enter("Chloé", { colorScheme, viewport: { width, height } });
                await ui.shown(page, talk.at(-1));
                await together(alice, bob, page);
                await shoot(page, `real-${size}-${colorScheme}`);
                assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "sideways scroll");
                await page.getByTestId("leave").click();
                await page.close();
            }
        }
    },
};

if (!name) {
    console.log(Object.keys(scenarios).join("\n"));
    process.exit();
}
browser = await ui.launch();
try {
    await scenarios[name]();
} finally {
    await browser.close();
    process.stdin.destroy();
}
