import { join } from 'node:path/posix';
import { UndropError } from '../base/index.ts';
import { readAclConf } from './acl-conf.ts';
import { readConferenceConf } from './conference-conf.ts';
import type { Config } from './config.ts';
import { readDialplan } from './dialplan-conf.ts';
import { readDirectory } from './directory-conf.ts';
import { readEventSocketConf } from './event-socket-conf.ts';
import { type ConfigFiles, nodeConfigFiles } from './files.ts';
import { names } from './parameters.ts';
import { type ExpandedText, preprocess } from './preprocess.ts';
import { ConfigReport, formatPosition } from './report.ts';
import { readSofiaConf } from './sofia-conf.ts';
import { readSwitchConf } from './switch-conf.ts';
import { childrenNamed, parseXml, type XmlElement } from './xml.ts';

export interface LoadOptions {
  /** Holds freeswitch.xml. */
  readonly directory: string;
  /** Where databases, logs, recordings and run files lie. */
  readonly stateDirectory: string;
  readonly hostname: string;
  readonly localIpv4: string;
  readonly localIpv6: string;
  /** The network of `localIpv4`, as `192.0.2.5/24`; absent = /24, or /8 for a loopback address. */
  readonly localNetwork?: string;
  /** Every address of this host: an IPv6 profile whose address is not among them is left out. Absent = not checked. */
  readonly localAddresses?: readonly string[];
  /** `$${core_uuid}`; empty when it is not known yet. */
  readonly coreUuid?: string;
  /** For `env-set`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly files?: ConfigFiles;
}

/** FreeSWITCH's own configuration names that have no effect here. */
const ACCEPTED_CONFIGURATIONS =
  names(`alsa amr amrwb av avmd blacklist callcenter cdr_csv cdr_mongodb cdr_pg_csv cdr_sqlite cepstral cidlookup
  conference_layouts console curl db dialplan_directory dingaling directory distributor easyroute enum erlang_event event_multicast
  fax fifo format_cdr graylog2 hash hiredis httapi http_cache ivr java json_cdr kazoo lcr limit local_stream logfile lua memcache mongo msrp
  nibblebill opal opus oreka osp perl pocketsphinx portaudio post_load_modules post_load_switch pre_load_modules presence_map python redis rss
  rtmp sangoma_codec shout signalwire skinny sms_flowroute smpp sndfile spandsp syslog timezones translate tts_commandline unicall unimrcp v8
  verto voicemail voicemail_ivr vpx xml_cdr xml_curl xml_rpc xml_scgi zeroconf amqp abstraction ilbc directory_conf loopback mosquitto
  pulseaudio vosk bfcp gstreamer opusfile verto_contact say rtc`);
const USED_CONFIGURATIONS = ['acl', 'switch', 'sofia', 'event_socket', 'conference', 'modules'];
const ACCEPTED_SECTIONS = ['configuration', 'dialplan', 'directory', 'languages', 'phrases', 'chatplan', 'vars'];

/** The preprocessed text of a configuration, and what was warned of on the way. */
export function expandConfig(options: LoadOptions, report: ConfigReport): ExpandedText {
  return preprocess(join(options.directory, 'freeswitch.xml'), {
    files: options.files ?? nodeConfigFiles,
    variables: predefinedVariables(options),
    environment: options.environment ?? {},
    report,
  });
}

/**
 * Reads, checks and freezes the whole configuration.
 * Throws UndropError: the first error with its file and line; all others are listed in its message.
 */
export function loadConfig(options: LoadOptions): Config {
  const report = new ConfigReport();
  return readConfig(expandConfig(options, report), options, report);
}

export function readConfig(expanded: ExpandedText, options: LoadOptions, report: ConfigReport): Config {
  // What failed while reading the files explains best what is missing in them.
  report.throwIfAny();
  const root = parseXml(expanded);
  if (root.name !== 'document') {
    throw new UndropError('CONFIG_XML', `the root element is <${root.name}>, expected <document type="freeswitch/xml">`, {
      where: formatPosition(root.position),
    });
  }
  const sections = (name: string): XmlElement[] => childrenNamed(root, 'section').filter((section) => section.attributes['name'] === name);
  for (const child of root.children) {
    const name = child.attributes['name'] ?? '';
    // XX-PRE-PROCESS is how a directive is switched off.
    if (/-pre-process$/i.test(child.name)) continue;
    if (child.name !== 'section') report.warn(child.position, `<${child.name}> is not expected in <document>; expected <section>`);
    else if (!ACCEPTED_SECTIONS.includes(name)) report.warn(child.position, `the section "${name}" is unknown and ignored`);
  }
  const configurations = collectConfigurations(sections('configuration'), report);
  const directory = readDirectory(sections('directory'), report);
  const databaseDirectory = join(options.stateDirectory, 'db');
  const settings = readSwitchConf(configurations.get('switch'), root.position, report, { hostname: options.hostname, databaseDirectory });
  const accessLists = readAclConf(configurations.get('acl'), report, {
    localNetwork: localNetworkOf(options),
    directory,
  });
  const onStartup = expanded.variables.get('api_on_startup')?.trim();
  const config: Config = {
    ...settings,
    variables: new Map([...expanded.variables, ['switchname', settings.switchname]]),
    apiOnStartup: onStartup ? [onStartup] : [],
    profiles: readSofiaConf(configurations.get('sofia'), report, {
      localIpv4: options.localIpv4,
      domains: [...directory.keys()],
      accessLists,
      ...(options.localAddresses === undefined ? {} : { localAddresses: options.localAddresses }),
    }),
    eventSocket: readEventSocketConf(configurations.get('event_socket'), root.position, report, accessLists),
    accessLists,
    conferenceProfiles: readConferenceConf(configurations.get('conference'), report),
    modules: readModules(configurations.get('modules')),
    dialplan: readDialplan(sections('dialplan'), report),
    directory,
    warnings: report.warnings,
  };
  report.throwIfAny();
  return Object.freeze(config);
}

/** By name without `.conf`; the first of several counts, as in FreeSWITCH. */
function collectConfigurations(sections: readonly XmlElement[], report: ConfigReport): ReadonlyMap<string, XmlElement> {
  const found = new Map<string, XmlElement>();
  const told = new Set<string>();
  for (const element of sections.flatMap((section) => section.children)) {
    const name = (element.attributes['name'] ?? '').replace(/\.conf$/, '');
    if (element.name !== 'configuration' || name === '') {
      report.warn(element.position, `<${element.name}> is not expected here; expected <configuration name="….conf">`);
    } else if (USED_CONFIGURATIONS.includes(name)) {
      const first = found.get(name);
      if (first === undefined) found.set(name, element);
      else report.warn(element.position, `${name}.conf is there already (${formatPosition(first.position)}); the first one counts`);
    } else if (!ACCEPTED_CONFIGURATIONS.has(name) && !told.has(name)) {
      told.add(name);
      report.warn(element.position, `the configuration "${name}.conf" is unknown and ignored`);
    }
  }
  return found;
}

function readModules(element: XmlElement | undefined): readonly string[] {
  const loads = element === undefined ? [] : childrenNamed(element, 'modules').flatMap((group) => childrenNamed(group, 'load'));
  return loads.map((load) => load.attributes['module'] ?? '').filter((name) => name !== '');
}

function localNetworkOf(options: LoadOptions): string {
  return options.localNetwork ?? `${options.localIpv4}/${options.localIpv4.startsWith('127.') ? 8 : 24}`;
}

/** 24 → `255.255.255.0`. */
function maskOf(bits: number): string {
  return [0, 8, 16, 24].map((from) => 256 - 2 ** (8 - Math.min(8, Math.max(0, bits - from)))).join('.');
}

function predefinedVariables(options: LoadOptions): ReadonlyMap<string, string> {
  const state = options.stateDirectory;
  return new Map([
    ['hostname', options.hostname],
    ['local_ip_v4', options.localIpv4],
    ['local_ip_v6', options.localIpv6],
    ['local_mask_v4', maskOf(Number(localNetworkOf(options).split('/')[1] ?? 24))],
    ['domain', options.localIpv4],
    ['switch_serial', ''],
    ['core_uuid', options.coreUuid ?? ''],
    ['conf_dir', options.directory],
    ['base_dir', state],
    ['log_dir', join(state, 'log')],
    ['db_dir', join(state, 'db')],
    ['run_dir', join(state, 'run')],
    ['script_dir', join(state, 'scripts')],
    ['sounds_dir', join(state, 'sounds')],
    ['images_dir', join(state, 'images')],
    ['sound_prefix', join(state, 'sounds')],
    ['nat_public_addr', ''],
    ['nat_private_addr', ''],
    ['nat_type', ''],
    ['recordings_dir', join(state, 'recordings')],
    ['temp_dir', '/tmp'],
    ['htdocs_dir', join(state, 'htdocs')],
    ['mod_dir', join(state, 'mod')],
    ['cache_dir', join(state, 'cache')],
    ['data_dir', state],
    ['certs_dir', join(state, 'tls')],
    ['grammar_dir', join(state, 'grammar')],
    ['storage_dir', join(state, 'storage')],
  ]);
}
