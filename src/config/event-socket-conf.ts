import type { AccessList, EventSocketConfig, SourcePosition } from './config.ts';
import { names, Parameters, type ParameterTable } from './parameters.ts';
import type { ConfigReport } from './report.ts';
import { childrenNamed, type XmlElement } from './xml.ts';

const TABLE: ParameterTable = {
  area: 'event_socket.conf',
  used: names('listen-ip listen-port password apply-inbound-acl'),
  ignored: names('nat-map stop-on-bind-error debug'),
  missing: names(''),
};
const LOCAL_ACL = 'loopback.auto';
const DEFAULT_PASSWORD = 'ClueCon';

/** event_socket.conf. */
export function readEventSocketConf(
  element: XmlElement | undefined,
  fallback: SourcePosition,
  report: ConfigReport,
  accessLists: ReadonlyMap<string, AccessList>,
): EventSocketConfig {
  const settings = element === undefined ? undefined : childrenNamed(element, 'settings')[0];
  const parameters = new Parameters(settings, element?.position ?? fallback, report, TABLE);
  const result = {
    listenIp: parameters.ip('listen-ip', '127.0.0.1'),
    listenPort: parameters.port('listen-port', 8021),
    password: parameters.filled('password') ?? DEFAULT_PASSWORD,
    acl: parameters.filled('apply-inbound-acl') ?? LOCAL_ACL,
    accessLists,
  };
  const local = result.acl === LOCAL_ACL || result.listenIp === '::1' || result.listenIp.startsWith('127.');
  if (!local && result.password === DEFAULT_PASSWORD) {
    report.warn(
      parameters.position('password'),
      'event_socket.conf: the event socket is open to other hosts with the well-known default password; change the password',
    );
  }
  return Object.freeze(result);
}
