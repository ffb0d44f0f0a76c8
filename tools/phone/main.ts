import { createInterface } from 'node:readline';
import { PhoneFarm } from './farm.ts';
import type { DialRequest, HangupRequest, Side } from './report.ts';

/** Commands of `client.ts`, one JSON object a line. */
export type FarmCommand =
  | { readonly name: 'open'; readonly switchIp: string; readonly switchPort: number }
  | ({ readonly name: 'dial' } & DialRequest)
  | { readonly name: 'mark' }
  | { readonly name: 'report'; readonly keep: boolean }
  | ({ readonly name: 'hangup' } & HangupRequest)
  | { readonly name: 'reinvite'; readonly side: Side }
  | { readonly name: 'close' };

let farm: PhoneFarm | null = null;

async function run(command: FarmCommand): Promise<unknown> {
  if (command.name === 'open') {
    farm = new PhoneFarm({ ip: command.switchIp, port: command.switchPort });
    return farm.open();
  }
  if (farm === null) throw new Error('open comes first');
  switch (command.name) {
    case 'dial':
      return farm.dial(command);
    case 'mark':
      return farm.mark();
    case 'report':
      return farm.report(command.keep);
    case 'hangup':
      return farm.hangup(command);
    case 'reinvite':
      return farm.reInvite(command.side);
    case 'close':
      return farm.close();
    default:
      throw new Error(`unknown command ${JSON.stringify(command)}`);
  }
}

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const { id, command } = JSON.parse(line) as { id: number; command: FarmCommand };
  run(command).then(
    (result) => process.stdout.write(`${JSON.stringify({ id, result: result ?? null })}\n`),
    (error: unknown) => process.stdout.write(`${JSON.stringify({ id, error: String(error) })}\n`),
  );
});
lines.on('close', () => {
  farm?.close();
  process.exit(0);
});
