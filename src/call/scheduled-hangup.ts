import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';

/** Hangs up after `seconds`, in place of what was scheduled before; null only takes that back. */
export function scheduleHangup(
  context: CallContext,
  leg: Leg,
  when: { readonly seconds: number; readonly cause: string; readonly whileUnanswered?: boolean } | null,
): void {
  const before = leg.record.scheduledHangup ?? null;
  if (when === null && before === null) return;
  const delayMilliseconds = when === null ? null : when.seconds * 1000;
  leg.record.scheduledHangup =
    when === null
      ? null
      : {
          deadline: Math.round(context.wallMicroseconds() + when.seconds * 1_000_000),
          cause: when.cause,
          whileUnanswered: when.whileUnanswered ?? false,
        };
  leg.dirty = true;
  context.emit({ kind: 'timer', leg: leg.uuid, name: 'hangup', delayMilliseconds });
}

/** The time has come. */
export function dueHangup(context: CallContext, leg: Leg): void {
  const scheduled = leg.record.scheduledHangup ?? null;
  if (scheduled === null || (scheduled.whileUnanswered && leg.answered)) return;
  context.hangup(leg, scheduled.cause);
}

/** After a crash: the timer runs again for what is left. */
export function resumeScheduledHangup(context: CallContext, leg: Leg): void {
  const scheduled = leg.record.scheduledHangup ?? null;
  if (scheduled === null) return;
  const left = Math.max(0, (scheduled.deadline - context.wallMicroseconds()) / 1000);
  context.emit({ kind: 'timer', leg: leg.uuid, name: 'hangup', delayMilliseconds: left });
}
