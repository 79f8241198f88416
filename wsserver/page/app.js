/*
 * app.js -- the demo page: from the client's events to what is seen.
 *
 * The rows of the log are the only record of what was said: a message that was
 * published here is a row without a place ("pending") until its own copy or its
 * ack comes back.
 */

import { Client } from "./postern.js";

const HISTORY = 50;
const ROWS_MAX = 1000;
const GROUP_MS = 5 * 60 * 1000;
const HUES = 12;

const $ = (id) => document.getElementById(id);
const log = $("log");
const scroller = $("scroller");

let client = null;
let room = "";
let wasOnline = false;
let countdown = null;

// --- small things -----------------------------------------------------------

function element(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
}

function hueOf(name) {
    let hash = 0x811c9dc5; // FNV-1a
    for (const c of name) hash = Math.imul(hash ^ c.codePointAt(0), 0x01000193);
    return `hue-${(hash >>> 12) % HUES}`;
}

function avatar(name) {
    const node = element("span", `avatar ${hueOf(name)}`, [...name][0].toUpperCase());
    node.ariaHidden = "true";
    return node;
}

function clock(ts) {
    const when = new Date(ts);
    const text = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const node = element("time", "", text);
    node.dateTime = when.toISOString();
    return node;
}

function plural(n, one, many) {
    return `${n} ${n === 1 ? one : many}`;
}

// --- the log ----------------------------------------------------------------

function atEnd() {
    return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;
}

// Keep the newest in view, unless the reader has scrolled up to read.
function add(row, before = null, follow = atEnd()) {
    log.insertBefore(row, before);
    while (log.children.length > ROWS_MAX) log.firstElementChild.remove();
    $("empty").hidden = true;
    if (follow) scroller.scrollTop = scroller.scrollHeight;
}

// What has no place yet stands at the end, behind everything that has happened.
function firstPending(but = null) {
    return [...log.children].find((row) => row !== but && row.dataset.status === "pending") ?? null;
}

function notice(text, kind = "info") {
    const row = element("li", `notice ${kind}`, text);
    row.dataset.testid = "notice";
    add(row, firstPending());
}

function wording(d) {
    return typeof d?.text === "string" ? d.text : JSON.stringify(d);
}

function messageRow(from, d, ts) {
    const row = element("li", "message");
    row.dataset.testid = "message";
    row.dataset.from = from;
    row.dataset.ts = ts;
    if (from === client.user) row.classList.add("mine");
    const head = element("p", "head");
    head.append(element("span", `author ${hueOf(from)}`, from), clock(ts));
    const body = element("div", "body");
    body.append(head, element("p", "text", wording(d)));
    row.append(avatar(from), body);
    return row;
}

function place(row, { ep, seq }) {
    row.dataset.place = `${ep}:${seq}`;
    row.dataset.ep = ep;
    row.dataset.seq = seq;
    setStatus(row, "sent");
}

function setStatus(row, status, why = "") {
    row.dataset.status = status;
    row.querySelector(".delivery")?.remove();
    const words = { pending: "sending…", failed: `not sent: ${why}` };
    if (words[status]) row.querySelector(".body").append(element("p", "delivery", words[status]));
}

// A row that follows one of the same author within minutes needs no head.
function group(row) {
    const before = row.previousElementSibling;
    const follows = before?.dataset.from === row.dataset.from
        && row.dataset.ts - before.dataset.ts < GROUP_MS;
    row.classList.toggle("follows", Boolean(follows));
}

function rowBy(key, value) {
    return value ? [...log.children].findLast((row) => row.dataset[key] === value) : undefined;
}

function showMessage(m) {
    const mine = m.from === client.user && rowBy("cid", m.cid);
    if (rowBy("place", `${m.ep}:${m.seq}`)) return; // history after a gap can overlap
    const row = mine || messageRow(m.from, m.d, m.ts);
    place(row, m);
    const pending = firstPending(row); // before it is the one order that everybody sees
    if (!mine || row.nextElementSibling !== pending) add(row, pending);
    group(row);
    if (row.nextElementSibling) group(row.nextElementSibling);
    updateOlder();
}

function say(text) {
    const cid = client.publish(room, { text });
    if (cid === null) {
        notice("Too many messages wait to be sent already.", "warn");
        return false;
    }
    const row = messageRow(client.user, { text }, Date.now());
    row.dataset.cid = cid;
    setStatus(row, "pending");
    add(row, null, true);
    group(row);
    return true;
}

function updateOlder() {
    const first = [...log.children].find((row) => row.dataset.seq);
    $("older").hidden = !first || Number(first.dataset.seq) <= 1;
}

async function showOlder() {
    const first = [...log.children].find((row) => row.dataset.seq);
    const answer = await client.older(room, Number(first.dataset.seq), HISTORY);
    if (!answer) return;
    const height = scroller.scrollHeight;
    for (const m of answer.msgs.toReversed()) {
        if (m.ep !== first.dataset.ep) continue;
        const row = messageRow(m.from, m.d, m.ts);
        place(row, m);
        log.prepend(row);
    }
    for (const row of log.children) if (row.dataset.from) group(row);
    scroller.scrollTop += scroller.scrollHeight - height;
    $("older").hidden = !answer.more;
}

// --- who, where, how --------------------------------------------------------

function showPeople({ users }) {
    const names = [...users.keys()].sort((a, b) => a.localeCompare(b));
    $("people").replaceChildren(...names.map((name) => {
        const row = element("li");
        row.dataset.name = name;
        row.append(avatar(name), element("span", "person", name));
        if (name === client.user) row.append(element("span", "tag", "you"));
        const n = users.get(name);
        if (n > 1) row.append(element("span", "tag", `×${n}`));
        return row;
    }));
    $("people-count").textContent = $("people-count-small").textContent = names.length;
}

const STATES = {
    idle: "",
    connecting: "connecting",
    online: "online",
    waiting: "reconnecting",
    closed: "disconnected",
};

function showState(state) {
    clearInterval(countdown);
    $("state").dataset.state = state.state;
    $("state").textContent = STATES[state.state];
    $("node").hidden = !state.node;
    $("node").textContent = state.node ?? "";
    $("people-panel").classList.toggle("stale", state.state !== "online");
    $("text").disabled = $("send").disabled = state.state === "closed";
    wasOnline ||= state.state === "online";
    if (state.state === "online") hideBanner();
    else if (state.state === "connecting") $("banner-text").textContent = "Trying…";
    else if (state.state === "waiting") showWaiting(state);
    else if (state.state === "closed") showClosed(state);
}

function hideBanner() {
    $("banner").hidden = $("explanation").hidden = true;
}

function banner(kind, title) {
    $("banner").className = `banner ${kind}`;
    $("banner-title").textContent = title;
    $("banner").hidden = false;
}

function showWaiting({ code, reason, wait }) {
    const until = Date.now() + wait;
    const what = wasOnline ? "Connection lost." : "No connection yet.";
    banner("warn", navigator.onLine ? what : "You seem to be offline.");
    $("retry").hidden = false;
    const why = reason ? ` (${reason.split(";")[0]}, ${code})` : "";
    const tick = () => {
        const left = Math.ceil((until - Date.now()) / 1000);
        $("banner-text").textContent = `Trying again in ${Math.max(left, 1)} s${why}.`;
    };
    tick();
    countdown = setInterval(tick, 500);
}

function showClosed({ code, reason }) {
    if (code === 1000) return;
    banner("bad", "The server closed the connection for good:");
    $("banner-text").textContent = reason ? `${reason.split(";")[0]} (${code}).` : `code ${code}.`;
    $("retry").hidden = true;
    for (const row of log.querySelectorAll("[data-status=pending]")) setStatus(row, "failed", "disconnected");
}

// A WebSocket that is refused shows scripts only 1006; the same path over plain
// HTTP has the words. 426 means that HTTP arrives and just the upgrade does not.
function showRefused({ status, text }) {
    if (client.state === "online") return;
    const lead = status === 0 ? "No answer from the server."
        : status === 426 ? "The server answers, but the WebSocket upgrade does not get through. It says:"
        : `The server refused the connection (${status}):`;
    $("explanation").textContent = text ? `${lead}\n${text}` : lead;
    $("explanation").hidden = false;
}

function showResumed({ node, missed, moved }) {
    if (moved) notice(`Moved to ${node} without a break`);
    else notice(missed > 0
        ? `Reconnected to ${node}, ${plural(missed, "message", "messages")} caught up`
        : `Reconnected to ${node}, nothing missed`);
}

const GAPS = {
    gap: "the server no longer has what was said meanwhile",
    epoch: "the server began a new log",
};

function showGap({ why, node }) {
    notice(`Gap: reconnected to ${node}, but ${GAPS[why] ?? why}. Some messages may be missing here.`, "warn");
}

function showJoined({ seq }) {
    $("empty").hidden = seq > 0 || log.children.length > 0;
}

function showFailed({ cid, code, msg }) {
    const row = rowBy("cid", cid);
    if (row) setStatus(row, "failed", msg || code);
    else notice(`The server refused: ${msg || code}`, "warn");
}

function showSent({ cid }) {
    const row = rowBy("cid", cid);
    if (row) setStatus(row, "sent");
}

// --- coming and going -------------------------------------------------------

function socketUrl(name) {
    const url = new URL(`ws/${name}`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.search = url.hash = "";
    return url;
}

function enter(user, name) {
    room = name;
    history.replaceState(null, "", `?${new URLSearchParams({ room, name: user })}`);
    document.title = `#${room} · Postern chat`;
    $("room-name").textContent = room;
    $("join").hidden = true;
    $("chat").hidden = false;
    $("empty").hidden = true;
    $("older").hidden = true;
    log.replaceChildren();
    wasOnline = false;
    client = new Client(socketUrl(room), { user });
    client.on("state", showState).on("message", showMessage).on("presence", showPeople);
    client.on("resumed", showResumed).on("gap", showGap).on("refused", showRefused);
    client.on("sent", showSent).on("failed", showFailed).on("joined", showJoined);
    client.join(room, { hist: HISTORY, pres: true });
    client.start();
    $("text").focus();
}

function leave() {
    client.close();
    hideBanner();
    showPeople({ users: new Map() });
    history.replaceState(null, "", location.pathname);
    document.title = "Postern chat";
    $("chat").hidden = true;
    $("join").hidden = false;
    $("name").focus();
}

function joinFromForm() {
    const user = $("name").value.trim();
    if (!user || new TextEncoder().encode(user).length > 64) {
        $("join-error").textContent = "A name has 1 to 64 bytes.";
        $("join-error").hidden = false;
        return;
    }
    $("join-error").hidden = true;
    enter(user, $("room").value);
}

$("join-form").addEventListener("submit", (event) => {
    event.preventDefault();
    joinFromForm();
});

$("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("text").value.trim();
    if (text && say(text)) $("text").value = "";
    $("text").focus();
});

$("text").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    $("composer").requestSubmit();
});

$("leave").addEventListener("click", leave);
$("older").addEventListener("click", showOlder);
$("retry").addEventListener("click", () => client.hurry());
$("people-toggle").addEventListener("click", () => {
    const open = $("people-panel").classList.toggle("open");
    $("people-toggle").ariaExpanded = String(open);
});

const asked = new URLSearchParams(location.search);
$("name").value = asked.get("name") ?? "";
$("room").value = asked.get("room") ?? "lobby";
if (asked.get("name") && asked.get("room") && $("join-form").checkValidity()) joinFromForm();
