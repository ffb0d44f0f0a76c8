/** Entries of all realms together; beyond it nothing is added. */
const MAXIMUM_ENTRIES = 100_000;
const MAXIMUM_GROUPS = 1000;
const MAXIMUM_GROUP_MEMBERS = 128;

/**
 * What calls leave for each other: `hash` and `db` (realm/key → value) and `group` (name → dial strings). In memory of
 * the switch process only: a restart begins empty.
 */
export class SharedData {
  readonly #values = { hash: new Map<string, string>(), db: new Map<string, string>() };
  readonly #groups = new Map<string, Set<string>>();

  /**
   * `insert/REALM/KEY/VALUE`, `insert_ifempty/…`, `delete/REALM/KEY`, `delete_ifmatch/REALM/KEY/VALUE`, `select/REALM/KEY`
   * or `exists/REALM/KEY` (mod_hash, mod_db). The value that is selected, `true`/`false`, or null when the command is unknown.
   */
  command(kind: 'hash' | 'db', text: string): string | null {
    const [command = '', realm = '', key = '', ...rest] = text.trim().split('/');
    const values = this.#values[kind];
    const name = `${realm}/${key}`;
    const value = rest.join('/');
    switch (command) {
      case 'insert':
        if (values.has(name) || values.size < MAXIMUM_ENTRIES) values.set(name, value);
        return '';
      case 'insert_ifempty':
        if (!values.has(name) && values.size < MAXIMUM_ENTRIES) values.set(name, value);
        return '';
      case 'delete':
        values.delete(name);
        return '';
      case 'delete_ifmatch':
        if (values.get(name) === value) values.delete(name);
        return '';
      case 'select':
        return values.get(name) ?? '';
      case 'exists':
        return String(values.has(name));
      default:
        return null;
    }
  }

  /** `insert:NAME:URL`, `delete:NAME:URL` or `call:NAME[:order]` (mod_db, group); null when the command is unknown. */
  group(text: string): string | null {
    const [command = '', name = '', ...rest] = text.trim().split(':');
    const members = this.#groups.get(name) ?? new Set<string>();
    const url = rest.join(':');
    switch (command) {
      case 'insert':
        if (members.size < MAXIMUM_GROUP_MEMBERS && (this.#groups.has(name) || this.#groups.size < MAXIMUM_GROUPS)) {
          this.#groups.set(name, members.add(url));
        }
        return '';
      case 'delete':
        members.delete(url);
        if (members.size === 0) this.#groups.delete(name);
        return '';
      case 'call':
        return [...members].join(url === 'order' ? '|' : ',');
      default:
        return null;
    }
  }
}
