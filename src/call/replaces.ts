import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';

export interface ReplacesHeader {
  readonly callId: string;
  readonly toTag: string;
  readonly fromTag: string;
  readonly earlyOnly: boolean;
}

/** RFC 3891 §6.1; null when a tag is missing. */
export function parseReplaces(text: string): ReplacesHeader | null {
  const [callId = '', ...parameters] = text.split(';').map((part) => part.trim());
  const find = (name: string): string | null => {
    const found = parameters.find((parameter) => parameter.toLowerCase().startsWith(`${name}=`));
    return found === undefined ? null : found.slice(name.length + 1).trim();
  };
  const [toTag, fromTag] = [find('to-tag'), find('from-tag')];
  if (callId === '' || toTag === null || fromTag === null) return null;
  return { callId, toTag, fromTag, earlyOnly: parameters.some((parameter) => parameter.toLowerCase() === 'early-only') };
}

/**
 * The leg that a Replaces names (RFC 3891 §3): our tag is the to-tag. A REFER's Refer-To may have been written from
 * either side of the dialog; `eitherWay` allows for that.
 */
export function findReplaced(context: CallContext, replaces: ReplacesHeader, eitherWay: boolean): Leg | null {
  for (const leg of context.legs.values()) {
    const dialog = leg.record.dialog;
    if (dialog === null || dialog.callId !== replaces.callId) continue;
    const tags = (local: string, remote: string): boolean =>
      dialog.localTag === local && (dialog.remoteTag === remote || leg.record.earlyDialogs.some(({ remoteTag }) => remoteTag === remote));
    if (tags(replaces.toTag, replaces.fromTag) || (eitherWay && tags(replaces.fromTag, replaces.toTag))) return leg;
  }
  return null;
}

/** Why an INVITE with Replaces is refused, or the leg that it shall replace (RFC 3891 §3). */
export function judgeReplaces(
  context: CallContext,
  headers: readonly string[],
): { readonly kind: 'replace'; readonly leg: Leg } | { readonly kind: 'refuse'; readonly status: number } {
  const parsed = parseReplaces(headers[0] ?? '');
  if (headers.length > 1 || parsed === null) return { kind: 'refuse', status: 400 };
  const leg = findReplaced(context, parsed, false);
  if (leg === null) return { kind: 'refuse', status: 481 };
  if (!leg.up) return { kind: 'refuse', status: 603 };
  if (leg.answered) return parsed.earlyOnly ? { kind: 'refuse', status: 486 } : { kind: 'replace', leg };
  // "If the Replaces header field matches an early dialog that was not initiated by this UA, it returns a 481".
  return leg.record.direction === 'outbound' ? { kind: 'replace', leg } : { kind: 'refuse', status: 481 };
}
