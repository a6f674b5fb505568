// One function per screen; each gets the whole situation `s` and the actions `a` and returns elements.
import { clockText, secondsOf } from "./clock.js";
import { button, camera, code, el, facts, levels } from "./draw.js";
import { lanes, nextItem, same } from "./model.js";

export function who(s, a) {
  const known = [...new Set(s.study.items.map(item => item.operator).filter(Boolean))].sort();
  const field = el("input#name", { type: "text", maxlength: 80, autocomplete: "off", placeholder: "Your name", "aria-label": "Your name", value: s.me });
  const take = () => field.value.trim() && a.choose(field.value.trim());
  field.addEventListener("keydown", event => event.key === "Enter" && take());
  return el("section.card", {},
    el("h1", {}, "Who are you?"),
    el("p.soft", {}, "Your name is written beside every trial you score. This tablet remembers it."),
    s.study.notes ? el("p", {}, s.study.notes) : null,
    known.length ? el("div.choices", {}, known.map(name => button("choice", name, () => a.choose(name), { "data-name": name }))) : null,
    el("div.row", {}, field, button("main", "Go on", take)));
}

function head(s, item, extra = null) {
  return el("div.head", {}, el("h1", {}, `Trial ${item.position} of ${s.study.items.length}`), extra);
}

export function next(s, a) {
  const item = nextItem(s.view, s.me, s.helping);
  if (!item) return finished(s, a);
  const others = item.operator && !same(item.operator, s.me) ? `planned for ${item.operator}` : null;
  return el("section.card.next", { "data-position": item.position },
    head(s, item, others && el("span.tag", {}, others)), code(item), facts(item),
    button("main.wide", "Start", () => a.start(item), { id: "start" }),
    el("div.row.end", {}, button("plain", "Pause", a.pause)));
}

function finished(s, a) {
  const rest = Object.entries(lanes(s.view)).filter(([name]) => name && !same(name, s.me));
  const running = [...s.view.positions.values()].filter(place => place.state === "running").length;
  const second = s.view.second.length;
  const heading = rest.length || running ? "Your trials are done" : "All trials are done";
  return el("section.card.finished", {}, el("h1", {}, heading),
    rest.map(([name, count]) => el("p", {}, `${count} ${count === 1 ? "trial is" : "trials are"} open in ${name}’s list.`)),
    running ? el("p.soft", {}, `${running} ${running === 1 ? "is" : "are"} running on other tablets.`) : null,
    rest.length ? button("main.wide", "Take one over", a.help) : null,
    second ? button("wide", `Give second scores (${second})`, () => a.tab("second")) : null,
    rest.length || running ? null : el("p.soft", {}, "Nothing is left to run. Thank you."));
}

export function running(s, a) {
  const item = s.study.items.find(other => other.position === s.running.position);
  const stopped = s.running.watch.seen === null;
  const note = el("textarea#note", { rows: 2, maxlength: 2000, placeholder: "Note (optional)", "aria-label": "Note" });
  note.value = s.running.notes;
  note.addEventListener("input", () => a.note(note.value));
  return el("section.card.running", { "data-position": item.position },
    head(s, item, el("span#timer.timer", { role: "timer" }, clockText(secondsOf(s.running.watch)))),
    el("div.brief", {}, code(item), facts(item)),
    el("h2", {}, s.study.rubric.question, stopped ? el("span.soft", {}, " Taken back: choose again.") : null),
    levels(s.study.rubric, a.score),
    note,
    el("div.row.foot", {}, camera(s.running.photo ? "Photo taken ✓" : "Photo", a.photo),
      s.study.void_rules.length ? button("plain", "Void…", a.askVoid, { id: "void" }) : null,
      button("plain", "Not started", a.putBack)));
}

export function paused(s, a) {
  return el("section.card.paused", {}, el("h1", {}, "Paused"),
    el("p.soft", {}, "No trial is running on this tablet. Everything so far is kept."),
    button("main.wide", "Go on", a.goOn));
}

export function second(s, a) {
  const item = s.view.second[0] && s.study.items.find(other => other.position === s.view.second[0].position);
  if (!item) {
    return el("section.card", {}, el("h1", {}, "Second scores"),
      el("p.soft", {}, "Nothing waits for your second score. Trials that somebody else scored appear here when the " +
        "schedule wants them scored twice."));
  }
  const seen = s.view.second[0].photo;
  return el("section.card.second", { "data-position": item.position },
    head(s, item, el("span.tag", {}, `${s.view.second.length} waiting`)),
    el("p.soft", {}, `${s.view.second[0].operator} ran this trial. Score what you saw, without asking for their score.`),
    el("div.brief", {}, code(item), facts(item)),
    seen ? el("img.seen", { src: `/api/photos/${seen}`, alt: "Photo of the end of this trial" }) : null,
    el("h2", {}, s.study.rubric.question), levels(s.study.rubric, value => a.second(item.position, value)),
    s.view.second.length > 1 ? el("div.row.end", {}, button("plain", "Later", () => a.later(item.position))) : null);
}

const STATUS = { void: "void", withdrawn: "taken back", second: "second score", conflict: "beside another score" };

export function mine(s, a) {
  const rows = [...s.view.mine].reverse();
  return el("section.card.mine", {}, el("h1", {}, "My trials"),
    rows.length ? null : el("p.soft", {}, "None yet."),
    s.refused.map(({ entry, reason }) => el("p.stop", {}, `Not taken by the server, kept here: ${entry.kind} of trial `
      + `${entry.position}${entry.score === undefined ? "" : `, score ${entry.score}`}. ${reason}`)),
    el("ul.list", {}, rows.map(row => {
      const item = s.study.items.find(other => other.position === row.position);
      const marks = [STATUS[row.status], row.corrected && "corrected", row.contested && "somebody else wrote about it too", s.waiting.has(row.head) && "waiting to be sent"];
      const level = row.void_rule ? row.void_rule : `${row.score} · ${s.words(row.score)}`;
      const text = [
        el("span.number", {}, String(row.position)),
        el("span.what", {}, el("b", {}, level), el("span.soft", {}, [item?.code, item?.object, item?.start_pose].filter(Boolean).join(" · "))),
        el("span.marks", {}, marks.filter(Boolean).map(mark => el("span.tag", {}, mark)))];
      const open = ["counted", "conflict", "void", "second"].includes(row.status);
      return el("li", {}, button(open ? "entry" : "entry.past", text, () => a.edit(row),
        { disabled: !open, "data-id": row.id, "data-position": row.position }));
    })));
}

export function elsewhere() {
  return el("section.card", {}, el("h1", {}, "Open in another tab"),
    el("p.soft", {}, "The console was opened again on this tablet. Go on there, or here."),
    button("main.wide", "Use this tab", () => location.reload()));
}

export function closed() {
  return el("section.card", {}, el("h1", {}, "This study is closed"), el("p.soft", {}, "No more trials are taken. Thank you."));
}

export function locked() {
  return el("section.card.locked", {}, el("h1", {}, "This tablet has not been let in"),
    el("p", {}, `Open the link that the server printed when it started, on this tablet.`));
}
