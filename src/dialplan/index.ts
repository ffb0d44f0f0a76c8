export { type DialEndpoint, parseDialString } from './dial-string.ts';
export { expandVariables } from './expand.ts';
export { type HuntResult, hunt } from './hunt.ts';
export type { LocalTime } from './time-match.ts';
