import type { GatewayConfig } from './config.ts';
import { Parameters } from './parameters.ts';
import type { ConfigReport } from './report.ts';
import { GATEWAY_PARAMETERS } from './sofia-parameters.ts';
import { childrenNamed, type XmlElement } from './xml.ts';

/** Gateways of one profile; FreeSWITCH has no bound, each of ours holds timers. */
const MAX_GATEWAYS = 1000;
/** FreeSWITCH takes no shorter interval (sofia.c, parse_gateways). */
const SHORTEST_INTERVAL = 5;

/** `<gateways>` of a profile. As in FreeSWITCH, a gateway that lacks what it needs is left out and the others serve. */
export function readGateways(profile: XmlElement, report: ConfigReport): ReadonlyMap<string, GatewayConfig> {
  const gateways = new Map<string, GatewayConfig>();
  for (const group of childrenNamed(profile, 'gateways')) {
    for (const child of childrenNamed(group, 'gateway')) {
      const gateway = readGateway(child, report);
      if (gateway === null) continue;
      if (gateways.has(gateway.name)) {
        report.warn(gateway.position, `the gateway "${gateway.name}" is already there; this one is left out`);
      } else if (gateways.size >= MAX_GATEWAYS) {
        report.error(gateway.position, `more than ${MAX_GATEWAYS} gateways`);
        return gateways;
      } else gateways.set(gateway.name, gateway);
    }
  }
  return gateways;
}

function readGateway(element: XmlElement, report: ConfigReport): GatewayConfig | null {
  const { name } = element.attributes;
  if (!name) {
    report.error(element.position, '<gateway> without name; expected <gateway name="…">');
    return null;
  }
  const settings: XmlElement = { ...element, children: childrenNamed(element, 'param') };
  const parameters = new Parameters(settings, element.position, report, GATEWAY_PARAMETERS);
  for (const interval of ['expire-seconds', 'retry-seconds']) parameters.integer(interval, SHORTEST_INTERVAL, 1, 31_536_000);
  parameters.integer('ping', 0, 0, 86_400);
  for (const count of ['ping-min', 'ping-max']) parameters.integer(count, 1, 0, 1000);
  const transport = parameters.filled('register-transport') ?? 'udp';
  const proxy = parameters.filled('proxy') ?? '';
  const lacking = (what: string): null => {
    report.warn(element.position, `the gateway "${name}" is left out: ${what}`);
    return null;
  };
  if (transport.toLowerCase() !== 'udp' || /;transport=(?!udp)/i.test(proxy)) return lacking('only UDP is supported yet');
  if (parameters.boolean('register', true)) {
    for (const needed of ['username', 'password']) {
      if (parameters.filled(needed) === null) return lacking(`it shall register, but ${needed} is missing (or write register="false")`);
    }
  }
  return {
    name,
    position: element.position,
    parameters: new Map([...parameters.all].map(([parameter, value]) => [parameter.toLowerCase(), value])),
  };
}
