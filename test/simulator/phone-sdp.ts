import type { Address } from '../../src/base/index.ts';

export interface PhoneDescription {
  readonly address: Address;
  readonly payloadTypes: readonly number[];
  readonly direction: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
}

const NAMES: Readonly<Record<number, string>> = { 0: 'PCMU/8000', 8: 'PCMA/8000', 18: 'G729/8000', 101: 'telephone-event/8000' };

/** A phone's session description. */
export function writeDescription(description: PhoneDescription, version: number, connection = description.address.ip): string {
  const { address, payloadTypes, direction } = description;
  return [
    'v=0',
    `o=phone 1234 ${version} IN IP4 ${address.ip}`,
    's=-',
    `c=IN IP4 ${connection}`,
    't=0 0',
    `m=audio ${address.port} RTP/AVP ${payloadTypes.join(' ')}`,
    ...payloadTypes.map((type) => `a=rtpmap:${type} ${NAMES[type] ?? 'X/8000'}`),
    'a=ptime:20',
    `a=${direction}`,
    '',
  ].join('\r\n');
}

/** What a phone reads in a description, or null when there is no sound in it. */
export function readDescription(sdp: string): PhoneDescription | null {
  const media = /^m=audio (\d+) RTP\/AVP ([\d ]+)/m.exec(sdp);
  const connection = /^c=IN IP4 ([\d.]+)/m.exec(sdp);
  if (media === null || connection === null) return null;
  const direction = /^a=(sendrecv|sendonly|recvonly|inactive)/m.exec(sdp)?.[1] ?? 'sendrecv';
  return {
    address: { ip: connection[1] ?? '', port: Number(media[1]) },
    payloadTypes: (media[2] ?? '').trim().split(' ').map(Number),
    direction: direction as PhoneDescription['direction'],
  };
}
