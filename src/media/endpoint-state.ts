import { type Address, sameAddress } from '../base/index.ts';
import { MAX_ID_BYTES, MAX_ROOM_BYTES } from './journal-record.ts';
import type { AudioFormat, EndpointMode, EndpointState } from './protocol.ts';

/** True when `next` asks for nothing that `present` is not: a source learned meanwhile and the place in a playback do not count. */
export function sameState(present: EndpointState, next: EndpointState): boolean {
  return (
    present.localIp === next.localIp &&
    present.localPort === next.localPort &&
    sameAddress(present.remote, next.remote) &&
    sameAddress(present.remoteRtcp, next.remoteRtcp) &&
    sameFormat(present.format, next.format) &&
    present.ssrc === next.ssrc &&
    present.send === next.send &&
    present.receive === next.receive &&
    present.rtpTimeout === next.rtpTimeout &&
    sameMode(present.mode, next.mode)
  );
}

export function sameFormat(left: AudioFormat | null, right: AudioFormat | null): boolean {
  if (left === null || right === null) return left === right;
  return (
    left.payloadType === right.payloadType &&
    left.name === right.name &&
    left.clockRate === right.clockRate &&
    left.packetTime === right.packetTime &&
    left.telephoneEvent === right.telephoneEvent
  );
}

export function sameMode(left: EndpointMode, right: EndpointMode): boolean {
  switch (left.kind) {
    case 'idle':
    case 'echo':
      return left.kind === right.kind;
    case 'relay':
      return right.kind === 'relay' && left.partner === right.partner;
    case 'play':
      return right.kind === 'play' && left.playId === right.playId;
    case 'conference':
      return (
        right.kind === 'conference' &&
        left.room === right.room &&
        left.memberId === right.memberId &&
        left.muted === right.muted &&
        left.deaf === right.deaf
      );
  }
}

/** What is wrong with an endpoint that came over the control socket, or null. */
export function stateProblem(value: unknown): string | null {
  if (!isObject(value)) return 'an endpoint must be an object';
  if (!isText(value['id'], MAX_ID_BYTES) || value['id'] === '') return `id must be a text of 1 to ${MAX_ID_BYTES} bytes`;
  if (!isText(value['localIp'], MAX_ID_BYTES)) return 'localIp must be an IP address';
  if (!isInteger(value['localPort'], 1, 65_534)) return 'localPort must be 1 to 65534';
  for (const name of ['remote', 'remoteRtcp', 'learned']) {
    if (!isAddress(value[name])) return `${name} must be null or {ip, port}`;
  }
  if (!isInteger(value['ssrc'], 0, 0xffff_ffff)) return 'ssrc must be a 32-bit integer';
  if (typeof value['send'] !== 'boolean' || typeof value['receive'] !== 'boolean') return 'send and receive must be true or false';
  if (typeof value['rtpTimeout'] !== 'number' || !(value['rtpTimeout'] >= 0)) return 'rtpTimeout must be milliseconds, 0 or more';
  return formatProblem(value['format']) ?? modeProblem(value['mode']);
}

function formatProblem(format: unknown): string | null {
  if (format === null) return null;
  if (!isObject(format)) return 'format must be null or an object';
  const good =
    isInteger(format['payloadType'], 0, 127) &&
    isText(format['name'], 32) &&
    format['name'] !== '' &&
    isInteger(format['clockRate'], 1, 1_000_000) &&
    isInteger(format['packetTime'], 0, 255) &&
    (format['telephoneEvent'] === null || isInteger(format['telephoneEvent'], 0, 127));
  return good ? null : 'format must have payloadType, name, clockRate, packetTime and telephoneEvent';
}

function modeProblem(mode: unknown): string | null {
  if (!isObject(mode)) return 'mode must be an object';
  switch (mode['kind']) {
    case 'idle':
    case 'echo':
      return null;
    case 'relay':
      return isText(mode['partner'], MAX_ID_BYTES) ? null : `partner must be a text of at most ${MAX_ID_BYTES} bytes`;
    case 'conference': {
      const flags = typeof mode['muted'] === 'boolean' && typeof mode['deaf'] === 'boolean';
      const good = flags && isText(mode['room'], MAX_ROOM_BYTES) && typeof mode['memberId'] === 'number';
      return good ? null : `a conference needs room (at most ${MAX_ROOM_BYTES} bytes), memberId, muted and deaf`;
    }
    case 'play': {
      const source = mode['source'];
      const readable = isObject(source) && isText(source['kind'] === 'tone' ? source['script'] : source['path'], 4096);
      const numbers = typeof mode['loops'] === 'number' && typeof mode['position'] === 'number';
      return readable && numbers && isText(mode['playId'], MAX_ID_BYTES) ? null : 'play needs playId, source, loops and position';
    }
    default:
      return `unknown mode ${JSON.stringify(mode['kind'])}`;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isInteger(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}

function isText(value: unknown, maxBytes: number): value is string {
  return typeof value === 'string' && value.length <= maxBytes && Buffer.byteLength(value) <= maxBytes;
}

function isAddress(value: unknown): value is Address | null {
  return value === null || (isObject(value) && isText(value['ip'], MAX_ID_BYTES) && isInteger(value['port'], 0, 65_535));
}
