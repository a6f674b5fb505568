// The console: one situation, drawn whole whenever it changes; every tap becomes a row in the outbox first.
import { a } from "./actions.js";
import * as bars from "./bars.js";
import { clockText, secondsOf, tick } from "./clock.js";
import { el, words } from "./draw.js";
import * as keep from "./keep.js";
import { overlay, unsent } from "./model.js";
import * as screens from "./screens.js";
import * as send from "./send.js";
import { deliver, hooks, open, s } from "./situation.js";

const POLL = 4000; // milliseconds between two looks at what other tablets have done
let drawn = "";
let screenDrawn = "";

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
  const about = main.firstElementChild?.dataset.position;
  main.replaceChildren(s.study || name !== "opening" ? screens[name](s, a) : el("p.quiet", {}, "Opening…"));
  bars.tabs(s, a, name);
  if (name !== screenDrawn || about !== main.firstElementChild.dataset.position) {
    scrollTo(0, 0); // another screen is read from its top
    main.focus({ preventScroll: true });
  }
  screenDrawn = name;
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
  const tabs = new BroadcastChannel("surehand");
  tabs.postMessage("here now");
  tabs.onmessage = () => ((s.elsewhere = true), draw());
}

async function enter() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    try {
      await send.enter(token);
    } catch (error) {
      if (!send.unanswered(error)) throw error;
      if (error.status === 0) return setTimeout(enter, 1000); // no network: the link is still needed
    }
    history.replaceState(null, "", location.pathname);
  }
  await deliver();
}

// A fault of the page itself is said, not left in a console that nobody opens.
function failed({ error, reason }) {
  const fault = reason ?? error;
  bars.fault(`This page has a fault (${fault?.message ?? fault}). What you entered is kept; load the page again.`);
}

async function boot() {
  addEventListener("error", failed);
  addEventListener("unhandledrejection", failed);
  Object.assign(hooks, { draw, conflict: (entry, receipt) => bars.conflict(s, a, entry, receipt) });
  s.me = keep.operator();
  alone();
  watchFingers();
  const latest = keep.latestStudy();
  if (latest) {
    keep.useStudy(latest);
    const known = keep.get("study");
    if (known) open(known);
  }
  draw();
  await enter();
  setInterval(everySecond, 500);
  setInterval(deliver, POLL);
  for (const event of ["online", "focus"]) addEventListener(event, deliver);
  addEventListener("hashchange", enter); // a new link, opened in the same tab
  addEventListener("pagehide", everySecond);
  addEventListener("beforeunload", event => !send.line.up && event.preventDefault()); // could not be loaded again now
}

boot();
