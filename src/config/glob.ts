import { join } from 'node:path/posix';
import type { ConfigFiles } from './files.ts';

export function hasWildcard(path: string): boolean {
  return /[*?[]/.test(path);
}

/** Files that match an absolute pattern (`*`, `?`, `[…]` within one path segment), in alphabetical order. */
export function expandGlob(pattern: string, files: ConfigFiles): string[] {
  let paths = [pattern.startsWith('/') ? '/' : '.'];
  for (const segment of pattern.split('/').filter((part) => part !== '')) {
    if (!hasWildcard(segment)) {
      paths = paths.map((path) => join(path, segment));
      continue;
    }
    const expression = segmentExpression(segment);
    paths = paths.flatMap((path) =>
      files
        .list(path)
        .filter((name) => expression.test(name) && (segment.startsWith('.') || !name.startsWith('.')))
        .map((name) => join(path, name)),
    );
  }
  return paths.sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
}

function segmentExpression(segment: string): RegExp {
  const source = segment
    .replace(/[\\^$.+(){}|]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.')
    .replace(/\[!/g, '[^');
  try {
    return new RegExp(`^${source}$`);
  } catch {
    return /^(?!)/;
  }
}
