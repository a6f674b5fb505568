// The console: one situation, drawn whole whenever it changes; every tap becomes a row in the outbox first.
import * as bars from "./bars.js";
import { begin, clockText, isoTime, newId, resume, secondsOf, stop, tick } from "./clock.js";
import { el, quiet, words } from "./draw.js";
import * as keep from "./keep.js";
import { overlay, unsent } from "./model.js";
import { keepPhoto, sha256, shrink } from "./photo.js";
import * as screens from "./screens.js";
import * as send from "./send.js";
import * as sheets from "./sheets.js";

const POLL = 4000; // milliseconds between two looks at what other tablets have done
const s = { study: null, view: null, me: keep.operator(), running: null, tab: "trials", skipped: [], polls: 0, heardAs: null };
const tabs = new BroadcastChannel("surehand");
let drawn = "";

function add(kind, fields) {
  const entry = { id: newId(), kind, operator: s.me, device: keep.device(), ...fields };
  keep.add(entry);
  draw();
  deliver();
  return entry;
}

function setRunning(running) {
  s.running = running;
  keep.put("running", running);
}

const a = {
  choose(name) {
    s.me = name;
    s.choosing = s.helping = false;
    keep.setOperator(name);
    draw();
    listen();
  },
  start(item) {
    quiet();
    const at = Date.now();
    setRunning({ position: item.position, id: newId(), start: newId(), at, watch: begin(), notes: "", photo: "" });
    add("start", { id: s.running.start, position: item.position, started: isoTime(at) });
  },
  score: value => finish("trial", { score: value }, words(s.study.rubric, value)),
  void: rule => finish("void", { void_rule: rule }, `void: ${rule}`),
  askVoid: () => sheets.voidRules(s, a.void),
  putBack() {
    quiet();
    const { start, position } = s.running;
    setRunning(null);
    add("withdrawal", { position, corrects: start });
  },
  note(text) {
    s.running.notes = text;
    keep.put("running", s.running);
  },
  async photo(file) {
    const sha = await hold(file);
    if (!sha || !s.running) return;
    setRunning({ ...s.running, photo: sha });
    draw();
  },
  undo({ entry, running }) {
    quiet();
    bars.endUndo();
    if (entry.kind === "trial" || entry.kind === "void") setRunning({ ...running, id: newId() });
    add("withdrawal", { position: entry.position, corrects: entry.id });
    s.tab = entry.kind === "second" ? "second" : "trials";
    draw();
  },
  second(position, value) {
    quiet();
    const entry = add("second", { position, score: value });
    bars.offerUndo(`Second score of trial ${position}: ${words(s.study.rubric, value)}`, () => a.undo({ entry }));
  },
  later: position => (s.skipped.push(position), quiet(), draw()),
  edit: row => sheets.edit(s, a, row),
  correct(row, fields) {
    quiet();
    add("correction", { position: row.position, corrects: row.head, ...fields });
  },
  withdraw(row, id = row.id) {
    quiet();
    add("withdrawal", { position: row.position, corrects: id });
  },
  attach: async (row, file) => {
    const sha = await hold(file);
    if (sha) add("photo", { position: row.position, photo: sha });
  },
  pause: () => ((s.pausing = true), quiet(), draw()),
  goOn: () => ((s.pausing = false), quiet(), draw(), deliver()),
  help: () => ((s.helping = true), quiet(), draw()),
  tab: name => ((s.tab = name), quiet(200), draw()),
  changeWho: () => ((s.choosing = true), draw()),
  takeAnother() {
    if (s.running) a.putBack();
  },
};

// One tap ends the trial; it is written down at once, and undoing it writes another row.
function finish(kind, fields, said) {
  quiet();
  const running = { ...s.running, watch: stop(s.running.watch) };
  const seconds = secondsOf(running.watch);
  setRunning(null);
  const entry = add(kind, {
    id: running.id, position: running.position, ...fields, seconds, notes: running.notes.trim(), photo: running.photo,
    started: isoTime(running.at), ended: isoTime(running.at + Math.round(seconds * 1000)),
  });
  bars.offerUndo(`Trial ${running.position}: ${said}`, () => a.undo({ entry, running }));
}

async function hold(file) {
  try {
    const bytes = await shrink(file);
    const sha = sha256(bytes);
    await keepPhoto(sha, bytes);
    return sha;
  } catch {
    bars.say("This picture could not be read or kept; the trial goes on without it.");
    return null;
  }
}

function heard(entry, receipt) {
  if (receipt.outcome === "conflict") bars.conflict(s, a, entry, receipt);
  draw();
}

const refused = (entry, reason) => bars.say(`The server did not take ${bars.nameOf(entry)}: ${reason}. It is kept on this tablet.`);

let listening = false;
async function listen() {
  if (listening || document.hidden) return;
  listening = true;
  try {
    const me = s.me;
    const whole = me !== s.heardAs || ++s.polls % 16 === 0; // time alone changes a little: whom a trial is left to
    const study = await send.study(whole ? "" : s.study.last);
    if (me === s.me) adopt(study);
    s.heardAs = me;
  } catch {
    s.heardAs = null; // said by the badge, or by the screen of a tablet that was not let in; next time the whole of it
  }
  listening = false;
  draw();
}

function adopt(study) {
  if (study.unchanged && study.identity === s.study?.identity) return;
  if (study.unchanged) throw new Error("another study");
  if (!s.study || s.study.identity !== study.identity) open(study);
  s.study = study;
  keep.putStudy(study);
  keep.forgetKnown(study.last);
}

function open(study) {
  keep.useStudy(study.identity);
  s.study = study;
  const running = keep.get("running");
  s.running = running && { ...running, watch: resume(running.watch) };
}

let soon = 0;
async function deliver() {
  if (s.elsewhere) return;
  await send.sendAll(heard, refused);
  await listen();
  clearTimeout(soon);
  if (s.unsent) soon = setTimeout(deliver, 1000); // sooner than the next look
}

let pressed = -Infinity;
const PRESS = 1500; // longer than a tap

// What is under a finger is not replaced before it is lifted: the tap would be lost.
function watchFingers() {
  addEventListener("pointerdown", () => (pressed = performance.now()), true);
  const lifted = () => setTimeout(() => ((pressed = -Infinity), draw()), 0); // after the click
  for (const event of ["pointerup", "pointercancel"]) addEventListener(event, lifted, true);
}

function draw() {
  if (performance.now() - pressed < PRESS) return;
  const queue = s.study ? keep.queue() : [];
  s.unsent = unsent(queue);
  s.waiting = new Set(queue.filter(item => item.number === null).map(item => item.entry.id));
  s.words = score => words(s.study.rubric, score);
  if (s.study) s.view = overlay(s.study, queue);
  s.view?.second.sort((one, other) => s.skipped.lastIndexOf(one.position) - s.skipped.lastIndexOf(other.position));
  s.refused = s.study ? keep.get("refused") ?? [] : [];
  const name = screen();
  const now = JSON.stringify([name, s.me, s.study?.identity, ...shown(name)]);
  bars.top(s, a, name);
  if (now === drawn) return;
  drawn = now;
  const main = document.getElementById("main");
  main.replaceChildren(s.study || name !== "opening" ? screens[name](s, a) : el("p.quiet", {}, "Opening…"));
  bars.tabs(s, a, name);
}

// What a screen depends on, so that nothing else draws it anew: neither the timer nor what others do takes the keyboard
// from somebody who is typing.
function shown(name) {
  if (name === "who") return [];
  const { watch, notes, ...running } = s.running ?? {};
  if (name === "running") return [running, watch.seen === null];
  const { last, ...study } = s.study ?? {};
  return [s.helping, study, s.view && [...s.view.positions], s.view?.mine, s.view?.second, s.refused.length, s.unsent];
}

function screen() {
  if (s.elsewhere) return "elsewhere";
  if (!s.study) return send.line.locked ? "locked" : "opening"; // once let in, a trial goes on whatever the server says
  if (s.study.closed) return "closed";
  if (!s.me || s.choosing) return "who";
  if (s.tab !== "trials") return s.tab;
  if (s.running) return "running";
  return s.pausing ? "paused" : "next";
}

function everySecond() {
  if (s.elsewhere) return;
  if (s.running) {
    s.running.watch = tick(s.running.watch);
    keep.put("running", s.running);
    const timer = document.getElementById("timer");
    if (timer) timer.textContent = clockText(secondsOf(s.running.watch));
  }
  bars.top(s, a, screen());
}

// Two tabs of one tablet would both keep the running trial; the one that was opened last has it.
function alone() {
  tabs.postMessage("here now");
  tabs.onmessage = () => ((s.elsewhere = true), draw());
}

async function enter() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    history.replaceState(null, "", location.pathname);
    await send.enter(token).catch(() => {});
  }
  await deliver();
}

async function boot() {
  alone();
  watchFingers();
  const latest = keep.latestStudy();
  if (latest) {
    keep.useStudy(latest);
    const known = keep.get("study");
    if (known) open(known);
  }
  await enter();
  draw();
  setInterval(everySecond, 500);
  setInterval(deliver, POLL);
  for (const event of ["online", "focus"]) addEventListener(event, deliver);
  addEventListener("hashchange", enter); // a new link, opened in the same tab
  addEventListener("pagehide", everySecond);
  addEventListener("beforeunload", event => !send.line.up && event.preventDefault()); // could not be loaded again now
}

boot();
