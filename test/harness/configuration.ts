import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PortBlock } from './ports.ts';

export interface ConfigurationOptions {
  readonly ports: PortBlock;
  /** Port at 127.0.0.1 that 2xxx is bridged to. */
  readonly calleePort: number;
  /** Default `switch-under-test`. */
  readonly switchname?: string;
  /** Further or other parameters of the SIP profile. */
  readonly profileParameters?: Readonly<Record<string, string>>;
  /** Further extensions, tried first. */
  readonly extensions?: string;
}

/** A minimal FreeSWITCH configuration, in FreeSWITCH's own layout. */
export function writeConfiguration(directory: string, options: ConfigurationOptions): void {
  const { ports } = options;
  const write = (name: string, text: string): void => {
    const file = join(directory, name);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, text);
  };
  const profile: Record<string, string> = {
    'track-calls': 'true',
    'sip-ip': '$${local_ip_v4}',
    'sip-port': String(ports.sip),
    'rtp-ip': '$${local_ip_v4}',
    context: 'public',
    dialplan: 'XML',
    'auth-calls': 'false',
    'accept-blind-reg': 'true',
    'inbound-codec-prefs': 'PCMU,PCMA,G729',
    'outbound-codec-prefs': 'PCMU,PCMA,G729',
    'inbound-codec-negotiation': 'generous',
    'manage-presence': 'false',
    ...options.profileParameters,
  };
  const parameters = Object.entries(profile).map(([name, value]) => `          <param name="${name}" value="${value}"/>`);
  write(
    'freeswitch.xml',
    `<?xml version="1.0"?>
<document type="freeswitch/xml">
  <X-PRE-PROCESS cmd="include" data="vars.xml"/>
  <section name="configuration">
    <X-PRE-PROCESS cmd="include" data="autoload_configs/*.xml"/>
  </section>
  <section name="dialplan">
    <X-PRE-PROCESS cmd="include" data="dialplan/*.xml"/>
  </section>
  <section name="directory">
    <domain name="127.0.0.1"/>
  </section>
</document>
`,
  );
  write(
    'vars.xml',
    `<include>
  <X-PRE-PROCESS cmd="set" data="local_ip_v4=127.0.0.1"/>
  <X-PRE-PROCESS cmd="set" data="domain=127.0.0.1"/>
</include>
`,
  );
  write(
    'autoload_configs/switch.conf.xml',
    `<configuration name="switch.conf">
  <settings>
    <param name="switchname" value="${options.switchname ?? 'switch-under-test'}"/>
    <param name="rtp-start-port" value="${ports.rtpFirst}"/>
    <param name="rtp-end-port" value="${ports.rtpLast}"/>
    <param name="max-sessions" value="2000"/>
    <param name="sessions-per-second" value="1000"/>
    <param name="loglevel" value="info"/>
  </settings>
</configuration>
`,
  );
  write(
    'autoload_configs/event_socket.conf.xml',
    `<configuration name="event_socket.conf">
  <settings>
    <param name="listen-ip" value="127.0.0.1"/>
    <param name="listen-port" value="${ports.eventSocket}"/>
    <param name="password" value="ClueCon"/>
  </settings>
</configuration>
`,
  );
  write(
    'autoload_configs/sofia.conf.xml',
    `<configuration name="sofia.conf">
  <profiles>
    <profile name="internal">
      <settings>
${parameters.join('\n')}
      </settings>
    </profile>
  </profiles>
</configuration>
`,
  );
  write(
    'autoload_configs/conference.conf.xml',
    `<configuration name="conference.conf">
  <profiles>
    <profile name="default">
      <param name="rate" value="8000"/>
      <param name="interval" value="20"/>
      <param name="energy-level" value="0"/>
    </profile>
  </profiles>
</configuration>
`,
  );
  write(
    'dialplan/public.xml',
    `<include>
  <context name="public">
${options.extensions ?? ''}
    <extension name="echo">
      <condition field="destination_number" expression="^9196$">
        <action application="answer"/>
        <action application="echo"/>
      </condition>
    </extension>
    <extension name="conference">
      <condition field="destination_number" expression="^(30\\d\\d)$">
        <action application="answer"/>
        <action application="conference" data="$1@default"/>
      </condition>
    </extension>
    <extension name="phones">
      <condition field="destination_number" expression="^(2\\d\\d\\d)$">
        <action application="bridge" data="sofia/internal/$1@127.0.0.1:${options.calleePort}"/>
      </condition>
    </extension>
  </context>
</include>
`,
  );
}
