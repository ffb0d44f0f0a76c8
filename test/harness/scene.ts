import assert from 'node:assert/strict';
import { countCalls, Phones } from '../../tools/phone/client.ts';
import type { FarmReport, StreamReport } from '../../tools/phone/report.ts';
import { takePorts } from './ports.ts';
import { type RunningSwitch, startSwitch } from './switch.ts';

export interface CallSet {
  readonly bridge: number;
  readonly echo: number;
  readonly conference: number;
}

/** `UNDROP_TEST_LARGE=1` takes the large set. */
export const callSet: CallSet =
  process.env['UNDROP_TEST_LARGE'] === '1' ? { bridge: 100, echo: 50, conference: 30 } : { bridge: 10, echo: 5, conference: 5 };

/** Legs at the switch. */
export function legs(set: CallSet): number {
  return 2 * set.bridge + set.echo + set.conference;
}

export interface Scene {
  readonly undrop: RunningSwitch;
  readonly phones: Phones;
  close(): Promise<void>;
}

/** A switch and its phones, with every call answered and every stream heard. */
export async function startScene(set: CallSet, profileParameters: Readonly<Record<string, string>> = {}): Promise<Scene> {
  const ports = await takePorts();
  const phones = await Phones.start(ports.sip);
  let undrop: RunningSwitch | null = null;
  const close = async (): Promise<void> => {
    await phones.close();
    await undrop?.stop();
  };
  try {
    undrop = await startSwitch({ ports, calleePort: phones.calleePort, profileParameters });
    await phones.dial({ ...set, rate: 50 });
    const up = await phones.waitFor((report) => countCalls(report, 'answered') === legs(set) && allFlow(report), 15_000);
    assert.equal(
      countCalls(up, 'answered'),
      legs(set),
      `not all calls were answered: ${up.anomalies.slice(0, 5).join('; ')}\n${undrop.log()}`,
    );
    await phones.mark();
    return { undrop, phones, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export function allFlow(report: FarmReport): boolean {
  return report.streams.length > 0 && report.streams.every((stream) => stream.flowing);
}

/** Waits until every phone has heard ten more packets than at the time of the call. The window of the phones stays open. */
export async function waitFlowing(phones: Phones, timeoutMilliseconds = 15_000): Promise<void> {
  const heard = new Map((await phones.peek()).streams.map((stream) => [stream.id, stream.packetsIn]));
  const last = await phones.waitFor(
    (report) => report.streams.length > 0 && report.streams.every((stream) => stream.packetsIn >= (heard.get(stream.id) ?? 0) + 10),
    timeoutMilliseconds,
  );
  const silent = last.streams.filter((stream) => stream.packetsIn < (heard.get(stream.id) ?? 0) + 10).map(describe);
  assert.deepEqual(silent, [], `${silent.length} of ${last.streams.length} streams stay silent; ${last.anomalies.slice(0, 5).join('; ')}`);
}

function describe(stream: StreamReport): string {
  return `${stream.kind} ${stream.side} ${stream.id} (port ${stream.remotePort})`;
}

/** What no crash may do to a stream: all go on, no new SSRC, nothing goes back, the right sound arrives. */
export function assertStreamsWhole(report: FarmReport, expectedStreams: number, when: string): void {
  assert.equal(report.streams.length, expectedStreams, `${when}: streams of answered calls; ${report.anomalies.slice(0, 5).join('; ')}`);
  const wrong: string[] = [];
  for (const stream of report.streams) {
    const faults = [
      stream.packetsIn === 0 && 'heard nothing',
      stream.ssrcChanges > 0 && `${stream.ssrcChanges} SSRC changes`,
      stream.sequenceBackward > 0 && `sequence went back ${stream.sequenceBackward} times`,
      stream.duplicates > 0 && `${stream.duplicates} duplicates`,
      stream.largestSequenceJump >= 3000 && `sequence jumped by ${stream.largestSequenceJump}`,
      stream.timestampBackward > 0 && `timestamp went back ${stream.timestampBackward} times`,
      stream.timestampAhead > 0 && `timestamp ${Math.round(stream.largestTimestampLeadMilliseconds)} ms ahead of real time`,
      stream.wrongSound > 0 && `${stream.wrongSound} frames of wrong sound`,
      stream.wrongPayloadType > 0 && `${stream.wrongPayloadType} packets of a wrong payload type`,
      stream.wrongSource > 0 && `${stream.wrongSource} packets from a wrong port`,
      stream.kind === 'conference' && stream.silentFrames === stream.packetsIn && 'only silence',
    ].filter((fault) => fault !== false);
    if (faults.length > 0) wrong.push(`${describe(stream)}: ${faults.join(', ')}`);
  }
  assert.deepEqual(wrong, [], `${when}: ${wrong.length} of ${expectedStreams} streams are not whole`);
}

/** Half of the bridged calls end from the callee, everything else from the caller; then nothing may be left. */
export async function assertEndsClean(scene: Scene, set: CallSet): Promise<void> {
  const { undrop, phones } = scene;
  await phones.hangup({ side: 'callee', fraction: 0.5, kind: 'bridge' });
  await phones.waitFor(
    (report) => countCalls(report, 'hanging up') === 0 && countCalls(report, 'answered') === legs(set) - 2 * Math.round(set.bridge / 2),
    10_000,
  );
  await phones.hangup({ side: 'caller', fraction: 1 });
  const over = await phones.waitFor((report) => countCalls(report, 'ended') === legs(set), 15_000);
  assert.equal(countCalls(over, 'ended'), legs(set), `every leg ends; ${over.anomalies.slice(0, 8).join('; ')}`);
  const bySwitch = over.calls.filter((call) => call.kind === 'bridge' && call.endedBy === 'switch').length;
  assert.equal(bySwitch, set.bridge, 'the other leg of every bridged call gets its BYE');
  assert.equal(await undrop.waitChannelCount(0), 0, 'show channels count');
  assert.equal(await undrop.waitRecoveryRows(0), 0, 'rows left in the table recovery');
  assert.equal(undrop.cdrFiles().length, legs(set), 'CDR files, one a leg');
}
