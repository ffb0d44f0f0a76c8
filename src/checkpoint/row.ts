import { jsonToXml, xmlEscape } from './encoding.ts';
import type { CallerProfileRecord, LegRecord } from './record.ts';
import { RECORD_VERSION } from './record.ts';
import { type RowContext, writeVariables } from './variables.ts';

/** CDR XML of a leg as FreeSWITCH writes it (switch_ivr_generate_xml_cdr), with the whole record in `<undrop>`. */
export function recordToMetadata(record: LegRecord, context: RowContext): string {
  return `${writeDocument(record, context, NONE)}<undrop version="${RECORD_VERSION}">${jsonToXml(JSON.stringify(record))}</undrop>\n</cdr>`;
}

const NONE: ReadonlyMap<string, string> = new Map();

/** Everything up to the closing tag. `final`: variables that only a CDR has; they win over the leg's own. */
export function writeDocument(record: LegRecord, context: RowContext, final: ReadonlyMap<string, string>): string {
  const [state, stateNumber] = channelState(record);
  return `<cdr core-uuid="${xmlEscape(context.coreUuid)}" switchname="${xmlEscape(context.switchname)}">
<channel_data>
<state>${state}</state>
<direction>${record.direction}</direction>
<state_number>${stateNumber}</state_number>
<flags>${flags(record)}</flags>
<caps>1=1;2=1;3=1;4=1;5=1;6=1;8=1;9=1;10=1</caps>
</channel_data>
${CALL_STATS}${writeVariables(record, final)}${writeApplicationLog(record)}${writeCallflow(record)}`;
}

/** switch_channel_state_t. */
function channelState(record: LegRecord): readonly [name: string, number: number] {
  switch (record.phase) {
    case 'ending':
      return ['CS_HANGUP', 10];
    case 'ended':
      return ['CS_REPORTING', 11];
    default:
      if (record.execution !== null) return ['CS_EXECUTE', 4];
      if (record.phase === 'answered' && record.partner !== null) return ['CS_EXCHANGE_MEDIA', 5];
      return record.direction === 'outbound' ? ['CS_CONSUME_MEDIA', 7] : ['CS_ROUTING', 2];
  }
}

/** Numbers of switch_channel_flag_t that FreeSWITCH's own rows show for the same situation. */
function flags(record: LegRecord): string {
  const set = [0, 39, 55, 88, 89, 113, 114, 160, 166];
  if (record.times.answered > 0) set.push(1);
  if (record.direction === 'outbound') set.push(2, 45, 46);
  else set.push(68, 123, 165);
  if (record.phase === 'early') set.push(3);
  if (record.phase === 'proceeding') set.push(22);
  if (record.partner !== null) {
    set.push(50, 107);
    if (record.direction === 'inbound') set.push(4, 9);
  }
  if (record.media !== null && record.media.held !== 'none') set.push(10);
  return set
    .sort((left, right) => left - right)
    .map((flag) => `${flag}=1`)
    .join(';');
}

function writeApplicationLog(record: LegRecord): string {
  if (record.applicationLog.length === 0) return '';
  let out = '<app_log>\n';
  for (const entry of record.applicationLog) {
    out += `<application app_name="${xmlEscape(entry.application)}" app_data="${xmlEscape(entry.data)}" app_stamp="${entry.at}"></application>\n`;
  }
  return `${out}</app_log>\n`;
}

function writeCallflow(record: LegRecord): string {
  const caller = record.caller;
  let out = `<callflow dialplan="${xmlEscape(caller.dialplan)}" unique-id="${xmlEscape(record.uuid)}" profile_index="1">\n`;
  const execution = record.execution;
  if (execution !== null) {
    out += `<extension name="${xmlEscape(execution.extensionName)}" number="${xmlEscape(execution.extensionNumber)}">\n`;
    for (const { application, data } of execution.applications) {
      out += `<application app_name="${xmlEscape(application)}" app_data="${xmlEscape(data)}"></application>\n`;
    }
    out += '</extension>\n';
  }
  out += `<caller_profile>\n${writeCallerProfile(caller, record.uuid, record.channelName)}`;
  const originator = record.originator;
  if (originator !== null) {
    out += `<originator>\n<originator_caller_profile>\n${writeCallerProfile(originator.caller, originator.uuid, originator.channelName)}`;
    out += '</originator_caller_profile>\n</originator>\n';
  }
  const times = record.times;
  return `${out}</caller_profile>
<times>
<created_time>${times.created}</created_time>
<profile_created_time>${times.profileCreated}</profile_created_time>
<progress_time>${times.progress}</progress_time>
<progress_media_time>${times.progressMedia}</progress_media_time>
<answered_time>${times.answered}</answered_time>
<bridged_time>${times.bridged}</bridged_time>
<last_hold_time>${times.lastHold}</last_hold_time>
<hold_accum_time>${times.holdAccumulated}</hold_accum_time>
<hangup_time>${times.hangup}</hangup_time>
<resurrect_time>${times.resurrected}</resurrect_time>
<transfer_time>${times.transfer}</transfer_time>
</times>
</callflow>
`;
}

function writeCallerProfile(caller: CallerProfileRecord, uuid: string, channelName: string): string {
  return `<username>${xmlEscape(caller.username)}</username>
<dialplan>${xmlEscape(caller.dialplan)}</dialplan>
<caller_id_name>${xmlEscape(caller.callerIdName)}</caller_id_name>
<caller_id_number>${xmlEscape(caller.callerIdNumber)}</caller_id_number>
<callee_id_name>${xmlEscape(caller.calleeIdName)}</callee_id_name>
<callee_id_number>${xmlEscape(caller.calleeIdNumber)}</callee_id_number>
<ani>${xmlEscape(caller.ani)}</ani>
<aniii></aniii>
<network_addr>${xmlEscape(caller.networkAddr)}</network_addr>
<rdnis>${xmlEscape(caller.rdnis)}</rdnis>
<destination_number>${xmlEscape(caller.destinationNumber)}</destination_number>
<uuid>${xmlEscape(uuid)}</uuid>
<source>mod_sofia</source>
<context>${xmlEscape(caller.context)}</context>
<chan_name>${xmlEscape(channelName)}</chan_name>
`;
}

/** The counters live in the media process and change with every packet: a row holds none. */
const INBOUND_COUNTERS =
  'raw_bytes media_bytes packet_count media_packet_count skip_packet_count jitter_packet_count dtmf_packet_count cng_packet_count flush_packet_count largest_jb_size';
const OUTBOUND_COUNTERS =
  'raw_bytes media_bytes packet_count media_packet_count skip_packet_count dtmf_packet_count cng_packet_count rtcp_packet_count rtcp_octet_count';
const INBOUND_QUALITY: readonly (readonly [name: string, value: string])[] = [
  ['jitter_min_variance', '0.00'],
  ['jitter_max_variance', '0.00'],
  ['jitter_loss_rate', '0.00'],
  ['jitter_burst_rate', '0.00'],
  ['mean_interval', '0.00'],
  ['flaw_total', '0'],
  ['quality_percentage', '100.00'],
  ['mos', '4.50'],
];

function zeros(names: string): string {
  return names
    .split(' ')
    .map((name) => `<${name}>0</${name}>\n`)
    .join('');
}

const CALL_STATS = `<call-stats>
<audio>
<inbound>
${zeros(INBOUND_COUNTERS)}${INBOUND_QUALITY.map(([name, value]) => `<${name}>${value}</${name}>\n`).join('')}</inbound>
<outbound>
${zeros(OUTBOUND_COUNTERS)}</outbound>
</audio>
</call-stats>
`;
