import { readFileSync } from 'node:fs';
import { replaceFile } from '../io/index.ts';
import { bestEffort } from './best-effort.ts';
import type { Death } from './messages.ts';

const maximumDeaths = 100;

/** The last deaths, in a file, so that they outlive the guardian too. */
export class DeathLog {
  readonly #path: string;
  #deaths: Death[];

  constructor(path: string) {
    this.#path = path;
    this.#deaths = read(path);
  }

  list(): readonly Death[] {
    return this.#deaths;
  }

  add(death: Death): void {
    this.#deaths = [...this.#deaths, death].slice(-maximumDeaths);
    this.#save();
  }

  /** Notes when the successor of a dead process was started. */
  respawned(role: Death['role'], at: number): void {
    this.#deaths = this.#deaths.map((death) => (death.role === role && death.respawnedAt === null ? { ...death, respawnedAt: at } : death));
    this.#save();
  }

  #save(): void {
    bestEffort(() => replaceFile(this.#path, `${JSON.stringify(this.#deaths)}\n`));
  }
}

function read(path: string): Death[] {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return Array.isArray(value) ? (value as Death[]).slice(-maximumDeaths) : [];
  } catch {
    return [];
  }
}
