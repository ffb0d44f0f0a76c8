import type { LocalTime, TimeZoneChoice } from '../dialplan/index.ts';

const DAY = 86_400_000;
const HOST: TimeZoneChoice = { offsetHours: null, name: null };

/** Calendar time for the dialplan: of this host, of a fixed offset, or of a named zone; an unknown name counts as the host's. */
export function localTimeOf(wallMicroseconds: number, zone: TimeZoneChoice = HOST): LocalTime {
  const now = wallMicroseconds / 1000;
  const offset = offsetMinutes(now, zone);
  // A date whose UTC fields are the local ones.
  const local = new Date(now + offset * 60_000);
  const year = local.getUTCFullYear();
  const midnight = Date.UTC(year, local.getUTCMonth(), local.getUTCDate());
  const winter = Math.min(...[0, 6].map((month) => offsetMinutes(Date.UTC(year, month, 1), zone)));
  return {
    year,
    month: local.getUTCMonth() + 1,
    dayOfMonth: local.getUTCDate(),
    dayOfYear: Math.round((midnight - Date.UTC(year, 0, 1)) / DAY) + 1,
    weekday: local.getUTCDay() + 1,
    hour: local.getUTCHours(),
    minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(),
    offsetMinutes: offset,
    daylightSaving: offset > winter,
  };
}

function offsetMinutes(milliseconds: number, zone: TimeZoneChoice): number {
  if (zone.offsetHours !== null) return zone.offsetHours * 60;
  if (zone.name !== null) {
    try {
      const parts = new Intl.DateTimeFormat('en-US', { timeZone: zone.name, timeZoneName: 'longOffset' }).formatToParts(milliseconds);
      const name = parts.find((part) => part.type === 'timeZoneName')?.value ?? 'GMT';
      const match = /^GMT(?:([+-])(\d{2}):(\d{2}))?/.exec(name);
      const minutes = Number(match?.[2] ?? 0) * 60 + Number(match?.[3] ?? 0);
      return match?.[1] === '-' ? -minutes : minutes;
    } catch {
      // Not a zone that this host knows.
    }
  }
  return -new Date(milliseconds).getTimezoneOffset();
}
