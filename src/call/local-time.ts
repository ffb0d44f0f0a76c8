import type { LocalTime } from '../dialplan/index.ts';

const DAY = 86_400_000;

/** Calendar time of this host for the dialplan's time conditions. */
export function localTimeOf(wallMicroseconds: number): LocalTime {
  const date = new Date(wallMicroseconds / 1000);
  const midnight = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  const dayOfYear = Math.round((midnight - Date.UTC(date.getFullYear(), 0, 1)) / DAY) + 1;
  // ISO 8601: the week of the year's first Thursday is week 1.
  const thursday = new Date(midnight + (4 - (date.getDay() || 7)) * DAY);
  const week = Math.floor((thursday.getTime() - Date.UTC(thursday.getUTCFullYear(), 0, 1)) / DAY / 7) + 1;
  return {
    year: date.getFullYear(),
    month: date.getMonth() + 1,
    dayOfMonth: date.getDate(),
    dayOfYear,
    week,
    weekday: date.getDay() + 1,
    hour: date.getHours(),
    minute: date.getMinutes(),
    second: date.getSeconds(),
  };
}
