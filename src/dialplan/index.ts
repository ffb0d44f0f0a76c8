export { type DialEndpoint, type DialLeg, type DialStringPlan, parseDialString } from './dial-string.ts';
export { expandVariables, type VariableFunction, type VariableLookup } from './expand.ts';
export { type HuntedAction, type HuntInput, type HuntResult, hunt } from './hunt.ts';
export type { LocalTime } from './time-match.ts';
