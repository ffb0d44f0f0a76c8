import type { DigestAccount, SipHeader, SipResponse } from '../sip/index.ts';
import { answerChallenge, headerValues, viaValue, withFirstHeader, withHeader } from '../sip/index.ts';
import type { CallContext, DialGateway } from './context.ts';
import type { Leg } from './leg.ts';
import type { ClientTransactionRecord } from './record.ts';
import { finishClient, followRequest, parseStoredRequest } from './signalling.ts';

/** Challenges to one request, nonces that went stale included. */
const MAXIMUM_CHALLENGES = 5;

/** The trunk that the leg goes through or came from, while it exists. */
export function gatewayOf(context: CallContext, leg: Leg): DialGateway | null {
  const name = leg.record.variables['sip_gateway_name'];
  if (name === undefined || name === '') return null;
  return context.gateway(`${leg.record.profileName}::${name}`) ?? context.gateway(name);
}

/** The trunk's account, or the one in FreeSWITCH's `sip_auth_username` and `sip_auth_password`. */
function accountOf(context: CallContext, leg: Leg): DigestAccount | null {
  const { sip_auth_username: username, sip_auth_password: password } = leg.record.variables;
  if (username !== undefined && password !== undefined) return { username, password };
  return gatewayOf(context, leg)?.account ?? null;
}

export function hasAccount(context: CallContext, leg: Leg): boolean {
  return accountOf(context, leg) !== null;
}

/**
 * A 401 or 407 to a request of ours: says it again with credentials, a new branch and the next CSeq (RFC 3261 §22.2), in
 * the record and behind the barrier like the first. False when that is not possible: then the refusal stands.
 */
export function sayWithCredentials(context: CallContext, leg: Leg, transaction: ClientTransactionRecord, response: SipResponse): boolean {
  if (response.status !== 401 && response.status !== 407) return false;
  const { dialog } = leg.record;
  const account = accountOf(context, leg);
  const profile = context.profile(leg.record.profileName);
  const original = parseStoredRequest(transaction.request);
  if (dialog === null || account === null || profile === null || original === null) return false;
  const count = (leg.challenges.get(transaction.branch) ?? 0) + 1;
  if (count > MAXIMUM_CHALLENGES) return false;
  const answer = answerChallenge(original, response, account, context.token(16));
  if (answer.kind !== 'answered') {
    const why = answer.kind === 'refused' ? 'the password is refused' : 'no challenge that can be answered';
    context.logger.log('warning', `${transaction.method} got ${response.status}: ${why}`, { uuid: leg.uuid });
    return false;
  }
  finishClient(leg, transaction.branch, transaction.method);
  leg.requests.delete(transaction.branch);
  if (transaction.purpose === 'invite') {
    // What a provisional response said of the dialog is void: the next INVITE makes its own.
    dialog.remoteTag = null;
    dialog.remoteTarget = original.uri;
    dialog.routeSet = [...headerValues(original, 'Route')];
    dialog.natAddress = transaction.destination;
    leg.record.earlyDialogs = [];
  }
  dialog.localCSeq += 1;
  const branch = `z9hG4bK${context.token(16)}`;
  const request = withHeader(
    withFirstHeader(answer.request, 'Via', viaValue(context.party(profile), branch)),
    'CSeq',
    `${dialog.localCSeq} ${original.method}`,
  );
  for (const known of leg.challenges.keys()) {
    if (!leg.record.clientTransactions.some((pending) => pending.branch === known)) leg.challenges.delete(known);
  }
  leg.challenges.set(branch, count);
  if (original.method === 'INVITE') leg.requests.set(branch, request);
  followRequest(context, leg, request, branch, transaction.destination, transaction.purpose);
  return true;
}

/** RFC 3261 §22.1: the ACK to a 2xx repeats the credentials of its INVITE, since it cannot be challenged. */
export function credentialHeaders(invite: ClientTransactionRecord): readonly SipHeader[] {
  if (!/^(proxy-)?authorization:/im.test(invite.request)) return [];
  return parseStoredRequest(invite.request)?.headers.filter(({ name }) => name === 'Authorization' || name === 'Proxy-Authorization') ?? [];
}
