// What this tablet shows: the study as last heard, with what the server has not heard of yet laid over it.

// -> {items, positions: Map(position -> {state, operator, here, fresh}), mine: [...], second: [...]}
export function overlay(study, queue) {
  const positions = new Map(study.positions.map(p => [p.position, { ...p }]));
  const mine = study.mine.map(row => ({ ...row }));
  let second = study.second.map(row => ({ ...row }));
  const waiting = queue.filter(item => item.number === null || item.number > study.last);
  for (const { entry } of waiting) {
    const place = positions.get(entry.position) ?? {};
    if (entry.kind === "start") Object.assign(place, { state: "running", here: true, fresh: true, operator: entry.operator });
    if (entry.kind === "trial") {
      Object.assign(place, { state: "done", here: true, operator: entry.operator });
      mine.push({ ...entry, head: entry.id, status: "counted" });
    }
    if (entry.kind === "void") {
      Object.assign(place, { state: "open", here: false });
      mine.push({ ...entry, head: entry.id, status: "void" });
    }
    if (entry.kind === "second") {
      second = second.filter(row => row.position !== entry.position);
      mine.push({ ...entry, head: entry.id, status: "second" });
    }
    if (entry.kind === "correction") {
      const row = mine.find(other => other.head === entry.corrects);
      if (row?.kind !== "second" && entry.void_rule) Object.assign(place, { state: "open", here: false });
      else if (row && row.kind !== "second" && place.state !== "done") Object.assign(place, { state: "done" });
      if (row) Object.assign(row, correctedBy(entry, row));
    }
    if (entry.kind === "withdrawal") {
      const row = mine.find(other => other.id === entry.corrects || other.head === entry.corrects);
      if (row) row.status = "withdrawn";
      if (!row || row.kind === "trial") Object.assign(place, { state: "open", here: true }); // no row: a start
    }
  }
  return { items: study.items, positions, mine, second };
}

function correctedBy(entry, row) {
  const said = { score: entry.score ?? null, void_rule: entry.void_rule ?? "", notes: entry.notes ?? "" };
  const trial = row.status === "counted" || row.status === "void";
  return { ...said, head: entry.id, corrected: true, ...(trial && { status: said.void_rule ? "void" : "counted" }) };
}

// Neither case nor spaces make another person.
const plain = name => name.trim().split(/\s+/).join(" ").toLowerCase();
export const same = (one, other) => plain(one) === plain(other);

const free = place => place.state === "open" || (place.state === "running" && (place.here || !place.fresh));

// The next trial of this operator's own lane, then of nobody's; others' lanes only when asked to help.
export function nextItem(view, me, helping) {
  const open = view.items.filter(item => free(view.positions.get(item.position)));
  const own = open.filter(item => item.operator === "" || same(item.operator, me));
  own.sort((a, b) => (a.operator === "") - (b.operator === "") || a.position - b.position);
  return own[0] ?? (helping ? open[0] : undefined) ?? null;
}

export function lanes(view) {
  const counts = {};
  for (const item of view.items) {
    if (!free(view.positions.get(item.position))) continue;
    counts[item.operator] = (counts[item.operator] ?? 0) + 1;
  }
  return counts; // open trials by operator
}

export function progress(view) {
  const states = [...view.positions.values()].map(place => place.state);
  return { done: states.filter(state => state === "done").length, all: states.length };
}

export const unsent = queue => queue.filter(item => item.number === null).length;
