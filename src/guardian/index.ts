export { GuardianClient } from './client.ts';
export { type Death, parseSocketKey, type StopHow } from './messages.ts';
