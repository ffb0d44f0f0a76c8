import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import wavefile from 'wavefile';
import { Program } from './program.ts';
import { makeTone } from './tone.ts';

const moduleDirectories = ['/usr/lib/baresip/modules', '/usr/lib/x86_64-linux-gnu/baresip/modules', '/usr/local/lib/baresip/modules'];

/** A headless baresip that says a tone and records what it hears. */
export class Baresip {
  readonly #directory: string;
  readonly #program: Program;
  #control: Socket | null = null;
  #events = '';
  readonly #controlPort: number;

  constructor(controlPort: number) {
    this.#controlPort = controlPort;
    this.#directory = mkdtempSync(join(tmpdir(), 'undrop-baresip-'));
    const file = (name: string): string => join(this.#directory, name);
    const wave = new wavefile.WaveFile();
    wave.fromScratch(1, 8000, '16', makeTone(120));
    writeFileSync(file('tone.wav'), wave.toBuffer());
    writeFileSync(file('accounts'), '<sip:tester@127.0.0.1>;regint=0;audio_codecs=PCMU\n');
    writeFileSync(file('contacts'), '');
    const modules = moduleDirectories.find((candidate) => existsSync(candidate)) ?? moduleDirectories[0];
    writeFileSync(
      file('config'),
      [
        'poll_method epoll',
        'sip_listen 127.0.0.1:0',
        'call_max_calls 4',
        `audio_source aufile,${file('tone.wav')}`,
        `audio_player aufile,${file('played.wav')}`,
        'ausrc_srate 8000',
        'auplay_srate 8000',
        'ausrc_channels 1',
        'auplay_channels 1',
        'net_interface 127.0.0.1',
        `module_path ${modules}`,
        'module g711.so',
        'module sndfile.so',
        'module aufile.so',
        'module_tmp account.so',
        'module_app menu.so',
        'module_app ctrl_tcp.so',
        `snd_path ${this.#directory}`,
        `ctrl_tcp_listen 127.0.0.1:${controlPort}`,
        '',
      ].join('\n'),
    );
    this.#program = new Program('baresip', ['-f', this.#directory, '-n', '127.0.0.1'], this.#directory);
  }

  async open(): Promise<void> {
    await this.#program.waitOutput(/baresip is ready/, 10_000);
    const control = connect(this.#controlPort, '127.0.0.1');
    control.on('data', (chunk) => {
      this.#events = (this.#events + chunk.toString('utf8')).slice(-20_000);
    });
    control.on('error', () => undefined);
    await new Promise<void>((resolve, reject) => {
      control.once('connect', resolve);
      control.once('error', reject);
    });
    this.#control = control;
  }

  command(command: string, params = ''): void {
    const text = JSON.stringify({ command, params });
    this.#control?.write(`${Buffer.byteLength(text)}:${text},`);
  }

  async waitEvent(type: string, timeoutMilliseconds = 15_000): Promise<void> {
    const deadline = performance.now() + timeoutMilliseconds;
    while (!this.#events.includes(`"type":"${type}"`)) {
      if (performance.now() > deadline)
        throw new Error(`baresip reports no ${type}:\n${this.#events}\n${this.#program.output.slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** What it has heard; complete once it has ended. */
  heard(): Int16Array {
    const name = readdirSync(this.#directory).find((candidate) => candidate.endsWith('-dec.wav'));
    if (name === undefined) return new Int16Array();
    const wave = new wavefile.WaveFile(readFileSync(join(this.#directory, name)));
    return Int16Array.from(wave.getSamples(false, Int16Array));
  }

  /** Bytes of the recording so far: how much was heard, also while it runs. */
  heardBytes(): number {
    const name = readdirSync(this.#directory).find((candidate) => candidate.endsWith('-dec.wav'));
    return name === undefined ? 0 : statSync(join(this.#directory, name)).size;
  }

  async quit(): Promise<void> {
    this.command('quit');
    await Promise.race([this.#program.exited, new Promise((resolve) => setTimeout(resolve, 5000).unref())]);
  }

  async close(): Promise<void> {
    this.#control?.destroy();
    await this.#program.end();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
