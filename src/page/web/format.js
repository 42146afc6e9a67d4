// Numbers, times and sizes in words.

/// A number with as many digits as tell something.
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return String(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace("e+", "e");
  const digits = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4;
  return value.toFixed(digits).replace("-", "−");
}

/// A difference, with its sign.
export function signed(value) {
  return `${value > 0 ? "+" : ""}${number(value)}`;
}

/// An interval, by its ends.
export function range([low, high]) {
  return `[${number(low)}, ${number(high)}]`;
}

/// Seconds as people say them.
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/// Bytes in binary units.
export function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${unit === 0 || count >= 100 ? Math.round(count) : count.toFixed(1)} ${units[unit]}`;
}

/// A time of day, as the reader's clock has it.
export function moment(text) {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text || "–";
  return time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/// The seconds between two times.
export function between(from, to) {
  const seconds = (Date.parse(to) - Date.parse(from)) / 1000;
  return Number.isFinite(seconds) ? seconds : null;
}

/// `1 node`, `3 nodes`.
export function many(count, thing) {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

/// A number's name without what programs need in it.
export function plain(name) {
  return name.replaceAll("_", " ");
}

/// The first digits of a hash.
export function short(hash) {
  return hash ? hash.slice(0, 12) : "–";
}
