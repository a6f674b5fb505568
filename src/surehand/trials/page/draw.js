// Elements and the small parts that several screens share. Text is always text: nothing is read as HTML.

export function el(tag, attributes = {}, ...children) {
  const [start, ...classes] = tag.split(".");
  const [name, id] = start.split("#");
  const made = document.createElement(name);
  if (id) made.id = id;
  if (classes.length) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return made;
}

let quietUntil = 0;
// The second half of a double tap must not press what has just appeared under the finger.
export const quiet = (milliseconds = 400) => (quietUntil = performance.now() + milliseconds);

export function button(kind, label, action, attributes = {}) {
  const tap = event => {
    event.preventDefault();
    if (performance.now() >= quietUntil) action();
  };
  return el(`button.${kind}`, { type: "button", onclick: tap, ...attributes }, label);
}

// A label that opens the camera; the field lies over it, unseen, so that fingers and keyboards meet the field itself.
export function camera(text, take) {
  const field = el("input", { type: "file", accept: "image/*", capture: "environment", "aria-label": "Photo" });
  field.addEventListener("change", () => field.files[0] && take(field.files[0]));
  return el("label.plain.photo", {}, text, field);
}

export function facts(item) {
  const rows = [["Object", item.object], ["Start pose", item.start_pose], ["Instruction", item.instruction]];
  const known = rows.filter(([, value]) => value);
  return el("dl.facts", {}, known.flatMap(([name, value]) => [
    el("dt", {}, name),
    el("dd", {}, name === "Instruction" ? `“${value}”` : value),
  ]));
}

export const code = item => el("div.code", {}, el("span.caption", {}, "Policy"), el("span.letters", {}, item.code));

export function levels(rubric, choose, chosen = null) {
  return el("div.levels", {}, [...rubric.levels].reverse().map(level =>
    button(chosen === level.value ? "level.chosen" : "level",
      [el("span.value", {}, String(level.value)), el("span.words", {}, level.words)],
      () => choose(level.value),
      { "data-level": level.value, "aria-pressed": chosen === null ? null : String(chosen === level.value) })));
}

export const words = (rubric, score) => rubric.levels.find(level => level.value === score)?.words ?? String(score);
