/** Longer expressions are refused. */
const MAX_LENGTH = 1000;
const MAX_DEPTH = 50;
const TOKEN = /\s*(\d+(?:\.\d+)?|\.\d+|&&|\|\||==|!=|>=|<=|[-+*/%^()<>!])/y;
/** From the weakest binding to the strongest. */
const LEVELS: readonly (readonly string[])[] = [['||'], ['&&'], ['==', '!='], ['>', '<', '>=', '<='], ['+', '-'], ['*', '/', '%'], ['^']];

/** `${expr(1+2*(3-x))}`: numbers, `+ - * / % ^`, comparisons, `&& || !` and parentheses. Null when it cannot be read. */
export function evaluateArithmetic(text: string): string | null {
  if (text.length > MAX_LENGTH) return null;
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  const trimmed = text.trimEnd();
  while (TOKEN.lastIndex < trimmed.length) {
    const match = TOKEN.exec(trimmed);
    if (match === null) return null;
    tokens.push(match[1] ?? '');
  }
  const reader = new Reader(tokens);
  const value = reader.binary(0, 0);
  if (value === null || !reader.atEnd || !Number.isFinite(value)) return null;
  return String(Number(value.toFixed(10)));
}

class Reader {
  readonly #tokens: readonly string[];
  #index = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  get atEnd(): boolean {
    return this.#index === this.#tokens.length;
  }

  binary(level: number, depth: number): number | null {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary(depth);
    let left = this.binary(level + 1, depth);
    for (;;) {
      const operator = this.#tokens[this.#index];
      if (left === null || operator === undefined || !operators.includes(operator)) return left;
      this.#index += 1;
      const right = this.binary(level + 1, depth);
      left = right === null ? null : apply(left, operator, right);
    }
  }

  #unary(depth: number): number | null {
    if (depth > MAX_DEPTH) return null;
    const token = this.#tokens[this.#index];
    this.#index += 1;
    if (token === undefined) return null;
    if (token === '-' || token === '+' || token === '!') {
      const value = this.#unary(depth + 1);
      return value === null ? null : token === '-' ? -value : token === '+' ? value : Number(value === 0);
    }
    if (token === '(') {
      const value = this.binary(0, depth + 1);
      const closed = this.#tokens[this.#index] === ')';
      this.#index += 1;
      return closed ? value : null;
    }
    return /^[\d.]/.test(token) ? Number(token) : null;
  }
}

function apply(left: number, operator: string, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '%':
      return left % right;
    case '^':
      return left ** right;
    case '==':
      return Number(left === right);
    case '!=':
      return Number(left !== right);
    case '>':
      return Number(left > right);
    case '<':
      return Number(left < right);
    case '>=':
      return Number(left >= right);
    case '<=':
      return Number(left <= right);
    case '&&':
      return Number(left !== 0 && right !== 0);
    default:
      return Number(left !== 0 || right !== 0);
  }
}
