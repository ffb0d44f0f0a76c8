export { type Address, formatAddress, sameAddress } from './address.ts';
export { assert, unreachable } from './assert.ts';
export type { Clock, Timer } from './clock.ts';
export { UndropError } from './errors.ts';
export { CAUSE_NAMES, causeName, causeNumber } from './hangup-cause.ts';
export { type Logger, type LogLevel, silentLogger } from './logger.ts';
export type { Random } from './random.ts';
