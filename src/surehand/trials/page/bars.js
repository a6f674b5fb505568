// Around the screen: heading with progress and network, tabs, the undo bar, messages that stay until they are read.
import { button, el, quiet } from "./draw.js";
import * as keep from "./keep.js";
import { progress } from "./model.js";
import { line } from "./send.js";

const UNDO = 5000;
const place = id => document.getElementById(id);
let topDrawn = "";

export function top(s, a, screen) {
  const { done, all } = s.view ? progress(s.view) : { done: 0, all: 0 };
  const badge = badgeText(s);
  const now = JSON.stringify([s.study?.study, s.me, done, all, badge, screen, s.study?.stopping]);
  if (now === topDrawn) return;
  topDrawn = now;
  const header = place("top");
  header.hidden = !s.study || ["locked", "elsewhere"].includes(screen);
  if (header.hidden) return;
  const busy = screen === "running";
  header.replaceChildren(
    el("div.line", {},
      el("span.study", {}, s.study.study),
      badge ? el("span.badge", { id: "badge", role: "status" }, badge) : null,
      s.me ? button("plain.me", s.me, a.changeWho, { disabled: busy, title: "Somebody else" }) : null),
    el("div.line.soft", {}, el("progress", { max: all, value: done, "aria-label": "Trials done" }),
      el("span#progress", {}, `${done} of ${all}`)),
    s.study.stopping?.may_stop ? el("p.stop", { id: "maystop" }, s.study.stopping.sentence) : "");
}

function badgeText(s) {
  if (keep.problems.storage) return "cannot keep entries on this tablet: stay online";
  if (line.locked) return `not let in: open the link again${s.unsent ? `, ${s.unsent} waiting` : ""}`;
  if (s.unsent) return `${s.unsent} waiting to be sent`;
  return line.up ? "" : "offline";
}

export function tabs(s, a, screen) {
  const nav = place("tabs");
  nav.hidden = ["locked", "closed", "who", "opening", "running", "elsewhere"].includes(screen);
  const names = { trials: "Trials", second: s.view?.second.length ? `Second (${s.view.second.length})` : "Second", mine: "My trials" };
  if (!s.study?.items.some(item => item.second)) delete names.second;
  nav.replaceChildren(...Object.entries(names).map(([name, label]) =>
    button(name === s.tab ? "tab.chosen" : "tab", label, () => a.tab(name),
      { id: `tab-${name}`, "aria-current": name === s.tab ? "page" : null })));
}

let timer = 0;
export function offerUndo(text, undo) {
  endUndo();
  const bar = el("div#undo.bar", {}, el("span", {}, text), button("undo", "Undo", undo), el("i.left"));
  place("bars").append(bar);
  timer = setTimeout(endUndo, UNDO);
}

export function endUndo() {
  clearTimeout(timer);
  place("undo")?.remove();
}

export function say(text, choices = [["OK", () => {}]]) {
  const bar = el("div.bar.message", { role: "alert" }, el("span", {}, text),
    choices.map(([label, action]) => button("undo", label, () => (bar.remove(), quiet(), action()))));
  place("bars").prepend(bar);
}

export function fault(text) {
  if (place("fault")) return; // once, however often it happens
  say(text);
  place("bars").firstElementChild.id = "fault";
}

export const nameOf = entry =>
  entry.position ? `${entry.kind === "trial" ? "the score" : `the ${entry.kind}`} of trial ${entry.position}` : `the ${entry.kind}`;

export function conflict(s, a, entry, receipt) {
  const where = receipt.by ? `by ${receipt.by} on another tablet` : "on another tablet";
  if (entry.kind === "start") {
    if (s.running?.start !== entry.id) return;
    const message = `Trial ${entry.position} was ${receipt.state === "done" ? "already scored" : "started"} ${where}.`;
    return say(message, [["Take another", a.takeAnother], ["Go on here", () => {}]]);
  }
  if (entry.kind === "trial" || entry.kind === "second") {
    return say(`Trial ${entry.position} was already scored ${where}. Both scores are kept; the first one counts unless ` +
      "one of the two is taken back under My trials.");
  }
  say(`Something else was already written about trial ${entry.position} ${where}. Both are kept.`);
}
