import { xmlEscape } from '../esl/render.ts';

/** Rows of one `show` command; every row has a value for each column. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export type TableFormat = { readonly kind: 'delim'; readonly delimiter: string } | { readonly kind: 'json' } | { readonly kind: 'xml' };

/** A caller may put line breaks into a name; in a table they would make a row of their own. */
function oneLine(value: string): string {
  return value.replace(/[\r\n]+/g, ' ');
}

function element(name: string): string {
  return name.replace(/[^A-Za-z0-9_.-]/g, '_');
}

/** The table as `show … [as xml|json|delim X]` prints it (mod_commands.c `show_function`). */
export function formatTable(table: Table, format: TableFormat): string {
  const total = table.rows.length;
  switch (format.kind) {
    case 'delim': {
      if (total === 0) return '\n0 total.\n';
      const lines = [table.columns, ...table.rows].map((row) => row.map(oneLine).join(format.delimiter));
      return `${lines.join('\n')}\n\n${total} total.\n`;
    }
    case 'json': {
      if (total === 0) return '{"row_count": 0}';
      const rows = table.rows.map((row) => Object.fromEntries(table.columns.map((column, index) => [column, row[index] ?? ''])));
      return JSON.stringify({ row_count: total, rows });
    }
    case 'xml': {
      if (total === 0) return '<result row_count="0"></result>\n';
      const rows = table.rows.map((row, rowIndex) => {
        const cells = table.columns.map((column, index) => `    <${element(column)}>${xmlEscape(row[index] ?? '')}</${element(column)}>\n`);
        return `  <row row_id="${rowIndex + 1}">\n${cells.join('')}  </row>\n`;
      });
      return `<result row_count="${total}">\n${rows.join('')}</result>\n`;
    }
  }
}

/** `show … count`. */
export function formatCount(count: number, format: TableFormat): string {
  switch (format.kind) {
    case 'delim':
      return `\n${count} total.\n`;
    case 'json':
      return `{"row_count": ${count}}`;
    case 'xml':
      return `<result row_count="${count}"></result>\n`;
  }
}
