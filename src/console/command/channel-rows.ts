import type { ChannelView, SwitchView } from '../switch-view.ts';
import { localTime } from '../time-text.ts';
import type { Table } from './table.ts';

const CHANNEL_COLUMNS =
  'uuid,direction,created,created_epoch,name,state,cid_name,cid_num,ip_addr,dest,application,application_data,dialplan,context,read_codec,read_rate,read_bit_rate,write_codec,write_rate,write_bit_rate,secure,hostname,presence_id,presence_data,accountcode,callstate,callee_name,callee_num,callee_direction,call_uuid,sent_callee_name,sent_callee_num,initial_cid_name,initial_cid_num,initial_ip_addr,initial_dest,initial_dialplan,initial_context'.split(
    ',',
  );

const LEG_COLUMNS =
  'uuid,direction,created,created_epoch,name,state,cid_name,cid_num,ip_addr,dest,presence_id,presence_data,accountcode,callstate,callee_name,callee_num,callee_direction'.split(
    ',',
  );
const SENT_COLUMNS = ['sent_callee_name', 'sent_callee_num'];
const CALL_COLUMNS = [
  ...LEG_COLUMNS,
  'call_uuid',
  'hostname',
  ...SENT_COLUMNS,
  ...[...LEG_COLUMNS, ...SENT_COLUMNS].map((column) => `b_${column}`),
  'call_created_epoch',
];

function seconds(microseconds: number): string {
  return String(Math.floor(microseconds / 1_000_000));
}

function calleeDirection(channel: ChannelView): string {
  return channel.calleeIdName === '' && channel.calleeIdNumber === '' ? '' : 'SEND';
}

/** What this leg's phone was shown as the other side; empty on legs that never were bridged. */
function sentCallee(channel: ChannelView): readonly [string, string] {
  if (channel.callUuid === '') return ['', ''];
  return channel.direction === 'inbound' ? [channel.calleeIdName, channel.calleeIdNumber] : [channel.callerIdName, channel.callerIdNumber];
}

function rate(codec: string, value: number): string {
  return codec === '' ? '' : String(value);
}

function byCreation(left: ChannelView, right: ChannelView): number {
  return left.createdMicroseconds - right.createdMicroseconds;
}

function channelRow(channel: ChannelView, switchname: string): string[] {
  const variable = (name: string) => channel.variables.get(name) ?? '';
  return [
    channel.uuid,
    channel.direction,
    localTime(channel.createdMicroseconds),
    seconds(channel.createdMicroseconds),
    channel.name,
    channel.state,
    channel.callerIdName,
    channel.callerIdNumber,
    channel.networkAddr,
    channel.destinationNumber,
    channel.application,
    channel.applicationData,
    channel.dialplan,
    channel.context,
    channel.readCodec,
    rate(channel.readCodec, channel.readRate),
    rate(channel.readCodec, channel.readBitRate),
    channel.writeCodec,
    rate(channel.writeCodec, channel.writeRate),
    rate(channel.writeCodec, channel.writeBitRate),
    '',
    switchname,
    variable('presence_id'),
    variable('presence_data'),
    variable('accountcode'),
    channel.callState,
    channel.calleeIdName,
    channel.calleeIdNumber,
    calleeDirection(channel),
    channel.callUuid,
    ...sentCallee(channel),
    channel.callerIdName,
    channel.callerIdNumber,
    channel.networkAddr,
    channel.destinationNumber,
    channel.dialplan,
    channel.context,
  ];
}

function legRow(channel: ChannelView): string[] {
  const variable = (name: string) => channel.variables.get(name) ?? '';
  return [
    channel.uuid,
    channel.direction,
    localTime(channel.createdMicroseconds),
    seconds(channel.createdMicroseconds),
    channel.name,
    channel.state,
    channel.callerIdName,
    channel.callerIdNumber,
    channel.networkAddr,
    channel.destinationNumber,
    variable('presence_id'),
    variable('presence_data'),
    variable('accountcode'),
    channel.callState,
    channel.calleeIdName,
    channel.calleeIdNumber,
    calleeDirection(channel),
  ];
}

/** `show channels [like TEXT]`: one row a leg. */
export function channelTable(view: SwitchView, like: string | null): Table {
  const wanted = like?.replaceAll('%', '').toLowerCase() ?? '';
  const matches = (channel: ChannelView) =>
    [
      channel.uuid,
      channel.name,
      channel.callerIdName,
      channel.callerIdNumber,
      channel.variables.get('presence_data') ?? '',
      channel.variables.get('accountcode') ?? '',
    ].some((value) => value.toLowerCase().includes(wanted));
  const channels = view.channels().filter((channel) => wanted === '' || matches(channel));
  return { columns: CHANNEL_COLUMNS, rows: channels.sort(byCreation).map((channel) => channelRow(channel, view.switchname)) };
}

/** True for the leg that a bridged call is listed under. */
function isCaller(channel: ChannelView, partner: ChannelView): boolean {
  if (channel.callUuid === channel.uuid) return true;
  if (partner.callUuid === partner.uuid) return false;
  const order = byCreation(channel, partner);
  return order < 0 || (order === 0 && channel.uuid < partner.uuid);
}

/** `show calls` and `show bridged_calls`: one row a call, both legs side by side. Calls without a partner come first, as in FreeSWITCH. */
export function callTable(view: SwitchView, onlyBridged: boolean): Table {
  const single: string[][] = [];
  const bridged: { readonly at: number; readonly row: string[] }[] = [];
  for (const channel of view.channels().toSorted(byCreation)) {
    const partner = channel.partnerUuid === null ? null : view.channel(channel.partnerUuid);
    if (partner === null) {
      const empty = new Array<string>(LEG_COLUMNS.length + SENT_COLUMNS.length + 1).fill('');
      single.push([...legRow(channel), channel.callUuid, view.switchname, ...sentCallee(channel), ...empty]);
    } else if (isCaller(channel, partner)) {
      const caller = [...legRow(channel), channel.callUuid, view.switchname, ...sentCallee(channel)];
      const row = [...caller, ...legRow(partner), ...sentCallee(partner), seconds(channel.bridgedMicroseconds)];
      bridged.push({ at: channel.bridgedMicroseconds, row });
    }
  }
  const rows = bridged.sort((left, right) => left.at - right.at).map((call) => call.row);
  return { columns: CALL_COLUMNS, rows: onlyBridged ? rows : [...single, ...rows] };
}
