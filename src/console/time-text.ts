function pad(value: number): string {
  return String(value).padStart(2, '0');
}

/** `2026-11-24 16:02:13` in the host's time zone. */
export function localTime(microseconds: number): string {
  const date = new Date(Math.floor(microseconds / 1000));
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** `Tue, 24 Nov 2026 16:02:17 GMT` (RFC 1123). */
export function gmtTime(microseconds: number): string {
  return new Date(Math.floor(microseconds / 1000)).toUTCString();
}

function count(value: number, unit: string): string {
  return `${value} ${unit}${value === 1 ? '' : 's'}`;
}

/** `0 years, 0 days, 0 hours, 0 minutes, 31 seconds, 132 milliseconds, 45 microseconds`. */
export function duration(microseconds: number): string {
  let rest = Math.max(0, Math.floor(microseconds));
  const parts: string[] = [];
  for (const [unit, size] of [
    ['year', 31_536_000_000_000],
    ['day', 86_400_000_000],
    ['hour', 3_600_000_000],
    ['minute', 60_000_000],
    ['second', 1_000_000],
    ['millisecond', 1000],
    ['microsecond', 1],
  ] as const) {
    parts.push(count(Math.floor(rest / size), unit));
    rest %= size;
  }
  return parts.join(', ');
}
