import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';

/** Resources that one leg may hold. */
const MAXIMUM_HELD = 100;

/** How many legs hold a resource of `limit`. Counted from the legs themselves, so that it is right after a crash too. */
export function limitUsage(context: CallContext, realm: string, id: string): number {
  const name = `${realm}/${id}`;
  let usage = 0;
  for (const leg of context.legs.values()) if (leg.up && leg.record.limits?.includes(name) === true) usage += 1;
  return usage;
}

/** Takes a resource for the rest of the leg's life; false when `maximum` legs hold it already (negative = no maximum). */
export function takeLimit(context: CallContext, leg: Leg, realm: string, id: string, maximum: number): boolean {
  const name = `${realm}/${id}`;
  const held = leg.record.limits ?? [];
  if (held.includes(name)) return true;
  const usage = limitUsage(context, realm, id);
  if ((maximum >= 0 && usage >= maximum) || held.length >= MAXIMUM_HELD) return false;
  leg.record.limits = [...held, name];
  leg.record.variables[`limit_usage_${realm}_${id}`] = String(usage + 1);
  leg.dirty = true;
  return true;
}
