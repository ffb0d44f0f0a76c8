export { GuardianClient, type GuardianClientOptions, type SocketGrant } from './client.ts';
export { type Death, parseSocketKey, type StopHow } from './messages.ts';
