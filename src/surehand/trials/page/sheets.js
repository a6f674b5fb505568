// What slides over the screen for a moment: reasons for a void, and an earlier trial to correct.
import { button, camera, el, levels, quiet } from "./draw.js";

function show(heading, ...children) {
  const sheet = document.getElementById("sheet");
  quiet();
  sheet.replaceChildren(el("div.sheet", {}, el("h1", {}, heading), ...children, button("wide", "Cancel", close, { id: "cancel" })));
  sheet.setAttribute("aria-label", heading);
  if (!sheet.open) sheet.showModal();
  sheet.scrollTop = 0;
}

function close() {
  quiet();
  document.getElementById("sheet").close();
}

const then = action => (...given) => (close(), action(...given));

export function voidRules(s, choose) {
  show("Why is this trial void?",
    el("p.soft", {}, "Only for these reasons, which were written down before the first trial. It is run again."),
    el("div.choices", {}, s.study.void_rules.map(rule => button("choice", rule, then(() => choose(rule)), { "data-rule": rule }))));
}

export function edit(s, a, row) {
  if (row.status === "conflict") return beside(a, row);
  const note = el("textarea", { rows: 2, maxlength: 2000, placeholder: "Note", "aria-label": "Note" });
  note.value = row.notes ?? "";
  const correct = then(fields => a.correct(row, { ...fields, notes: note.value.trim() }));
  const now = row.void_rule ? { void_rule: row.void_rule } : { score: row.score };
  const trial = row.status === "counted";
  show(row.status === "second" ? `Second score of trial ${row.position}` : `Trial ${row.position}`,
    el("p.soft", {}, row.status === "void" ? `Void: ${row.void_rule}. A tap on a level makes it count after all.`
      : "A tap replaces the score. The old one stays on record."),
    levels(s.study.rubric, value => correct({ score: value }), row.void_rule ? null : row.score),
    note,
    el("div.row.foot", {},
      button("plain", "Save the note", () => correct(now)),
      trial ? camera("Photo", then(file => a.attach(row, file))) : null,
      trial && s.study.void_rules.length ? button("plain", "Void…", () => voidRules(s, rule => correct({ void_rule: rule }))) : null,
      button("plain", "Take it back", then(() => a.withdraw(row)), { id: "withdraw" })));
}

// Two people wrote about one trial: the first counts, until one of the two is taken back.
function beside(a, row) {
  show(`Trial ${row.position}`,
    el("p", {}, "Somebody else’s score of this trial counts; yours is kept beside it. Talk to them, then take one of the " +
      "two back. Whatever you do, both stay on record."),
    el("div.choices", {},
      row.against ? button("choice", "Let mine count instead", then(() => a.withdraw(row, row.against)), { id: "count" }) : null,
      button("choice", "Take mine back", then(() => a.withdraw(row)), { id: "withdraw" })));
}
