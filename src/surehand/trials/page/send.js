// Talking to the server: entries in their order, one by one, again and again until it has said that it has them.
import * as keep from "./keep.js";
import { dropPhoto, keptPhoto } from "./photo.js";

export const line = { up: true, locked: false }; // the network, and whether this tablet has been let in

// The server did not do what it was asked to, by its word (`status`) or because it was not reached (status 0). Any other
// error is a fault of this page.
class Unanswered extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}
export const unanswered = error => error instanceof Unanswered;

async function ask(path, options = {}) {
  const late = new AbortController();
  setTimeout(() => late.abort(), 10000);
  let answer;
  try {
    answer = await fetch(path, { ...options, cache: "no-store", signal: late.signal });
  } catch (error) {
    line.up = false;
    throw new Unanswered(0, error.message);
  }
  line.up = answer.status < 500;
  line.locked = answer.status === 401;
  const body = await answer.json().catch(() => null); // cut off on the way, or not from our server
  if (!body) throw new Unanswered(0, `an answer that is no JSON (${answer.status})`);
  if (!answer.ok) throw new Unanswered(answer.status, body.error);
  return body;
}

const json = value => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

// `known`: number of the last row this tablet has heard of; the answer is short where nothing has happened since.
export const study = known =>
  ask(`/api/state?${new URLSearchParams({ operator: keep.operator(), device: keep.device(), known })}`);

export const enter = token => ask("/api/enter", json({ token }));

async function sendPhoto(sha) {
  const bytes = await keptPhoto(sha).catch(() => null);
  if (!bytes) return; // sent before, or lost by this browser: no reason to keep the entry back
  try {
    await ask(`/api/photos/${sha}`, { method: "PUT", headers: { "Content-Type": "image/jpeg" }, body: bytes });
  } catch (error) {
    if (!isFinal(error)) throw error;
    unwanted.add(sha); // the entry goes without its picture, which stays on this tablet
    return;
  }
  await dropPhoto(sha);
}

const unwanted = new Set();
const isFinal = error => unanswered(error) && [400, 409, 413, 415, 422].includes(error.status);

let sending = false;

// Everything that waits, in order; `heard(entry, receipt)` for each that arrived, `refused(entry, reason)` for others.
export async function sendAll(heard, refused) {
  if (sending) return;
  sending = true;
  try {
    for (;;) {
      const item = keep.queue().find(other => other.number === null);
      if (!item) return;
      try {
        if (item.entry.photo && !unwanted.has(item.entry.photo)) await sendPhoto(item.entry.photo);
        const { receipts } = await ask("/api/entries", json(item.entry));
        keep.acknowledged(item, receipts[0].number);
        heard(item.entry, receipts[0]);
      } catch (error) {
        if (!unanswered(error)) throw error;
        if (!isFinal(error)) return; // the network, the server or the token: tried again later, nothing is skipped
        keep.setAside(item, error.message);
        refused(item.entry, error.message);
      }
    }
  } finally {
    sending = false;
  }
}
