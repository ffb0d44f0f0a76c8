import type { LocalTime } from './time-match.ts';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];

/** strftime of the C locale, as `${strftime(…)}` uses it. What is not a conversion stays as written. */
export function formatTime(format: string, time: LocalTime, wallMicroseconds: number): string {
  return format.replace(/%([a-zA-Z%])/g, (token, letter: string) => conversion(letter, time, wallMicroseconds) ?? token);
}

function conversion(letter: string, time: LocalTime, wallMicroseconds: number): string | null {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = DAYS[time.weekday - 1] ?? '';
  const month = MONTHS[time.month - 1] ?? '';
  const hour12 = time.hour % 12 === 0 ? 12 : time.hour % 12;
  const half = time.hour < 12 ? 'AM' : 'PM';
  switch (letter) {
    case 'Y':
      return String(time.year);
    case 'y':
      return two(time.year % 100);
    case 'C':
      return two(Math.floor(time.year / 100));
    case 'm':
      return two(time.month);
    case 'd':
      return two(time.dayOfMonth);
    case 'e':
      return String(time.dayOfMonth).padStart(2, ' ');
    case 'j':
      return String(time.dayOfYear).padStart(3, '0');
    case 'H':
      return two(time.hour);
    case 'I':
      return two(hour12);
    case 'M':
      return two(time.minute);
    case 'S':
      return two(time.second);
    case 'p':
      return half;
    case 'a':
      return day.slice(0, 3);
    case 'A':
      return day;
    case 'b':
    case 'h':
      return month.slice(0, 3);
    case 'B':
      return month;
    case 'u':
      return String(time.weekday === 1 ? 7 : time.weekday - 1);
    case 'w':
      return String(time.weekday - 1);
    case 'T':
      return `${two(time.hour)}:${two(time.minute)}:${two(time.second)}`;
    case 'R':
      return `${two(time.hour)}:${two(time.minute)}`;
    case 'r':
      return `${two(hour12)}:${two(time.minute)}:${two(time.second)} ${half}`;
    case 'D':
    case 'x':
      return `${two(time.month)}/${two(time.dayOfMonth)}/${two(time.year % 100)}`;
    case 'F':
      return `${time.year}-${two(time.month)}-${two(time.dayOfMonth)}`;
    case 'X':
      return conversion('T', time, wallMicroseconds);
    case 'c':
      return formatTime('%a %b %e %T %Y', time, wallMicroseconds);
    case 'z': {
      const minutes = Math.abs(time.offsetMinutes);
      return `${time.offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`;
    }
    case 's':
      return String(Math.floor(wallMicroseconds / 1_000_000));
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case '%':
      return '%';
    default:
      return null;
  }
}
