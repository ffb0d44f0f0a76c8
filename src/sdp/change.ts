import type { Direction } from './audio.ts';

/**
 * Changes to a description that was already sent, made in its text: a re-INVITE shall differ from the description
 * before in what it changes and in nothing else (RFC 3264 §8). All return the text unchanged where the line is missing.
 */

const ORIGIN = /^(o=\S+ \S+ )(\d+)( .*)$/m;

/** The `o=` session id and version, null without a readable `o=` line. Equal versions mean an unchanged description. */
export function originOf(sdp: string): { readonly sessionId: string; readonly version: string } | null {
  const match = /^o=\S+ (\S+) (\d+) /m.exec(sdp);
  return match === null ? null : { sessionId: match[1] ?? '', version: match[2] ?? '' };
}

export function withVersion(sdp: string, version: number | bigint): string {
  return sdp.replace(ORIGIN, (_line, before: string, _version: string, after: string) => `${before}${version}${after}`);
}

/** RFC 3264 §8: "the version in the origin field MUST increment by one". */
export function bumpVersion(sdp: string): string {
  return sdp.replace(ORIGIN, (_line, before: string, version: string, after: string) => `${before}${BigInt(version) + 1n}${after}`);
}

/** Sets the direction of every audio section (those with port 0 too, where it means nothing). */
export function withDirection(sdp: string, direction: Direction): string {
  return mapSections(sdp, (lines) => {
    if (!lines[0]?.startsWith('m=audio ')) return lines;
    const kept = lines.filter((line) => !/^a=(sendrecv|sendonly|recvonly|inactive)\s*$/.test(line));
    return [...kept, `a=${direction}`];
  });
}

/** Sets the port of the audio sections that are in use. `a=rtcp` of the old port is dropped. */
export function withPort(sdp: string, port: number): string {
  return mapSections(sdp, (lines) => {
    const match = /^m=audio (\d+)(.*)$/.exec(lines[0] ?? '');
    if (match === null || match[1] === '0') return lines;
    return [`m=audio ${port}${match[2] ?? ''}`, ...lines.slice(1).filter((line) => !line.startsWith('a=rtcp:'))];
  });
}

/** Sets the address in `o=` and in every `c=` line. */
export function withAddress(sdp: string, ip: string): string {
  const version = ip.includes(':') ? 'IP6' : 'IP4';
  return sdp.replace(/^(o=.* IN )IP[46] \S+|^(c=IN )IP[46] \S+/gm, (_line, origin: string | undefined, connection: string | undefined) => {
    return `${origin ?? connection ?? ''}${version} ${ip}`;
  });
}

function mapSections(sdp: string, change: (lines: readonly string[]) => readonly string[]): string {
  const sections: string[][] = [[]];
  for (const line of sdp.replace(/[\r\n]+$/, '').split(/\r\n|\r|\n/)) {
    if (line.startsWith('m=')) sections.push([]);
    sections.at(-1)?.push(line);
  }
  return `${sections.flatMap((lines) => change(lines)).join('\r\n')}\r\n`;
}
