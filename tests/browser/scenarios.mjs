// scenarios.mjs -- what a person sees while the server misbehaves: node scenarios.mjs NAME BASE_URL
//
// The server is fake_server.py; test_page.py starts one for each scenario.

import assert from "node:assert/strict";
import { retryDelay } from "../../wsserver/page/postern.js";
import * as ui from "./page.mjs";
import { eventually, shoot } from "./page.mjs";

const [name, base] = process.argv.slice(2);
let browser;

const get = async (path) => (await fetch(base + path)).text();
const fault = (what) => get(`fault/${what}`);
const seen = async (type) => JSON.parse(await get("seen")).filter((f) => f.t === type);
const sayOutside = (text, room = "lobby") => get(`say?${new URLSearchParams({ room, from: "bob", text })}`);

async function enter(who, options) {
    const page = await ui.open(browser, options);
    await ui.join(page, { base, room: "lobby", name: who });
    return page;
}

// Cut every connection and let nobody back in until `meanwhile` is done.
async function away(page, node, meanwhile) {
    await fault("refuse?status=503&text=starting");
    await fault(`kill?node=${node}`);
    await ui.until(page, "waiting");
    await meanwhile();
    await fault("refuse?status=0");
    await hurry(page);
}

// Press "Try now", unless the page has come back by itself this very moment.
async function hurry(page) {
    await page.getByTestId("retry").click({ timeout: 500 }).catch(() => {});
}

// No message twice, none missing, places rising.
async function assertWhole(page, wanted) {
    const all = await ui.messages(page);
    assert.deepEqual(all.map((m) => m.text), wanted);
    assert.deepEqual(all.map((m) => m.seq), wanted.map((_, i) => all[0].seq + i));
    assert.deepEqual(page.problems, []);
}

const scenarios = {
    async chat() {
        const alice = await enter("alice");
        const bob = await enter("bob");
        await ui.say(alice, "hello bob");
        await ui.shown(bob, "hello bob");
        await ui.say(bob, "<b>hello</b> alice");
        await ui.shown(alice, "<b>hello</b> alice");
        for (const page of [alice, bob]) await assertWhole(page, ["hello bob", "<b>hello</b> alice"]);
        assert.equal(await ui.node(alice), "n1");
        const late = await enter("carl");
        await ui.shown(late, "<b>hello</b> alice");
        await assertWhole(late, ["hello bob", "<b>hello</b> alice"]);
    },

    async autojoin() {
        const page = await ui.open(browser);
        await page.goto(`${base}?room=dev&name=eve`);
        await ui.until(page, "online");
        assert.equal(await page.getByTestId("room-name").textContent(), "dev");
        assert.deepEqual(await ui.people(page), ["eve"]);
    },

    async people() {
        const alice = await enter("alice");
        const bob = await enter("bob");
        await eventually("alice sees", () => ui.people(alice), ["alice", "bob"]);
        const again = await enter("bob");
        await eventually("bob twice", () => alice.getByTestId("people").textContent(), /×2/);
        await again.getByTestId("leave").click();
        await bob.getByTestId("leave").click();
        await eventually("both left", () => ui.people(alice), ["alice"], 1500);
    },

    async killed() {
        const alice = await enter("alice");
        await ui.say(alice, "one");
        await ui.shown(alice, "one");
        await away(alice, "n2", async () => {
            for (const text of ["two", "three", "four"]) await sayOutside(text);
        });
        await ui.shown(alice, "four");
        await assertWhole(alice, ["one", "two", "three", "four"]);
        await eventually("notice", () => ui.notices(alice), /Reconnected to n2, 3 messages caught up/);
        assert.equal(await ui.node(alice), "n2");
        await shoot(alice, "resumed-light");
        assert.equal((await seen("auth")).at(-1).resume.pos.lobby[1], 1);
        assert.deepEqual(await ui.people(alice), ["alice"]);
    },

    async unacked() {
        const alice = await enter("alice");
        await fault("next?how=unacked");
        await fault("refuse?status=503&text=busy"); // until it was seen to be pending
        await ui.say(alice, "stored, not acked");
        await ui.shown(alice, "stored, not acked", "pending");
        await fault("refuse?status=0");
        await ui.shown(alice, "stored, not acked", "sent");
        await ui.say(alice, "after");
        await ui.shown(alice, "after");
        await assertWhole(alice, ["stored, not acked", "after"]);
        const [first, second] = await seen("pub");
        assert.equal(first.cid, second.cid);
    },

    async lost() {
        const alice = await enter("alice");
        await fault("next?how=lost");
        await fault("refuse?status=503&text=busy");
        await ui.say(alice, "first");
        await ui.shown(alice, "first", "pending");
        await ui.until(alice, "waiting");
        await ui.say(alice, "second");
        await sayOutside("meanwhile");
        await fault("refuse?status=0");
        await hurry(alice);
        await ui.shown(alice, "second");
        await assertWhole(alice, ["meanwhile", "first", "second"]);
        const pubs = await seen("pub");
        assert.equal(new Set(pubs.map((f) => f.cid)).size, 2);
    },

    async errors() {
        const alice = await enter("alice");
        await fault("next?how=busy");
        await ui.say(alice, "again");
        await ui.shown(alice, "again");
        await fault("next?how=refused");
        await ui.say(alice, "never");
        await ui.shown(alice, "never", "failed");
        const [first, second] = await seen("pub");
        assert.equal(first.cid, second.cid);
    },

    async faulty() {
        const alice = await enter("alice");
        await ui.say(alice, "1");
        await ui.shown(alice, "1");
        for (const how of ["dup", "hole", "swap"]) {
            await fault(`next?how=${how}`);
            const bob = await enter("bob");
            await ui.say(bob, how);
            await ui.say(bob, `after ${how}`);
            await ui.shown(alice, `after ${how}`);
            await bob.close();
        }
        await assertWhole(alice, ["1", "dup", "after dup", "hole", "after hole", "swap", "after swap"]);
    },

    async gap() {
        const alice = await enter("alice", { viewport: { width: 390, height: 700 } });
        await ui.say(alice, "one");
        await ui.shown(alice, "one");
        await away(alice, "n2", async () => {
            for (let i = 2; i <= 9; i++) await sayOutside(`m${i}`);
            await fault("forget?room=lobby&keep=2");
        });
        await ui.shown(alice, "m9");
        assert.deepEqual(await ui.texts(alice), ["one", "m8", "m9"]);
        await eventually("notice", () => ui.notices(alice), /Gap: reconnected to n2/);
        await shoot(alice, "gap-phone-light");
        await away(alice, "n3", () => fault("epoch?room=lobby"));
        await eventually("notice", () => ui.notices(alice), /n3, but the server began a new log/);
        await ui.say(alice, "in the new log");
        await ui.shown(alice, "in the new log");
    },

    async drained() {
        const alice = await enter("alice");
        const states = alice.evaluate(() => new Promise((resolve) => {
            const all = [];
            new MutationObserver(() => {
                all.push(document.querySelector("[data-testid=state]").dataset.state);
            }).observe(document.querySelector("[data-testid=state]"), { attributes: true });
            setTimeout(() => resolve(all), 3500);
        }));
        await fault("refuse?status=503&text=draining"); // the balancer sends it to the same node again
        const refused = new Promise((resolve) => alice.once("websocket", (ws) => ws.on("close", resolve)));
        await fault("drain?after=0&node=n2");
        await refused;
        await fault("refuse?status=0");
        for (let i = 1; i <= 20; i++) await sayOutside(`m${i}`);
        await eventually("notice", () => ui.notices(alice), /Moved to n2 without a break/);
        assert.ok((await states).every((s) => s === "online"));
        await assertWhole(alice, Array.from({ length: 20 }, (_, i) => `m${i + 1}`));
    },

    async fatal() {
        const alice = await enter("alice");
        await fault(`close?code=4006&reason=${encodeURIComponent("removed by an operator")}`);
        await ui.until(alice, "closed");
        assert.match(await alice.getByTestId("banner").textContent(), /removed by an operator \(4006\)/);
        assert.ok(await alice.getByTestId("text").isDisabled());
        const tries = (await seen("auth")).length;
        await new Promise((resolve) => setTimeout(resolve, 2500));
        assert.equal((await seen("auth")).length, tries);
        await shoot(alice, "fatal");
    },

    async overload() {
        const alice = await enter("alice");
        const start = Date.now();
        await fault(`close?code=1013&reason=${encodeURIComponent("overload;after=2500")}`);
        await ui.until(alice, "waiting");
        await alice.getByTestId("retry").click(); // not before the server allows
        await ui.until(alice, "online");
        assert.ok(Date.now() - start >= 2400, `came back after ${Date.now() - start} ms`);
    },

    async refused() {
        await fault(`refuse?status=503&text=${encodeURIComponent("this node is draining\ncome back in a minute")}`);
        const page = await ui.open(browser, { colorScheme: "dark" });
        await page.goto(`${base}?room=lobby&name=alice`);
        await eventually("why", () => page.getByTestId("explanation").textContent(), /\(503\):\nthis node is draining/);
        await shoot(page, "refused-dark");
        await fault("refuse?status=0");
        await ui.until(page, "online");
        assert.equal(await page.getByTestId("banner").isVisible(), false);
    },

    async silent() {
        const page = await ui.open(browser);
        await page.clock.install();
        await ui.join(page, { base, room: "lobby", name: "alice" });
        await fault("mute");
        await sayOutside("unheard at first");
        await page.clock.runFor(45000); // ping 25 s, pong 10 s, and then a retry
        await ui.shown(page, "unheard at first");
    },

    async older() {
        for (let i = 1; i <= 120; i++) await sayOutside(`m${i}`);
        const alice = await enter("alice");
        await ui.shown(alice, "m120");
        assert.equal((await ui.texts(alice)).length, 50);
        for (const n of [100, 120]) {
            await alice.getByTestId("older").click();
            await eventually("rows", async () => (await ui.texts(alice)).length, n);
        }
        await assertWhole(alice, Array.from({ length: 120 }, (_, i) => `m${i + 1}`));
        assert.equal(await alice.getByTestId("older").isVisible(), false);
    },

    async looks() {
        const grounds = [];
        const talk = ["Morning! Is the new node up?", "n2 took its first connections a minute ago.",
            "Then let us drain n1 and see whether anybody notices.", "Drained. Did you?"];
        for (const text of talk) await sayOutside(text);
        await enter("Chloé");
        for (const colorScheme of ["light", "dark"]) {
            for (const [size, width, height] of [["wide", 1100, 720], ["phone", 390, 780]]) {
                const page = await ui.open(browser, { colorScheme, viewport: { width, height } });
                await page.goto(base);
                await shoot(page, `join-${size}-${colorScheme}`);
                await ui.join(page, { base, room: "lobby", name: "alice" });
                await ui.say(page, `I did not notice a thing (${size}, ${colorScheme}).`);
                await ui.shown(page, `I did not notice a thing (${size}, ${colorScheme}).`);
                await shoot(page, `chat-${size}-${colorScheme}`);
                grounds.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
                assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "sideways scroll");
                assert.deepEqual(page.problems, []);
            }
        }
        assert.equal(grounds[0], grounds[1]);
        assert.notEqual(grounds[0], grounds[2]);
        const page = await enter("alice");
        await fault("refuse?status=502&text=no%20target");
        await fault("kill?node=n2");
        await ui.until(page, "waiting");
        await ui.say(page, "Is anybody there?");
        await ui.shown(page, "Is anybody there?", "pending");
        await shoot(page, "waiting-light");
    },

    // The retry policy alone: code, reason, attempt, least and most delay (null: never).
    async policy() {
        const cases = [
            ["no close frame, first", 1006, "", 0, [0, 1000]],
            ["no close frame, fourth", 1006, "", 3, [0, 4000]],
            ["capped", 1006, "", 30, [0, 20000]],
            ["normal end", 1000, "", 0, null],
            ["protocol fault", 1002, "", 0, null],
            ["internal", 1011, "", 1, [0, 1000]],
            ["restart, told when", 1012, "restart;after=8000", 0, [8000, 8000]],
            ["restart, not told", 1012, "", 0, [0, 5000]],
            ["overload", 1013, "", 0, [1000, 1000]],
            ["overload, told when", 1013, "overload;after=7000", 0, [7000, 7000]],
            ["fatal", 4001, "bad user;after=1", 0, null],
            ["temporary", 4104, "", 2, [0, 2000]],
            ["come again", 4200, "move", 0, [0, 1000]],
            ["token", 4300, "", 0, null],
            ["unknown", 4999, "", 2, [0, 2000]],
            ["after in a word is no after", 4100, "hereafter=9", 0, [0, 500]],
        ];
        for (const [what, code, reason, attempt, bounds] of cases) {
            const got = [0, 1].map((r) => retryDelay(code, reason, attempt, () => r));
            assert.deepEqual(got, bounds ?? [null, null], what);
        }
    },
};

if (!name) {
    console.log(Object.keys(scenarios).join("\n"));
} else {
    browser = name === "policy" ? null : await ui.launch();
    try {
        await scenarios[name]();
        console.log(`${name}: ok`);
    } finally {
        await browser?.close();
    }
}
