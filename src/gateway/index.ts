export type { Gateway } from './gateway.ts';
export { Gateways, type InboundGateway } from './gateways.ts';
export { addressOfRecord, registrarUri } from './settings.ts';
