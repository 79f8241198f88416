/*
 * postern.js -- a client of wsserver.v1.json whose connection outlives its nodes.
 *
 * docs/protocol.md is the protocol; its "client in ten rules" is this file. No
 * dependencies, works in browsers and in anything else with WebSocket and fetch.
 *
 *     const client = new Client("wss://host/ws/lobby", { user: "alice" });
 *     client.on("message", (m) => show(m.from, m.d.text));
 *     client.join("lobby", { hist: 50, pres: true });
 *     client.start();
 *     const cid = client.publish("lobby", { text: "hi" });
 *
 * Events, each with one object:
 *
 *   state     { state, node, code, reason, wait }  idle, connecting, online, waiting, closed.
 *             waiting: the next try is in `wait` ms. closed: for good, `code` and `reason` say why
 *   message   a msg frame, in order, once each
 *   presence  { ch, users }  users: Map of name to number of connections
 *   joined    { ch, seq, node }  a fresh start on a channel (sub, not resume)
 *   resumed   { ch, node, missed, moved }  after the missed messages; moved: no interruption at all
 *   gap       { ch, why, node }  messages may be lost to us; history follows
 *   sent      { ch, cid, seq, dur }  a publish is stored (dur absent: its message came before its ack)
 *   failed    { ch, cid, code, msg }  a publish never will be (cid absent: a join)
 *   refused   { status, text }  the upgrade failed and the server told why (status 0: no answer)
 */

const PROTOCOL = "wsserver.v1.json";
const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 20000;
const QUICK_MS = 1000;    // the first try after a loss, spread over this
const STABLE_MS = 10000;  // online for so long: the back-off starts anew
const WELCOME_MS = 10000; // from opening to welcome
const PONG_MS = 10000;
const WATCH_MS = 2000;
const OUTBOX_MAX = 100;

const POLICY = [
    // first, last, what the client does
    [1000, 1000, "stop"],
    [1002, 1003, "stop"],
    [1005, 1006, "quick"],
    [1007, 1008, "stop"],
    [1010, 1010, "stop"],
    [1012, 1012, "restart"],
    [1013, 1013, "overload"],
    [4000, 4099, "stop"],
    [4200, 4299, "quick"],
    [4300, 4399, "stop"],
];

/**
 * Milliseconds to wait before the next try, or null: do not try again.
 * `attempt` counts tries since the connection was last stable.
 */
export function retryDelay(code, reason, attempt, random = Math.random) {
    const policy = POLICY.find(([first, last]) => code >= first && code <= last)?.[2] ?? "backoff";
    if (policy === "stop") return null;
    const after = afterOf(reason);
    let wait = random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** attempt);
    if (policy === "quick" && attempt === 0) wait = random() * QUICK_MS;
    if (policy === "restart" && attempt === 0) wait = after || random() * 5000;
    if (policy === "overload") wait = Math.max(wait, 1000);
    return Math.max(wait, after);
}

function afterOf(reason) {
    return Number(/(?:^|;)after=(\d{1,6})(?:;|$)/.exec(reason ?? "")?.[1] ?? 0);
}

/** What the server has to say about a refused upgrade; a WebSocket never shows it. */
export async function explain(url) {
    try {
        const http = String(url).replace(/^ws/, "http");
        const answer = await fetch(http, { cache: "no-store", signal: AbortSignal.timeout(5000) });
        const isText = answer.headers.get("content-type")?.startsWith("text/plain");
        const text = isText ? await answer.text() : answer.statusText; // others send pages
        return { status: answer.status, text: text.slice(0, 500).trim() };
    } catch {
        return { status: 0, text: "" };
    }
}

export class Client {
    #url;
    #user;
    #listeners = new Map();
    #channels = new Map(); // name -> { name, hist, pres, ep, seq, joined, catchUp, users, rev }
    #outbox = new Map();   // cid -> { ch, cid, d }: not known to be stored, in order
    #sess;
    #link = null; // the connection in use
    #next = null; // the one that will replace it while a node drains
    #state = { state: "idle" };
    #attempt = 0;
    #timer = null;
    #notBefore = 0; // the server asked us not to come before this
    #lastId = 0;
    #cidPrefix = [...crypto.getRandomValues(new Uint8Array(6))].map((b) => b.toString(36)).join("");
    #frames = {
        hello: (link, f) => this.#hello(link, f),
        welcome: (link, f) => this.#welcome(link, f),
        ok: (link, f) => this.#ok(link, f),
        msg: (link, f) => this.#msg(link, f),
        ack: (link, f) => this.#ack(link, f),
        pres: (link, f) => this.#pres(link, f),
        hist: (link, f) => this.#hist(link, f),
        err: (link, f) => this.#err(link, f),
        ping: (link, f) => this.#send(link, { t: "pong", ts: f.ts }),
        drain: (link, f) => this.#drain(link, f),
    };

    constructor(url, { user }) {
        this.#url = String(url);
        this.#user = user;
    }

    get state() {
        return this.#state.state;
    }

    get user() {
        return this.#user;
    }

    on(event, listener) {
        if (!this.#listeners.has(event)) this.#listeners.set(event, []);
        this.#listeners.get(event).push(listener);
        return this;
    }

    start() {
        globalThis.addEventListener?.("online", this.#hurry);
        globalThis.addEventListener?.("pageshow", this.#hurry);
        globalThis.document?.addEventListener("visibilitychange", this.#hurry);
        this.#connect();
    }

    /** Leave for good: presence shows it at once. */
    close() {
        if (this.#link?.welcome) this.#send(this.#link, { t: "bye" });
        for (const link of [this.#link, this.#next]) if (link) this.#forget(link, 1000, "bye");
        this.#stop(1000, "bye");
    }

    join(name, { hist = 0, pres = false } = {}) {
        if (this.#channels.has(name)) return;
        const ch = { name, hist, pres, ep: null, seq: 0, joined: false, users: new Map(), rev: 0 };
        this.#channels.set(name, ch);
        if (this.#link?.welcome) this.#sub(this.#link, ch);
    }

    leave(name) {
        if (!this.#channels.delete(name)) return;
        if (this.#link?.welcome) this.#request(this.#link, { t: "unsub", ch: name }, {});
    }

    /**
     * Takes a message, now or as soon as there is a connection, and returns its
     * cid; null when too many wait already. "sent" or "failed" follows, once.
     */
    publish(name, d) {
        if (this.#outbox.size >= OUTBOX_MAX) return null;
        const cid = `${this.#cidPrefix}-${++this.#lastId}`;
        this.#outbox.set(cid, { ch: name, cid, d });
        this.#pub(this.#link, cid);
        return cid;
    }

    /** Messages before `before`: { msgs, more }, or null when it cannot be had now. */
    async older(name, before, n = 50) {
        const link = this.#link;
        if (!link?.welcome) return null;
        return new Promise((resolve) =>
            this.#request(link, { t: "hist", ch: name, before, n }, { resolve }));
    }

    /** Do not wait for the next try (but never come earlier than the server asked). */
    hurry() {
        if (this.#state.state === "waiting" && Date.now() >= this.#notBefore) this.#connect();
        else if (this.#link?.welcome && Date.now() - this.#link.heard > WATCH_MS) this.#probe(this.#link);
    }

    #hurry = () => {
        if (globalThis.document?.visibilityState !== "hidden") this.hurry();
    };

    // --- connections ------------------------------------------------------

    #connect() {
        clearTimeout(this.#timer);
        this.#link = this.#open();
        this.#setState({ state: "connecting" });
    }

    #open() {
        const ws = new WebSocket(this.#url, PROTOCOL);
        const link = { ws, opened: false, welcome: false, probed: 0, moves: 0, requests: new Map() };
        link.heard = Date.now();
        ws.onopen = () => (link.opened = true);
        ws.onmessage = (event) => this.#receive(link, event.data);
        ws.onclose = (event) => this.#gone(link, event.code, event.reason);
        link.timer = setTimeout(() => this.#drop(link, 4104, "no welcome"), WELCOME_MS);
        return link;
    }

    #forget(link, code, reason) {
        clearTimeout(link.timer);
        clearTimeout(link.stable);
        clearTimeout(link.moving);
        clearInterval(link.watch);
        link.ws.onopen = link.ws.onmessage = link.ws.onclose = null;
        for (const request of link.requests.values()) request.resolve?.(null);
        if (code) link.ws.close(code, reason);
    }

    // close() on a dead path waits for minutes, so the link is given up here and now.
    #drop(link, code, reason) {
        this.#forget(link, code, reason);
        this.#gone(link, code, reason);
    }

    #gone(link, code, reason) {
        this.#forget(link);
        if (link === this.#next) {
            this.#next = null; // routed to the draining node once more, perhaps
            const wait = retryDelay(code, reason, this.#link.moves++);
            if (wait !== null) this.#move(this.#link, wait);
            return;
        }
        for (const ch of this.#channels.values()) ch.joined = false;
        this.#link = this.#next;
        this.#next = null;
        if (this.#link) {
            this.#setState({ state: "connecting" });
            return;
        }
        // Not each time: in turn with our tries, a balancer would send these to the one good node of two.
        if (!link.opened && this.#attempt % 2 === 1) explain(this.#url).then((why) => this.#emit("refused", why));
        this.#retry(code, reason);
    }

    #retry(code, reason) {
        const wait = retryDelay(code, reason, this.#attempt++);
        if (wait === null) {
            this.#stop(code, reason);
            return;
        }
        this.#notBefore = Date.now() + afterOf(reason);
        this.#timer = setTimeout(() => this.#connect(), wait);
        this.#setState({ state: "waiting", code, reason, wait });
    }

    #stop(code, reason) {
        clearTimeout(this.#timer);
        globalThis.removeEventListener?.("online", this.#hurry);
        globalThis.removeEventListener?.("pageshow", this.#hurry);
        globalThis.document?.removeEventListener("visibilitychange", this.#hurry);
        this.#link = this.#next = null;
        this.#setState({ state: "closed", code, reason });
    }

    // Timers sleep in hidden tabs and silence may be our own, so a late look asks
    // first and gives up only when the answer does not come.
    #watch(link) {
        const now = Date.now();
        if (link.probed && now - link.probed >= PONG_MS) this.#drop(link, 4104, "silent");
        else if (!link.probed && now - link.heard > link.ping + WATCH_MS) this.#probe(link);
    }

    #probe(link) {
        if (link.probed) return;
        link.probed = Date.now();
        this.#send(link, { t: "ping", ts: link.probed });
    }

    // Make before break: the session moves to another node without a pause.
    #drain(link, { after }) {
        if (link === this.#link && !link.moving) this.#move(link, Math.min(after, 600000));
    }

    #move(link, wait) {
        link.moving = setTimeout(() => (this.#next = this.#open()), wait);
    }

    // --- frames -----------------------------------------------------------

    #receive(link, text) {
        link.heard = Date.now();
        link.probed = 0;
        let frame;
        try {
            frame = JSON.parse(text);
        } catch {
            this.#drop(link, 4100, "not JSON");
            return;
        }
        if (Object.hasOwn(this.#frames, frame.t)) this.#frames[frame.t](link, frame);
    }

    #send(link, frame) {
        if (link.ws.readyState === WebSocket.OPEN) link.ws.send(JSON.stringify(frame));
    }

    #request(link, frame, request) {
        const id = ++this.#lastId;
        link.requests.set(id, request);
        this.#send(link, { ...frame, id });
    }

    #hello(link, { node, ping, limits }) {
        Object.assign(link, { node, ping, limits });
        const known = [...this.#channels.values()].filter((ch) => ch.ep);
        const pos = Object.fromEntries(known.map((ch) => [ch.name, [ch.ep, ch.seq]]));
        const resume = this.#sess && { sess: this.#sess, pos };
        this.#request(link, { t: "auth", user: this.#user, ...(resume && { resume }) }, {});
    }

    #welcome(link, { user, sess, resumed }) {
        const moved = link === this.#next;
        if (moved) {
            this.#forget(this.#link, 4200, "moved");
            this.#link = link;
            this.#next = null;
        }
        clearTimeout(link.timer);
        link.welcome = true;
        link.watch = setInterval(() => this.#watch(link), WATCH_MS);
        link.stable = setTimeout(() => (this.#attempt = 0), STABLE_MS);
        this.#user = user;
        this.#sess = sess;
        this.#setState({ state: "online", node: link.node });
        const outcome = new Map(Object.entries(resumed)); // a room may be called "constructor"
        for (const ch of this.#channels.values()) this.#resume(link, ch, outcome.get(ch.name), moved);
    }

    #resume(link, ch, resumed, moved) {
        ch.rev = null; // differences count only after a full list
        if (resumed?.ok) {
            ch.joined = true;
            ch.catchUp = { to: resumed.to, missed: Math.max(0, resumed.to - ch.seq), moved };
            this.#caughtUp(link, ch);
            this.#flush(link, ch);
            return;
        }
        ch.joined = false;
        if (resumed) this.#emit("gap", { ch: ch.name, why: resumed.why, node: link.node });
        this.#sub(link, ch);
    }

    #caughtUp(link, ch) {
        if (!ch.catchUp || ch.seq < ch.catchUp.to) return;
        const { missed, moved } = ch.catchUp;
        ch.catchUp = null;
        this.#emit("resumed", { ch: ch.name, node: link.node, missed, moved });
    }

    #sub(link, ch) {
        this.#request(link, { t: "sub", ch: ch.name, hist: ch.hist, pres: ch.pres }, { sub: ch });
    }

    #ok(link, f) {
        const ch = link.requests.get(f.id)?.sub;
        link.requests.delete(f.id);
        if (!ch || ch.joined) return;
        Object.assign(ch, { ep: f.ep, seq: f.from - 1, joined: true, catchUp: null });
        this.#emit("joined", { ch: ch.name, seq: f.seq, node: link.node });
        this.#flush(link, ch);
    }

    #msg(link, f) {
        const ch = this.#channels.get(f.ch);
        if (!ch?.joined) return;
        if (f.ep === ch.ep && f.seq <= ch.seq) return; // seen
        if (f.ep !== ch.ep || f.seq !== ch.seq + 1) {
            this.#drop(link, 4200, "hole");
            return;
        }
        ch.seq = f.seq;
        this.#emit("message", f);
        if (f.from === this.#user) this.#sent(f.cid, f);
        this.#caughtUp(link, ch);
    }

    #pres(link, f) {
        const ch = this.#channels.get(f.ch);
        if (!ch) return;
        if (f.full) {
            ch.users = new Map(Object.entries(f.u).map(([name, { n }]) => [name, n]));
        } else if (ch.rev === null) {
            return;
        } else if (f.rev !== ch.rev + 1) {
            ch.rev = null;
            this.#sub(link, ch); // joined already: all that this brings is a full list
            return;
        } else {
            for (const [name, { n }] of Object.entries({ ...f.j, ...f.c })) ch.users.set(name, n);
            for (const name of f.l ?? []) ch.users.delete(name);
        }
        ch.rev = f.rev;
        this.#emit("presence", { ch: ch.name, users: ch.users });
    }

    // --- publishing -------------------------------------------------------

    #flush(link, ch) {
        const waiting = [...this.#outbox.values()].filter((message) => message.ch === ch.name);
        for (const { cid } of waiting) this.#pub(link, cid);
    }

    #pub(link, cid) {
        const message = this.#outbox.get(cid);
        if (!message || !link?.welcome || !this.#channels.get(message.ch)?.joined) return;
        const bytes = new TextEncoder().encode(JSON.stringify(message)).length;
        // The msg frame around it has more fields than our pub: leave room for them.
        if (bytes + 512 > link.limits.msg) this.#fail(cid, "too_big", "the message is too long");
        else this.#request(link, { t: "pub", ...message }, { cid });
    }

    #ack(link, f) {
        const cid = link.requests.get(f.id)?.cid;
        link.requests.delete(f.id);
        this.#sent(cid, f);
    }

    #sent(cid, { ch, seq, dur }) {
        if (this.#outbox.delete(cid)) this.#emit("sent", { ch, cid, seq, dur });
    }

    #hist(link, f) {
        link.requests.get(f.id)?.resolve?.(f);
        link.requests.delete(f.id);
    }

    #err(link, f) {
        const request = link.requests.get(f.id);
        link.requests.delete(f.id);
        request?.resolve?.(null);
        const { cid, sub } = request ?? {};
        if (f.temp && (cid || sub)) {
            const again = cid ? () => this.#pub(link, cid) : () => this.#sub(link, sub);
            setTimeout(() => link === this.#link && again(), f.retry ?? 1000);
        } else if (cid) {
            this.#fail(cid, f.code, f.msg);
        } else if (sub) {
            this.#emit("failed", { ch: sub.name, code: f.code, msg: f.msg });
        }
    }

    #fail(cid, code, msg) {
        const { ch } = this.#outbox.get(cid) ?? {};
        if (this.#outbox.delete(cid)) queueMicrotask(() => this.#emit("failed", { ch, cid, code, msg }));
    }

    // --- events -----------------------------------------------------------

    #setState(state) {
        this.#state = state;
        this.#emit("state", state);
    }

    #emit(event, detail) {
        for (const listener of this.#listeners.get(event) ?? []) listener(detail);
    }
}
