/** What a registration needs to go on after a crash of ours: the registrar sees one client, not a new one. */
export interface RegistrationMemory {
  readonly callId: string;
  readonly fromTag: string;
  /** Of the last REGISTER that was sent. */
  readonly cseq: number;
  /** Wall microseconds until which the registrar keeps our binding; 0 = none. */
  readonly boundUntil: number;
  /** Contact and registrar it belongs to; another configuration starts afresh. */
  readonly about: string;
}

const VERSION = 1;
const MAXIMUM_TEXT = 1024;

export function formatMemory(memories: ReadonlyMap<string, RegistrationMemory>): string {
  return `${JSON.stringify({ version: VERSION, gateways: Object.fromEntries(memories) })}\n`;
}

/** What cannot be read is left out: those gateways register with a new Call-ID. */
export function parseMemory(text: string | null): Map<string, RegistrationMemory> {
  const memories = new Map<string, RegistrationMemory>();
  if (text === null) return memories;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return memories;
  }
  if (!isObject(parsed) || parsed['version'] !== VERSION || !isObject(parsed['gateways'])) return memories;
  for (const [key, value] of Object.entries(parsed['gateways'])) {
    if (!isObject(value)) continue;
    const { callId, fromTag, cseq, boundUntil, about } = value;
    if (!isText(callId) || !isText(fromTag) || !isText(about)) continue;
    if (!isCount(cseq) || cseq > 0x7000_0000 || !isCount(boundUntil)) continue;
    memories.set(key, { callId, fromTag, cseq, boundUntil, about });
  }
  return memories;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAXIMUM_TEXT && !/[\r\n]/.test(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
