import { causeName } from '../base/index.ts';
import { type ApplicationTable, splitArguments } from './application-type.ts';
import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';
import { takeLimit } from './limit.ts';

/** Applications whose data other calls see: `hash`, `db`, `group`, `limit`. */
function shared(kind: 'hash' | 'db' | 'group'): ApplicationTable[string] {
  return {
    inline: true,
    run: (context, leg, data) => {
      const outcome = kind === 'group' ? context.shared.group(data) : context.shared.command(kind, data);
      if (outcome === null) context.logger.log('error', `${kind} does not understand "${data.slice(0, 200)}"`, { uuid: leg.uuid });
      return 'done';
    },
  };
}

/** `backend realm id [max[/interval]] [number [dialplan [context]] | !CAUSE]`; rates (`max/interval`) are not counted. */
function limit(context: CallContext, leg: Leg, data: string): 'done' | 'gone' {
  const words = splitArguments(data);
  const [realm = '', id = '', maximum = '-1', extension = 'limit_exceeded', , dialplanContext] = words.slice(1);
  if (maximum.includes('/')) {
    context.logger.log('warning', `limit: the rate "${maximum}" is not counted here, only calls at the same time`, { uuid: leg.uuid });
  } else if (!takeLimit(context, leg, realm, id, Number(maximum) >= 0 ? Number(maximum) : -1)) {
    context.logger.log('notice', `limit: ${realm}/${id} is used by ${maximum} calls already`, { uuid: leg.uuid });
    if (extension.startsWith('!')) context.hangup(leg, causeName(extension.slice(1)));
    else context.transfer(leg, extension, dialplanContext ?? leg.record.caller.context);
    return 'gone';
  }
  return 'done';
}

export const SHARED_APPLICATIONS: ApplicationTable = {
  hash: shared('hash'),
  db: shared('db'),
  group: shared('group'),
  limit: { run: limit },
};
