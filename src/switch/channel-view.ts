import type { Leg } from '../call/index.ts';
import type { ChannelView } from '../console/index.ts';

/** FreeSWITCH's state of a leg and its number (switch_types.h, switch_channel_state_t). */
function channelState(leg: Leg): readonly [string, number] {
  const { record } = leg;
  if (record.phase === 'ending' || record.phase === 'ended') return ['CS_HANGUP', 10];
  if (record.direction === 'inbound') return record.execution === null ? ['CS_ROUTING', 2] : ['CS_EXECUTE', 4];
  if (record.partner !== null) return ['CS_EXCHANGE_MEDIA', 5];
  return record.execution?.running === true ? ['CS_EXECUTE', 4] : ['CS_CONSUME_MEDIA', 7];
}

function callState(leg: Leg): string {
  switch (leg.record.phase) {
    case 'setup':
      return leg.record.direction === 'inbound' ? 'RINGING' : 'DOWN';
    case 'proceeding':
      return 'RINGING';
    case 'early':
      return 'EARLY';
    case 'answered':
      return (leg.record.media?.held ?? 'none') === 'none' ? 'ACTIVE' : 'HELD';
    case 'ending':
    case 'ended':
      return 'HANGUP';
  }
}

function answerState(leg: Leg): ChannelView['answerState'] {
  switch (leg.record.phase) {
    case 'setup':
    case 'proceeding':
      return 'ringing';
    case 'early':
      return 'early';
    case 'answered':
      return 'answered';
    case 'ending':
    case 'ended':
      return 'hangup';
  }
}

/** Bits a second of the codecs that FreeSWITCH prints a rate for. */
const BIT_RATES: Readonly<Record<string, number>> = { PCMU: 64_000, PCMA: 64_000, G722: 64_000, G729: 8_000, OPUS: 0 };

/** One leg as the console shows it. */
export function channelView(leg: Leg): ChannelView {
  const { record } = leg;
  const [state, stateNumber] = channelState(leg);
  const format = record.media?.endpoint?.format ?? null;
  const codec = format?.name ?? '';
  const inRoom = record.conference !== null;
  const running = record.execution?.running === true ? record.applicationLog.at(-1) : undefined;
  const { caller, times } = record;
  return {
    uuid: record.uuid,
    direction: record.direction,
    createdMicroseconds: times.created,
    name: record.channelName,
    state,
    stateNumber,
    callState: callState(leg),
    answerState: answerState(leg),
    callerIdName: caller.callerIdName,
    callerIdNumber: caller.callerIdNumber,
    calleeIdName: caller.calleeIdName,
    calleeIdNumber: caller.calleeIdNumber,
    networkAddr: caller.networkAddr,
    destinationNumber: caller.destinationNumber,
    dialplan: caller.dialplan,
    context: caller.context,
    application: running?.application ?? '',
    applicationData: running?.data ?? '',
    readCodec: inRoom ? 'L16' : codec,
    readRate: format === null ? 0 : 8000,
    readBitRate: inRoom ? 128_000 : (BIT_RATES[codec] ?? 0),
    writeCodec: codec,
    writeRate: format === null ? 0 : 8000,
    writeBitRate: BIT_RATES[codec] ?? 0,
    username: caller.username,
    ani: caller.ani,
    rdnis: caller.rdnis,
    callUuid: times.bridged > 0 ? record.callUuid : '',
    partnerUuid: record.partner,
    bridgedMicroseconds: times.bridged,
    times: {
      created: times.created,
      profileCreated: times.profileCreated,
      progress: times.progress,
      progressMedia: times.progressMedia,
      answered: times.answered,
      bridged: times.bridged,
      hangup: times.hangup,
      transfer: times.transfer,
      resurrected: times.resurrected,
      lastHold: times.lastHold,
      holdAccumulated: times.holdAccumulated,
    },
    variables: new Map(Object.entries(record.variables)),
    tracked: leg.tracked,
    hangupCause: record.hangupCause,
  };
}
