import { xmlEscape } from '../esl/render.ts';
import type { GatewayView } from '../switch-view.ts';
import type { CommandContext } from './command.ts';

export const RULE = `${'='.repeat(97)}\n`;

const XML_HEAD = '<?xml version="1.0" encoding="ISO-8859-1"?>\n';

/** By name (the first profile that has it) or `profile::name`. */
function findGateway(name: string, context: CommandContext): GatewayView | undefined {
  const gateways = context.view.gateways();
  return (
    gateways.find((gateway) => `${gateway.profileName}::${gateway.name}` === name) ?? gateways.find((gateway) => gateway.name === name)
  );
}

/** FreeSWITCH tells the next attempt of a gateway that is not registered. */
export function retryNote(gateway: GatewayView): string {
  if (gateway.state !== 'FAILED' && gateway.state !== 'TRYING' && gateway.state !== 'FAIL_WAIT') return '';
  return gateway.retry === null ? ' (retry: NEVER)' : ` (retry: ${gateway.retry}s)`;
}

/** `sofia status gateway` (mod_sofia.c, cmd_status). */
export function gatewayList(context: CommandContext): string {
  const gateways = context.view.gateways();
  const sum = (of: (gateway: GatewayView) => number): number => gateways.reduce((total, gateway) => total + of(gateway), 0);
  const rows = gateways.map(
    (gateway) =>
      `${`${gateway.profileName}::${gateway.name}`.padStart(25)}\t${gateway.to.padStart(32)}\t${gateway.state}\t${gateway.pingTime.toFixed(2).padStart(6)}` +
      `\t${gateway.failedCallsIn}/${gateway.callsIn}\t${gateway.failedCallsOut}/${gateway.callsOut}${retryNote(gateway)}\n`,
  );
  const inbound = `${sum((gateway) => gateway.failedCallsIn)}/${sum((gateway) => gateway.callsIn)}`;
  const outbound = `${sum((gateway) => gateway.failedCallsOut)}/${sum((gateway) => gateway.callsOut)}`;
  return (
    `    Profile::Gateway-Name\t                        Data    \tState\tPing Time\tIB Calls(F/T)\tOB Calls(F/T)\n${RULE}${rows.join('')}${RULE}` +
    `${gateways.length} gateway${gateways.length === 1 ? '' : 's'}: Inbound(Failed/Total): ${inbound},Outbound(Failed/Total):${outbound}\n`
  );
}

function fieldsOf(gateway: GatewayView): readonly (readonly [string, string])[] {
  return [
    ['Name    ', gateway.name],
    ['Profile ', gateway.profileName],
    ['Scheme  ', 'Digest'],
    ['Realm   ', gateway.realm],
    ['Username', gateway.username],
    ['Password', gateway.hasPassword ? 'yes' : 'no'],
    ['From    ', gateway.from],
    ['Contact ', gateway.contact],
    ['Exten   ', gateway.extension],
    ['To      ', gateway.to],
    ['Proxy   ', gateway.proxy],
    ['Context ', gateway.context],
    ['Expires ', String(gateway.expires)],
    ['Freq    ', String(gateway.frequency)],
    ['Ping    ', String(gateway.nextPingEpochSeconds)],
    ['PingFreq', String(gateway.pingFrequency)],
    ['PingTime', gateway.pingTime.toFixed(2)],
    ['PingState', `${gateway.pingMinimum}/${gateway.pingCount}/${gateway.pingMaximum}`],
    ['State   ', gateway.state],
    ['Status  ', `${gateway.up ? 'UP' : 'DOWN'}${gateway.pingFrequency > 0 ? ' (ping)' : ''}`],
    ['Uptime  ', `${gateway.uptime}s`],
    ['CallsIN ', String(gateway.callsIn)],
    ['CallsOUT', String(gateway.callsOut)],
    ['FailedCallsIN', String(gateway.failedCallsIn)],
    ['FailedCallsOUT', String(gateway.failedCallsOut)],
  ];
}

/** `sofia status gateway NAME`. */
export function gatewayDetail(name: string, context: CommandContext): string {
  const gateway = findGateway(name, context);
  if (gateway === undefined) return 'Invalid Gateway!\n';
  const lines = fieldsOf(gateway).map(([label, value]) => `${label}\t${value}\n`);
  return `${RULE}${lines.join('')}${RULE}`;
}

function xmlOf(gateway: GatewayView): string {
  const lines = fieldsOf(gateway).map(([label, value]) => {
    const tag = label.trim().toLowerCase();
    return `    <${tag}>${xmlEscape(value)}</${tag}>\n`;
  });
  return `  <gateway>\n${lines.join('')}  </gateway>\n`;
}

export function gatewayXmlList(context: CommandContext): string {
  return `${XML_HEAD}<gateways>\n${context.view.gateways().map(xmlOf).join('')}</gateways>\n`;
}

export function gatewayXml(name: string, context: CommandContext): string {
  const gateway = findGateway(name, context);
  return gateway === undefined ? 'Invalid Gateway!\n' : `${XML_HEAD}${xmlOf(gateway)}`;
}

/** `sofia profile X register|unregister|killgw NAME|all` and `rescan`; null for any other action. */
export function gatewayAction(profile: string, action: string, name: string | undefined, context: CommandContext): string | null {
  if (action === 'rescan') {
    context.view.rescanGateways(profile);
    return '+OK scan complete\n';
  }
  if (action !== 'register' && action !== 'unregister' && action !== 'killgw') return null;
  if (name === undefined || name === '') return 'No gateway name provided!\n';
  const command = action === 'killgw' ? 'kill' : action;
  const own = context.view.gateways().filter((gateway) => gateway.profileName === profile);
  const wanted = name === 'all' || (name === '_all_' && action === 'killgw') ? own : own.filter((gateway) => gateway.name === name);
  if (name !== 'all' && wanted.length === 0) return 'Invalid gateway!\n';
  for (const gateway of wanted) context.view.gatewayCommand(command, `${profile}::${gateway.name}`);
  return '+OK\n';
}
