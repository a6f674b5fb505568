// Names that nobody else draws, times with their offset, and durations by a clock that nobody sets.

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is missing on plain http beyond this machine
  return [...bytes].map(b => b.toString(16).padStart(2, "0")).join("");
}

export function isoTime(milliseconds = Date.now()) {
  const offset = -new Date(milliseconds).getTimezoneOffset();
  const two = n => String(Math.floor(Math.abs(n))).padStart(2, "0");
  const local = new Date(milliseconds + offset * 60000).toISOString().slice(0, -1);
  return `${local}${offset < 0 ? "-" : "+"}${two(offset / 60)}:${two(offset % 60)}`;
}

export function clockText(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

const GAP = 10 * 60 * 1000; // a reload takes seconds; more than this is a clock that was set

// A stopwatch as plain data, so that it can be kept: `spent` until `seen`, which is on performance.now().
export const begin = () => ({ spent: 0, seen: performance.now(), wall: Date.now() });

export function tick(watch) {
  if (watch.seen === null) return watch; // stopped
  const now = performance.now();
  return { spent: watch.spent + now - watch.seen, seen: now, wall: Date.now() };
}

export const stop = watch => ({ ...tick(watch), seen: null });

// After a reload performance.now() has begun anew; only the time without a page is taken from the wall clock.
export function resume(watch) {
  if (watch.seen === null) return watch;
  const gap = Date.now() - watch.wall;
  const spent = watch.spent + (gap > 0 && gap < GAP ? gap : 0);
  return { spent, seen: performance.now(), wall: Date.now() };
}

export const secondsOf = watch => Math.round(tick(watch).spent) / 1000;
