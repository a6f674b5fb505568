// What a tap does: one function per action, called by the screens.
import * as bars from "./bars.js";
import { begin, isoTime, newId, secondsOf, stop } from "./clock.js";
import { quiet, words } from "./draw.js";
import * as keep from "./keep.js";
import { keepPhoto, sha256, shrink } from "./photo.js";
import * as sheets from "./sheets.js";
import { add, deliver, hooks, listen, s, setRunning } from "./situation.js";

const draw = () => hooks.draw();

export const a = {
  choose(name) {
    s.me = name;
    s.choosing = s.helping = false;
    keep.setOperator(name);
    bars.endUndo(); // it would be taken back under another name
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
    const { start, position } = s.running;
    const sha = await hold(file);
    if (!sha) return;
    if (s.running?.start !== start) return void add("photo", { position, photo: sha }); // scored meanwhile
    setRunning({ ...s.running, photo: sha });
    draw();
  },
  undo({ entry, running }) {
    quiet();
    bars.endUndo();
    if (running) {
      if (s.running) a.putBack(); // the next one, begun too soon
      setRunning({ ...running, id: newId() });
    }
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

// The name under which a picture is kept; null where it cannot be.
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
