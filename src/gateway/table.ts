/** FreeSWITCH's states of a gateway, by its names (mod_sofia.h, reg_state_t). */
export type GatewayState =
  | 'UNREGED'
  | 'TRYING'
  | 'REGISTER'
  | 'REGED'
  | 'UNREGISTER'
  | 'FAILED'
  | 'FAIL_WAIT'
  | 'EXPIRED'
  | 'NOREG'
  | 'DOWN';

/**
 * start: begin or begin again; accepted: 2xx to REGISTER; refused: a failure, a timeout or an unknown host; due: the timer
 * for refresh or retry; settled: the state is one that only passes by; removed: an answer to the REGISTER that takes the
 * binding back; leave: the console says unregister, or the switch ends; kill: the gateway is taken away.
 */
export type GatewayInput = 'start' | 'accepted' | 'refused' | 'due' | 'settled' | 'removed' | 'leave' | 'kill';

/** settle: go on with `settled` at once. */
export type GatewayAction = 'settle' | 'sendRegister' | 'waitForRefresh' | 'waitForRetry' | 'sendRemoval' | 'rest';

type Row = Partial<Record<GatewayInput, readonly [GatewayState, GatewayAction]>>;

const KILL: Row = { kill: ['DOWN', 'rest'] };
const LEAVE: Row = { leave: ['UNREGISTER', 'sendRemoval'], ...KILL };

/** An input that a row does not name changes nothing: a late response, a command that comes twice. */
export const GATEWAY_TABLE: Readonly<Record<GatewayState, Row>> = {
  UNREGED: { settled: ['TRYING', 'sendRegister'], ...KILL },
  TRYING: { accepted: ['REGISTER', 'settle'], refused: ['FAILED', 'settle'], ...LEAVE },
  REGISTER: { settled: ['REGED', 'waitForRefresh'], ...KILL },
  REGED: { due: ['EXPIRED', 'settle'], start: ['UNREGED', 'settle'], ...LEAVE },
  EXPIRED: { settled: ['TRYING', 'sendRegister'], ...KILL },
  FAILED: { settled: ['FAIL_WAIT', 'waitForRetry'], ...KILL },
  FAIL_WAIT: { due: ['UNREGED', 'settle'], start: ['UNREGED', 'settle'], leave: ['NOREG', 'rest'], ...KILL },
  UNREGISTER: { removed: ['NOREG', 'rest'], ...KILL },
  NOREG: { start: ['UNREGED', 'settle'], ...KILL },
  DOWN: {},
};
