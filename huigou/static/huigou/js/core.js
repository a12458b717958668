// What every page's script needs: the server's clock, calls that tell "no" from "no connection", and a voice.
const root = document.documentElement;
export const $ = (selector, from = document) => from.querySelector(selector);
export const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

// The page carries the server's time; the arrival of its first byte is the latest moment that it can belong to, so
// that this clock is never ahead of the server's and a button never opens early.
const [arrival] = performance.getEntriesByType("navigation");
let offset = Number(root.dataset.now || Date.now()) - (arrival ? arrival.responseStart : performance.now());
export const now = () => performance.now() + offset;
function setClock(serverMs, sentAt) {
  const behind = serverMs - performance.now();
  // A suspended phone stops performance.now(); a plain difference of over 2 s is believed at once, less only forwards.
  if (Math.abs(behind - offset) > 2000 + (performance.now() - sentAt) || behind > offset) offset = behind;
}

export function readJson(id) {
  const holder = document.getElementById(id);
  return holder ? JSON.parse(holder.textContent) : null;
}

export class Refused extends Error {
  constructor(status, body) {
    super(body.message || body.code);
    this.status = status;
    this.code = body.code;
    this.next = body.next || "";
    this.body = body;
  }
}
export class NoConnection extends Error {}

// A refusal is an answer (Refused). A dead line, a timeout, or a gateway's page instead of our JSON is not: the deed may
// have been done, so the caller asks again with the same key and never says that it failed.
export async function call(path, { method = "GET", body, headers: more, timeoutMs = 8000 } = {}) {
  // The header is what another site's form cannot send; with it and a SameSite cookie no token is needed.
  const headers = { Accept: "application/json", "X-Requested-With": "huigou", ...more };
  if (body && !(body instanceof FormData)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  const sentAt = performance.now();
  let answer, data;
  try {
    answer = await fetch(path, { method, headers, body, signal: stop.signal, credentials: "same-origin", cache: "no-store" });
    data = await answer.json();
  } catch {
    throw new NoConnection();
  } finally {
    clearTimeout(timer);
  }
  if (data && data.now) setClock(data.now, sentAt);
  if (answer.ok) return data;
  // A server that is busy with this very request (draw_busy) or down says nothing about the deed either.
  if (answer.status >= 500 && (!(data && data.code) || data.code === "draw_busy")) throw new NoConnection();
  throw new Refused(answer.status, data || {});
}

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Ask until there is an answer; `onWait(n)` hears of each failed attempt.
export async function insist(ask, onWait = () => {}) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask();
    } catch (trouble) {
      if (!(trouble instanceof NoConnection)) throw trouble;
      onWait(attempt + 1);
      const online = new Promise((done) => addEventListener("online", done, { once: true }));
      await Promise.race([pause(Math.min(700 * 1.7 ** attempt, 5000) * (0.8 + Math.random() * 0.4)), online]);
    }
  }
}

// crypto.randomUUID needs https; a key must also be had on a county hall's plain http test machine.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// Storage can be forbidden (private mode); then memory serves until the page goes.
const memory = new Map();
export const store = {
  get(name) {
    try { return localStorage.getItem(name) ?? memory.get(name) ?? null; } catch { return memory.get(name) ?? null; }
  },
  set(name, value) {
    memory.set(name, value);
    try { localStorage.setItem(name, value); } catch { /* memory has it */ }
  },
  drop(name) {
    memory.delete(name);
    try { localStorage.removeItem(name); } catch { /* nothing was kept */ }
  },
};

export function toast(text, ms = 3500) {
  let box = $(".toast");
  if (!box) {
    box = document.createElement("div");
    box.className = "toast";
    box.setAttribute("role", "status");
    document.body.append(box);
  }
  box.textContent = text;
  box.hidden = false;
  clearTimeout(box.timer);
  box.timer = setTimeout(() => { box.hidden = true; }, ms);
}

export const yuan = (fen) => {
  const sign = fen < 0 ? "-" : "";
  return sign + (Math.abs(fen) / 100).toFixed(2).replace(/\.00$/, "").replace(/\B(?=(\d{3})+(?!\d))/g, ",");
};

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
