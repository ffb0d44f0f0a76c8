export { applyConference } from './conference.ts';
export type { DialContact, DialGateway } from './context.ts';
export { resolveEndpoint } from './dial.ts';
export type { Effect, TimerName } from './effect.ts';
export { CallEngine, type CallEvent, partyOf, type StepResult } from './engine.ts';
export type { CallInput, DirectoryMatch } from './input.ts';
export type { Leg } from './leg.ts';
export * from './record.ts';
