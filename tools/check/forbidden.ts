import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, sourceFiles } from './source-files.ts';

/** What may not stand in the source outside of the named places; comments and strings are not looked into. */
const rules: readonly { pattern: RegExp; allowed: RegExp; why: string; wholeLine?: boolean }[] = [
  {
    pattern:
      /(?<![.\w])(Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval|setImmediate|Math\.random|randomUUID|randomBytes|process\.hrtime)\b/,
    allowed: /^src\/(io|guardian)\/|^src\/media\/(main|packet-io[a-z-]*)\.ts$|^src\/main\.ts$|^src\/switch\/main\.ts$/,
    why: 'time and randomness are constructor arguments (src/base); the real ones live in src/io',
  },
  {
    pattern: /import (?!type)(?!\{ (isIP|isIPv4|isIPv6|BlockList|, )+ \}).*'node:net'/,
    allowed: /^src\/(io|media|guardian|console)\//,
    wholeLine: true,
    why: 'of node:net only isIP and its like are pure; sockets are opened in src/io, media, guardian and console',
  },
  { pattern: /(:|\bas|<)\s*any\b/, allowed: /^$/, why: 'no any' },
  { pattern: /@ts-(ignore|expect-error|nocheck)/, allowed: /^$/, wholeLine: true, why: 'a type error is repaired, not hushed' },
  { pattern: /\b(TODO|FIXME|XXX)\b/, allowed: /^$/, wholeLine: true, why: 'no notes to oneself in the source' },
];

/** The line without its comment and the contents of its strings; enough for these patterns. */
function codeOf(line: string): string {
  const bare = line.replace(/'(?:[^'\\]|\\.)*'/g, "''").replace(/"(?:[^"\\]|\\.)*"/g, '""');
  return /^\s*(\*|\/\*|\/\/)/.test(bare) ? '' : bare.replace(/\/\/.*$/, '');
}

const findings: string[] = [];
const files = sourceFiles('src');
for (const file of files) {
  const lines = readFileSync(join(root, file), 'utf8').split('\n');
  lines.forEach((line, index) => {
    for (const rule of rules) {
      const text = rule.wholeLine === true ? line : codeOf(line);
      if (!rule.allowed.test(file) && rule.pattern.test(text)) findings.push(`${file}:${index + 1}: ${line.trim()}  (${rule.why})`);
    }
  });
}
if (files.length === 0) findings.push('no source file was found: the check looked at nothing');
for (const finding of findings) console.error(finding);
console.log(`forbidden: ${files.length} files, ${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;
