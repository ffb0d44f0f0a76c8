import type { Config } from '../../src/config/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { optionsFor } from '../config/memory-files.ts';

export const SWITCH_IP = '10.0.0.1';
export const SWITCH_PORT = 5060;

const EXTENSION = (name: string, expression: string, actions: readonly (readonly [string, string])[]): string => `
    <extension name="${name}">
      <condition field="destination_number" expression="${expression}">
${actions.map(([application, data]) => `        <action application="${application}" data="${data}"/>`).join('\n')}
      </condition>
    </extension>`;

const PHONE = (digit: string): string => `sofia/internal/200${digit}@10.0.1.${digit}:5060`;

/** Phone n is 200n at 10.0.1.n. 7nm: n, then m; 8nm: both at once; 6n: n, and the tone when it fails. */
const DIALPLAN = [
  EXTENSION('echo', '^9196$', [
    ['answer', ''],
    ['echo', ''],
  ]),
  EXTENSION('phones', '^200(\\d)$', [['bridge', PHONE('$1')]]),
  EXTENSION('one after the other', '^7(\\d)(\\d)$', [
    ['set', 'call_timeout=5'],
    ['bridge', `${PHONE('$1')}|${PHONE('$2')}`],
  ]),
  EXTENSION('both at once', '^8(\\d)(\\d)$', [['bridge', `${PHONE('$1')},${PHONE('$2')}`]]),
  EXTENSION('or a tone', '^6(\\d)$', [
    ['set', 'continue_on_fail=true'],
    ['set', 'call_timeout=5'],
    ['bridge', PHONE('$1')],
    ['answer', ''],
    ['playback', 'tone_stream://%(2000,0,440)'],
  ]),
  EXTENSION('conference', '^(30\\d\\d)$', [
    ['answer', ''],
    ['conference', '$1@default'],
  ]),
  EXTENSION('tone', '^5001$', [
    ['answer', ''],
    ['playback', 'tone_stream://%(3000,0,440)'],
  ]),
  EXTENSION('sleep', '^5002$', [
    ['answer', ''],
    ['sleep', '3000'],
    ['hangup', 'NORMAL_CLEARING'],
  ]),
  EXTENSION('park', '^5003$', [
    ['answer', ''],
    ['park', ''],
  ]),
].join('');

/** The configuration of the simulated switch; `profileParameters` come after, and so above, the defaults. */
export function simulatedConfiguration(profileParameters: Readonly<Record<string, string>> = {}): Config {
  const profile: Record<string, string> = {
    'track-calls': 'true',
    'sip-ip': SWITCH_IP,
    'sip-port': String(SWITCH_PORT),
    'rtp-ip': SWITCH_IP,
    context: 'public',
    dialplan: 'XML',
    'auth-calls': 'false',
    'accept-blind-reg': 'true',
    'inbound-codec-prefs': 'PCMU,PCMA',
    'outbound-codec-prefs': 'PCMU,PCMA',
    ...profileParameters,
  };
  const parameters = Object.entries(profile).map(([name, value]) => `<param name="${name}" value="${value}"/>`);
  return loadConfig(
    optionsFor({
      'freeswitch.xml': `<?xml version="1.0"?>
<document type="freeswitch/xml">
<section name="configuration">
<configuration name="switch.conf"><settings>
<param name="switchname" value="simulated"/>
<param name="rtp-start-port" value="16384"/>
<param name="rtp-end-port" value="16583"/>
<param name="sessions-per-second" value="1000"/>
</settings></configuration>
<configuration name="sofia.conf"><profiles><profile name="internal"><settings>
${parameters.join('\n')}
</settings></profile></profiles></configuration>
<configuration name="conference.conf"><profiles><profile name="default">
<param name="rate" value="8000"/><param name="interval" value="20"/><param name="energy-level" value="0"/>
</profile></profiles></configuration>
</section>
<section name="dialplan"><context name="public">${DIALPLAN}
</context></section>
<section name="directory"><domain name="${SWITCH_IP}"/></section>
</document>
`,
    }),
  );
}
