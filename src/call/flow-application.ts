import { causeName } from '../base/index.ts';
import type { ApplicationTable } from './application-type.ts';

/** Longest time that `sched_hangup` may wait, in seconds. */
const MAXIMUM_SECONDS = 31_536_000;

/** Applications that decide what becomes of the leg. */
export const FLOW_APPLICATIONS: ApplicationTable = {
  /** `sip:user@host[,…]`: 302 to a caller that has no answer yet. */
  redirect: {
    run: (context, leg, data) => {
      const contacts = data
        .split(',')
        .map((target) => target.trim().replace(/[\r\n<>]/g, ''))
        .filter((target) => target !== '')
        .map((target) => (/^<?(sips?|tel):/i.test(target) ? target : `sip:${target}`));
      if (leg.record.direction !== 'inbound' || leg.answered || contacts.length === 0) {
        context.logger.log('error', 'redirect needs a caller that is not answered and a SIP address', { uuid: leg.uuid });
        return 'done';
      }
      const headers = [{ name: 'Contact', value: contacts.map((target) => `<${target}>`).join(', ') }];
      context.hangup(leg, 'REDIRECTION_TO_NEW_DESTINATION', { status: contacts.length > 1 ? 300 : 302, headers });
      return 'gone';
    },
  },
  /** `[+]seconds [cause]`: seconds from now, or since the epoch; 0 takes it back. */
  sched_hangup: {
    inline: true,
    run: (context, leg, data) => {
      const [when = '', cause = ''] = data.trim().split(/\s+/);
      const match = /^(\+?)(\d{1,12})$/.exec(when);
      if (match === null) {
        context.logger.log('error', `sched_hangup wants [+]seconds and a cause, got "${data.slice(0, 200)}"`, { uuid: leg.uuid });
        return 'done';
      }
      const now = context.wallMicroseconds();
      const number = Number(match[2]);
      const seconds = match[1] === '+' ? number : Math.max(0, number - now / 1_000_000);
      context.schedule(
        leg,
        when === '0' ? null : { seconds: Math.min(seconds, MAXIMUM_SECONDS), cause: cause === '' ? 'ALLOTTED_TIMEOUT' : causeName(cause) },
      );
      return 'done';
    },
  },
};
