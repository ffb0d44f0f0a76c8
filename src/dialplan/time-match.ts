/** Local calendar time of a call; months and days of the month from 1, weekdays from 1 = Sunday (FreeSWITCH's counting). */
export interface LocalTime {
  readonly year: number;
  readonly month: number;
  readonly dayOfMonth: number;
  readonly dayOfYear: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** Offset from UTC in minutes, east positive. */
  readonly offsetMinutes: number;
  readonly daylightSaving: boolean;
}

/** Whose local time: `tod_tz_offset` (hours) or `timezone` (name) of the call; both null = the host's. */
export interface TimeZoneChoice {
  readonly offsetHours: number | null;
  readonly name: string | null;
}

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** Whether every attribute matches (switch_xml_std_datetime_check). An unknown one never matches. */
export function timeMatches(attributes: ReadonlyMap<string, string>, time: LocalTime): boolean {
  for (const [name, value] of attributes) if (!attributeMatches(name, value, time)) return false;
  return true;
}

function attributeMatches(name: string, value: string, time: LocalTime): boolean {
  switch (name) {
    case 'year':
      return inRanges(value, time.year);
    case 'yday':
      return inRanges(value, time.dayOfYear);
    case 'mon':
      return inRanges(value, time.month, MONTHS);
    case 'mday':
      return inRanges(value, time.dayOfMonth);
    case 'week':
      // FreeSWITCH counts seven days from January 1st; this is not the ISO week.
      return inRanges(value, Math.floor((time.dayOfYear - 1) / 7) + 1);
    case 'mweek':
      return inRanges(value, weekOfMonth(time));
    case 'wday':
      return inRanges(value, time.weekday, WEEKDAYS);
    case 'hour':
      return inRanges(value, time.hour);
    case 'minute':
      return inRanges(value, time.minute);
    case 'minute-of-day':
      return inRanges(value, time.hour * 60 + time.minute + 1);
    case 'time-of-day':
      return value.split(',').some((range) => timeOfDayMatches(range, time));
    case 'date-time':
      return value.split(',').some((range) => dateTimeMatches(range, time));
    case 'tz-offset':
      return Number(value) === Math.trunc(time.offsetMinutes / 60);
    case 'dst':
      return /^(true|yes|on|1)$/i.test(value) === time.daylightSaving;
    default:
      return false;
  }
}

/** 1 to 6; weeks begin on Sunday. */
function weekOfMonth(time: LocalTime): number {
  const firstWeekday = (((time.weekday - 1 - (time.dayOfMonth - 1)) % 7) + 7) % 7;
  return Math.ceil((time.dayOfMonth + firstWeekday) / 7);
}

/** `1`, `2-6`, `6-2` (over the end), `mon-fri`, several with commas. */
function inRanges(text: string, value: number, names: readonly string[] = []): boolean {
  return text.split(',').some((range) => {
    const [from, to] = range.split('-').map((part) => numberOrName(part.trim(), names));
    if (from === undefined) return false;
    if (to === undefined) return value === from;
    return from <= to ? value >= from && value <= to : value >= from || value <= to;
  });
}

function numberOrName(text: string, names: readonly string[]): number {
  const index = names.indexOf(text.slice(0, 3).toLowerCase());
  return index >= 0 ? index + 1 : /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

function timeOfDayMatches(range: string, time: LocalTime): boolean {
  const [from, to] = range.split('-').map((part) => secondsOfDay(part.trim()));
  if (from === undefined || to === undefined) return false;
  const now = time.hour * 3600 + time.minute * 60 + time.second;
  return from <= to ? now >= from && now <= to : now >= from || now <= to;
}

function secondsOfDay(text: string): number {
  const match = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text);
  return match === null ? Number.NaN : Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3] ?? 0);
}

/** `2026-10-01 00:00:01~2026-10-15 23:59:59`. */
function dateTimeMatches(range: string, time: LocalTime): boolean {
  const [from, to] = range.split('~').map((part) => part.trim());
  if (from === undefined || to === undefined) return false;
  const two = (value: number): string => String(value).padStart(2, '0');
  const now = `${time.year}-${two(time.month)}-${two(time.dayOfMonth)} ${two(time.hour)}:${two(time.minute)}:${two(time.second)}`;
  return now >= from && now <= to;
}
