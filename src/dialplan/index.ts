export { type DialEndpoint, type DialLeg, parseDialString } from './dial-string.ts';
export { expandVariables, literalText } from './expand.ts';
export { callPureFunction } from './function.ts';
export { type HuntResult, hunt } from './hunt.ts';
export type { LocalTime, TimeZoneChoice } from './time-match.ts';
