import { createHash, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Logger, Timer } from '../../base/index.ts';
import { type ClientCommand, CommandFramer, MAXIMUM_BODY_BYTES, MAXIMUM_HEAD_BYTES } from './frame.ts';
import { type EventFormat, type RenderedEvent, serializeEvent } from './render.ts';
import { Subscription } from './subscription.ts';

/** Before the password is known a client may say no more than this. */
const MAXIMUM_HEAD_BYTES_UNAUTHENTICATED = 1024;
const MAXIMUM_COMMANDS_UNAUTHENTICATED = 8;
/** A client that does not read this many bytes is dropped, so that one slow consumer costs no memory. */
const MAXIMUM_UNREAD_BYTES = 8 * 1024 * 1024;
/** More than this unparsed: the client waits until its earlier commands are done. */
const MAXIMUM_UNPARSED_BYTES = MAXIMUM_HEAD_BYTES + MAXIMUM_BODY_BYTES;

const GOODBYE = 'Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n';
const LOG_LEVELS = ['console', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];

/** What a connection needs from the server. */
export interface ConnectionHost {
  readonly password: string;
  readonly logger: Logger;
  execute(line: string): Promise<string>;
  /** Starts a job; its uuid, or null when too many are running. */
  startJob(line: string, wantedUuid: string | null): string | null;
  /** Fires an event of a client; returns its uuid. */
  fireEvent(name: string, headers: readonly (readonly [string, string])[], body: string | null): string;
  channelExists(uuid: string): boolean;
  hangup(uuid: string, cause: string): boolean;
  setVariable(uuid: string, name: string, value: string | null): boolean;
}

function sameSecret(left: string, right: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}

/** One client of the event socket (mod_event_socket.c `listener_run`, `parse_command`). Commands run one after another, in order. */
export class ClientConnection {
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #framer = new CommandFramer();
  readonly #subscription = new Subscription();
  readonly #authTimer: Timer;
  #authenticated = false;
  #commandsBeforeAuth = 0;
  #logLevel = -1;
  #working = false;
  #ending = false;

  constructor(socket: Socket, host: ConnectionHost, authTimer: (expired: () => void) => Timer) {
    this.#socket = socket;
    this.#host = host;
    this.#authTimer = authTimer(() => this.#disconnect());
    socket.on('data', (data: Buffer) => {
      if (this.#ending) return;
      this.#framer.push(data);
      if (this.#framer.pending > MAXIMUM_UNPARSED_BYTES) socket.pause();
      void this.#work();
    });
    this.#write('Content-Type: auth/request\n\n');
  }

  /** The socket is gone. */
  closed(): void {
    this.#ending = true;
    this.#authTimer.cancel();
  }

  deliver(event: RenderedEvent, textOf: (format: EventFormat) => string): void {
    if (!this.#authenticated || !this.#subscription.wants(event)) return;
    const format = this.#subscription.format;
    const text = textOf(format);
    this.#write(`Content-Length: ${Buffer.byteLength(text)}\nContent-Type: text/event-${format}\n\n${text}`);
  }

  deliverLog(line: { readonly level: number; readonly text: string; readonly uuid: string | null }): void {
    if (line.level > this.#logLevel) return;
    const text = line.text.endsWith('\n') ? line.text : `${line.text}\n`;
    const userData = line.uuid === null ? '' : `User-Data: ${line.uuid}\n`;
    this.#write(
      `Content-Type: log/data\nContent-Length: ${Buffer.byteLength(text)}\nLog-Level: ${line.level}\nText-Channel: 0\nLog-File: undrop\nLog-Func: log\nLog-Line: 1\n${userData}\n${text}`,
    );
  }

  /** Takes the commands that are complete, one after another; a slow one holds back those behind it, as FreeSWITCH does. */
  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    try {
      while (!this.#ending) {
        const command = this.#framer.next(this.#authenticated ? MAXIMUM_HEAD_BYTES : MAXIMUM_HEAD_BYTES_UNAUTHENTICATED);
        if (command === null) break;
        if (command === 'too-long') {
          this.#host.logger.log('warning', 'event socket client dropped: command too long', { peer: this.#socket.remoteAddress });
          this.#disconnect();
        } else if (this.#authenticated) {
          await this.#run(command);
        } else {
          this.#authenticate(command);
        }
      }
    } finally {
      this.#working = false;
    }
    if (!this.#ending && this.#socket.isPaused()) this.#socket.resume();
  }

  #authenticate(command: ClientCommand): void {
    const [, word = '', rest = ''] = /^(\S*)\s*(.*)$/s.exec(command.line) ?? [];
    const name = word.toLowerCase();
    this.#commandsBeforeAuth += 1;
    if (name === 'auth' && sameSecret(rest.trimEnd(), this.#host.password)) {
      this.#authenticated = true;
      this.#authTimer.cancel();
      this.#reply('+OK accepted');
    } else if (name === 'auth' || name === 'userauth') {
      this.#host.logger.log('warning', 'event socket client gave a wrong password', { peer: this.#socket.remoteAddress });
      this.#reply('-ERR invalid');
      this.#disconnect();
    } else if (name === 'exit' || name === '...') {
      this.#reply('+OK bye');
      this.#disconnect();
    } else {
      this.#reply('-ERR command not found');
      if (this.#commandsBeforeAuth >= MAXIMUM_COMMANDS_UNAUTHENTICATED) this.#disconnect();
    }
  }

  async #run(command: ClientCommand): Promise<void> {
    const [, word = '', rest = ''] = /^(\S*)\s*(.*)$/s.exec(command.line) ?? [];
    const text = rest.trimEnd();
    const words = text === '' ? [] : text.split(/\s+/);
    switch (word.toLowerCase()) {
      case 'api': {
        const reply = await this.#host.execute(rest);
        this.#write(`Content-Type: api/response\nContent-Length: ${Buffer.byteLength(reply)}\n\n${reply}`);
        break;
      }
      case 'bgapi':
        this.#backgroundJob(text, command.headers.get('job-uuid') ?? null);
        break;
      case 'event':
        this.#reply(this.#subscription.add(words));
        break;
      case 'nixevent':
        this.#reply(this.#subscription.remove(words));
        break;
      case 'noevents':
        this.#reply(this.#subscription.clear());
        break;
      case 'filter':
        this.#reply(this.#subscription.filter(text));
        break;
      case 'log':
        this.#reply(this.#setLog(words[0] ?? 'debug'));
        break;
      case 'nolog':
        this.#reply(this.#logLevel < 0 ? '-ERR not loging' : '+OK no longer logging');
        this.#logLevel = -1;
        break;
      case 'exit':
      case '...':
        this.#reply('+OK bye');
        this.#disconnect();
        break;
      case 'auth':
      case 'userauth':
        this.#reply('-ERR command not found');
        break;
      case 'sendmsg':
        this.#reply(this.#sendMessage(words[0] ?? command.headers.get('session-id') ?? '', command));
        break;
      case 'sendevent':
        this.#reply(`+OK ${this.#host.fireEvent((words[0] ?? 'CUSTOM').toUpperCase(), command.headerList, command.body)}`);
        break;
      case 'myevents':
        this.#reply(this.#myEvents(words));
        break;
      case 'linger':
      case 'nolinger':
      case 'divert_events':
      case 'getvar':
      case 'connect':
      case 'resume':
        this.#reply('-ERR not controlling a session');
        break;
      default:
        this.#reply('-ERR command not found');
    }
  }

  #backgroundJob(line: string, wantedUuid: string | null): void {
    const uuid = this.#host.startJob(line, wantedUuid);
    if (uuid === null) this.#reply('-ERR too many jobs are running');
    else this.#write(`Content-Type: command/reply\nReply-Text: +OK Job-UUID: ${uuid}\nJob-UUID: ${uuid}\n\n`);
  }

  #setLog(text: string): string {
    const name = text.toLowerCase();
    const level = /^\d$/.test(name) ? Number(name) : LOG_LEVELS.indexOf(name);
    const levelName = LOG_LEVELS[level];
    if (levelName === undefined) return '-ERR invalid log level';
    this.#logLevel = level;
    return `+OK log level ${levelName} [${level}]`;
  }

  /** `myevents <uuid> [plain|json|xml]`. */
  #myEvents(words: readonly string[]): string {
    const format = words.find((word): word is EventFormat => word === 'plain' || word === 'json' || word === 'xml');
    const uuid = words.find((word) => word !== format);
    if (uuid === undefined) return '-ERR not controlling a session';
    if (!this.#host.channelExists(uuid)) return `-ERR invalid session id [${uuid}]`;
    this.#subscription.add([format ?? 'plain', 'ALL']);
    this.#subscription.onlyUuid = uuid;
    return '+OK Events Enabled';
  }

  /** `sendmsg <uuid>` with `call-command: hangup`, or `execute` of `hangup` and `set`. */
  #sendMessage(uuid: string, command: ClientCommand): string {
    if (uuid === '' || !this.#host.channelExists(uuid)) return `-ERR invalid session id [${uuid}]`;
    const callCommand = (command.headers.get('call-command') ?? '').toLowerCase();
    const application = callCommand === 'execute' ? (command.headers.get('execute-app-name') ?? '').toLowerCase() : callCommand;
    const data = command.headers.get('execute-app-arg') ?? command.body?.trim() ?? '';
    if (application === 'hangup') {
      this.#host.hangup(uuid, command.headers.get('hangup-cause') ?? (data === '' ? 'NORMAL_CLEARING' : data));
      return '+OK';
    }
    const equals = data.indexOf('=');
    if (callCommand === 'execute' && application === 'set' && equals > 0) {
      this.#host.setVariable(uuid, data.slice(0, equals), data.slice(equals + 1));
      return '+OK';
    }
    return `-ERR sendmsg ${callCommand === 'execute' ? `execute ${application}` : callCommand} is not supported yet`;
  }

  #reply(text: string): void {
    this.#write(`Content-Type: command/reply\nReply-Text: ${text}\n\n`);
  }

  /** Says goodbye as FreeSWITCH does and closes. */
  #disconnect(): void {
    if (this.#ending) return;
    this.#write(`Content-Type: text/disconnect-notice\nContent-Length: ${GOODBYE.length}\n\n${GOODBYE}`);
    this.#ending = true;
    this.#authTimer.cancel();
    this.#socket.end();
    // What is still sent to us is thrown away until the client closes too.
    this.#socket.resume();
  }

  #write(text: string): void {
    if (this.#ending || this.#socket.destroyed) return;
    this.#socket.write(text);
    if (this.#socket.writableLength <= MAXIMUM_UNREAD_BYTES) return;
    this.#host.logger.log('warning', 'event socket client dropped: it does not read', { peer: this.#socket.remoteAddress });
    this.#ending = true;
    this.#socket.destroy();
  }
}

/** Renders one event at most once per format, however many clients want it. */
export function sharedText(event: RenderedEvent): (format: EventFormat) => string {
  const texts = new Map<EventFormat, string>();
  return (format) => {
    const known = texts.get(format);
    if (known !== undefined) return known;
    const text = serializeEvent(event, format);
    texts.set(format, text);
    return text;
  };
}
