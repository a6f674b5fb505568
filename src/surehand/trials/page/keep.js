// What survives a reload and a dead network: this tablet's name, the operator, the study as last heard, the outbox.
import { newId } from "./clock.js";

const ROOT = "surehand:";
let space = ROOT; // of one study, so that another study on the same address never gets these entries

export const problems = { storage: false };

function read(key) {
  const text = localStorage.getItem(key);
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
    problems.storage = false;
  } catch {
    problems.storage = true; // full, or forbidden: said on the page
  }
}

export function useStudy(identity) {
  space = `${ROOT}${identity.slice(0, 16)}:`;
  write(`${ROOT}latest`, identity);
}
export const latestStudy = () => read(`${ROOT}latest`);

let name = null;
export function device() {
  name ??= read(`${ROOT}device`);
  if (!name) write(`${ROOT}device`, (name = newId()));
  return name;
}
export const operator = () => read(`${ROOT}operator`) ?? "";
export const setOperator = name => write(`${ROOT}operator`, name);

export const get = name => read(space + name);
export const put = (name, value) => (value === null ? localStorage.removeItem(space + name) : write(space + name, value));
// The study itself is only kept for a reload; entries are what must not be lost.
export function putStudy(study) {
  put("study", study);
  if (problems.storage) put("study", null);
  problems.storage = false;
}

// The outbox: one key per entry, so that two tabs of one tablet cannot write over each other. An entry stays until the
// study as heard from the server contains it; `number` is its receipt.
function keys() {
  const found = [];
  for (let i = 0; i < localStorage.length; i++) {
    const key = localStorage.key(i);
    if (key.startsWith(`${space}out:`)) found.push(key);
  }
  return found.sort();
}

export function queue() {
  const kept = keys().map(key => ({ key, ...read(key) })).filter(item => item.entry);
  return [...lost, ...kept].filter(item => !aside.has(item.key))
    .map(item => ({ ...item, number: numbers.get(item.key) ?? item.number }));
}
// What the storage would not take lives as long as this page: entries, receipts, and what was set aside.
const lost = [];
const numbers = new Map();
const aside = new Set();

export function add(entry) {
  const last = keys().at(-1)?.slice(`${space}out:`.length) ?? "0";
  const key = `${space}out:${String(parseInt(last, 10) + 1).padStart(9, "0")}:${entry.id}`;
  write(key, { entry, number: null });
  if (problems.storage) lost.push({ key, entry, number: null });
}

export function acknowledged(item, number) {
  numbers.set(item.key, number);
  if (!lost.some(other => other.key === item.key)) write(item.key, { entry: item.entry, number });
}

export function drop(item) {
  localStorage.removeItem(item.key);
  const place = lost.findIndex(other => other.key === item.key);
  if (place >= 0) lost.splice(place, 1);
}

// Entries the server would not take are set aside, never thrown away.
export function setAside(item, reason) {
  put("refused", [...(get("refused") ?? []), { entry: item.entry, reason }]);
  if (problems.storage) aside.add(item.key);
  else drop(item);
}

export function forgetKnown(last) {
  for (const item of queue()) if (item.number !== null && item.number <= last) drop(item);
}
