/** Randomness as a constructor argument; seeded in the simulator. */
export interface Random {
  /** Uniform unsigned 32-bit integer. */
  uint32(): number;
  /** Lower-case RFC 4122 version 4 UUID. */
  uuid(): string;
  /** `length` characters of [0-9a-zA-Z], for tags, branches and nonces. */
  token(length: number): string;
}
