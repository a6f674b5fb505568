// The situation `s` that the screens draw, and how it changes: by an entry, by what the server tells, by time.
import * as bars from "./bars.js";
import { newId, resume } from "./clock.js";
import * as keep from "./keep.js";
import * as send from "./send.js";

export const s = { study: null, view: null, me: "", running: null, tab: "trials", skipped: [], polls: 0, heardAs: null };

// Set by console.js: `draw` shows the situation, `conflict` tells what somebody else's tablet wrote first.
export const hooks = { draw() {}, conflict() {} };

export function setRunning(running) {
  s.running = running;
  keep.put("running", running);
}

// Every tap becomes a row in the outbox first.
export function add(kind, fields) {
  const entry = { id: newId(), kind, operator: s.me, device: keep.device(), ...fields };
  keep.add(entry);
  hooks.draw();
  deliver();
  return entry;
}

function heard(entry, receipt) {
  if (receipt.outcome === "conflict") hooks.conflict(entry, receipt);
  hooks.draw();
}

const refused = (entry, reason) => bars.say(`The server did not take ${bars.nameOf(entry)}: ${reason}. It is kept on this tablet.`);

let soon = 0;
export async function deliver() {
  if (s.elsewhere) return;
  await send.sendAll(heard, refused);
  await listen();
  clearTimeout(soon);
  if (s.unsent) soon = setTimeout(deliver, 1000); // sooner than the next look
}

let listening = false;
export async function listen() {
  if (listening || document.hidden) return;
  listening = true;
  try {
    const me = s.me;
    const whole = me !== s.heardAs || ++s.polls % 16 === 0; // time alone changes a little: whom a trial is left to
    s.heardAs = null; // should this fail, the whole of it next time
    const study = await send.study(whole ? "" : s.study.last);
    if (me === s.me && adopt(study)) s.heardAs = me;
  } catch (error) {
    if (!send.unanswered(error)) throw error; // otherwise said by the badge, or by the screen of a tablet not let in
  } finally {
    listening = false;
  }
  hooks.draw();
}

// Whether this told how the study stands; a short answer about another study does not.
function adopt(study) {
  if (study.unchanged) return study.identity === s.study?.identity;
  if (s.study?.identity !== study.identity) open(study);
  s.study = study;
  keep.putStudy(study);
  keep.forgetKnown(study.last);
  return true;
}

export function open(study) {
  keep.useStudy(study.identity);
  s.study = study;
  const running = keep.get("running");
  s.running = running && { ...running, watch: resume(running.watch) };
}
