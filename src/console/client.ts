import { createConnection, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export interface ConsoleClientOptions {
  readonly host: string;
  readonly port: number;
  readonly password: string;
  /** One command to run, or null for a prompt. */
  readonly command: string | null;
}

const CONNECT_TIMEOUT_MILLISECONDS = 5000;
/** A reply longer than this is not ours. */
const MAXIMUM_FRAME_BYTES = 64 * 1024 * 1024;

interface Frame {
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** The client's side of the event socket: one question at a time, log lines in between. */
class Connection {
  readonly #socket: Socket;
  #buffer: Buffer = Buffer.alloc(0);
  #waiting: { resolve(frame: Frame): void; reject(error: Error): void }[] = [];
  #early: Frame[] = [];
  onLog: (text: string) => void = () => undefined;
  onEnd: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, data]);
      if (this.#buffer.length > MAXIMUM_FRAME_BYTES) socket.destroy();
      for (let frame = this.#take(); frame !== null; frame = this.#take()) this.#receive(frame);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const waiting of this.#waiting.splice(0)) waiting.reject(new Error('the connection was closed'));
      this.onEnd();
    });
  }

  next(): Promise<Frame> {
    const early = this.#early.shift();
    if (early !== undefined) return Promise.resolve(early);
    if (this.#socket.destroyed) return Promise.reject(new Error('the connection was closed'));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  ask(text: string): Promise<Frame> {
    this.#socket.write(`${text}\n\n`);
    return this.next();
  }

  end(): void {
    this.#socket.destroy();
  }

  #take(): Frame | null {
    const end = this.#buffer.indexOf('\n\n');
    if (end < 0) return null;
    const headers = new Map<string, string>();
    for (const line of this.#buffer.toString('utf8', 0, end).split('\n')) {
      const colon = line.indexOf(':');
      if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    const length = Number(headers.get('content-length') ?? 0);
    if (this.#buffer.length < end + 2 + length) return null;
    const body = this.#buffer.toString('utf8', end + 2, end + 2 + length);
    this.#buffer = this.#buffer.subarray(end + 2 + length);
    return { headers, body };
  }

  #receive(frame: Frame): void {
    const type = frame.headers.get('content-type') ?? '';
    if (type === 'log/data') {
      this.onLog(frame.body);
      return;
    }
    if (type === 'text/disconnect-notice' || type.startsWith('text/event-')) return;
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#early.push(frame);
    else waiting.resolve(frame);
  }
}

function connect(options: ConsoleClientOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: options.host, port: options.port });
    socket.setTimeout(CONNECT_TIMEOUT_MILLISECONDS, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.removeListener('error', reject);
      resolve(socket);
    });
  });
}

function failed(reply: string): boolean {
  return reply.startsWith('-ERR') || reply.startsWith('-USAGE');
}

function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

function api(connection: Connection, line: string): Promise<Frame> {
  return connection.ask(`api ${line.replace(/[\r\n]+/g, ' ')}\nconsole_execute: true`);
}

/**
 * The command-line client, as fs_cli. Resolves with the exit code: 0, 1 when the reply starts with `-ERR` or `-USAGE`
 * or the password is wrong, 2 when nothing listens there or the connection breaks.
 */
export async function runConsoleClient(options: ConsoleClientOptions): Promise<number> {
  const place = `${options.host}:${options.port}`;
  let socket: Socket;
  try {
    socket = await connect(options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(
      `Cannot connect to the event socket at ${place}: ${reason}\nIs undrop running there? See listen-ip and listen-port in event_socket.conf.xml.\n`,
    );
    return 2;
  }
  const connection = new Connection(socket);
  try {
    const greeting = await connection.next();
    if (greeting.headers.get('content-type') !== 'auth/request') {
      process.stderr.write(`${place} refused this host: see apply-inbound-acl in event_socket.conf.xml.\n`);
      return 2;
    }
    const answer = await connection.ask(`auth ${options.password.replace(/[\r\n]/g, '')}`);
    if (answer.headers.get('reply-text') !== '+OK accepted') {
      process.stderr.write(`${place} did not accept the password: see password in event_socket.conf.xml.\n`);
      return 1;
    }
    if (options.command === null) return await interactive(connection, options.host);
    const { body } = await api(connection, options.command);
    print(body);
    return failed(body) ? 1 : 0;
  } catch (error) {
    process.stderr.write(`${place}: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  } finally {
    connection.end();
  }
}

/** Tab: the server answers with the candidates and, after `write=<delete>:`, the text to put there. */
async function completions(connection: Connection, line: string): Promise<[string[], string]> {
  const { body } = await api(connection, `console_complete c=${line.length};${line}`);
  const split = body.lastIndexOf('\n\nwrite=');
  const written = /^(\d+):(.*)$/s.exec(split < 0 ? '' : body.slice(split + '\n\nwrite='.length));
  if (written === null) return [[], line];
  const typed = line.slice(line.length - Number(written[1]));
  const candidates = [...body.slice(0, split).matchAll(/\[([^\]]*)\]/g)].map((match) => (match[1] ?? '').trim());
  return [candidates.length === 1 ? [written[2] ?? ''] : candidates, typed];
}

function interactive(connection: Connection, host: string): Promise<number> {
  return new Promise((resolve) => {
    const prompt = createInterface({
      input: process.stdin,
      output: process.stdout,
      prompt: `undrop@${host}> `,
      historySize: 500,
      completer: (line: string, done: (error: Error | null, result: [string[], string]) => void) => {
        completions(connection, line).then(
          (result) => done(null, result),
          () => done(null, [[], line]),
        );
      },
    });
    let exitCode = 0;
    connection.onLog = (text) => {
      print(`\r${text}`);
      prompt.prompt(true);
    };
    connection.onEnd = () => {
      exitCode = 2;
      process.stderr.write('\nThe connection was closed.\n');
      prompt.close();
    };
    const run = async (line: string): Promise<void> => {
      const [, command = '', argument = ''] = /^\/(\S+)\s*(.*)$/.exec(line) ?? [];
      if (command === '') print((await api(connection, line)).body);
      else if (command === 'log' || command === 'nolog' || command === 'event' || command === 'filter')
        print((await connection.ask(`${command} ${argument}`)).headers.get('reply-text') ?? '');
      else print(`Unknown command /${command}: /exit, /log [level], /nolog`);
    };
    // One line after another: pasted lines must not overtake each other.
    let queue = Promise.resolve();
    prompt.on('line', (text) => {
      const line = text.trim();
      if (['/exit', '/quit', '/bye', '...'].includes(line)) {
        prompt.close();
        return;
      }
      queue = queue
        .then(() => (line === '' ? undefined : run(line)))
        .then(
          () => prompt.prompt(),
          () => prompt.close(),
        );
    });
    prompt.on('close', () => {
      connection.onEnd = () => undefined;
      void queue.then(() => resolve(exitCode));
    });
    prompt.prompt();
  });
}
