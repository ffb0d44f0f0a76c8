import { UndropError } from '../base/index.ts';
import type { ConditionBreak, DialplanAction, DialplanCondition, DialplanContext, DialplanExtension } from './dialplan-xml.ts';
import { isTrue } from './parameters.ts';
import { compileExpression } from './regular-expression.ts';
import { type ConfigReport, formatPosition } from './report.ts';
import { childrenNamed, type XmlElement } from './xml.ts';

const TIME_ATTRIBUTES = new Set([
  'year',
  'yday',
  'mon',
  'mday',
  'week',
  'wday',
  'hour',
  'minute',
  'minute-of-day',
  'time-of-day',
  'date-time',
]);
const UNSUPPORTED_TIME_ATTRIBUTES = new Set(['mweek', 'tz-offset', 'dst', 'timezone', 'tod']);
const CONDITION_ATTRIBUTES = new Set(['field', 'expression', 'break', 'regex', 'require-nested', 'name']);
const BREAKS: readonly ConditionBreak[] = ['on-false', 'on-true', 'always', 'never'];
/** Matches no value. */
const NEVER = '(?!)';

/** The dialplan section: contexts → extensions → conditions → actions. Every expression is compiled once here. */
export function readDialplan(sections: readonly XmlElement[], report: ConfigReport): ReadonlyMap<string, DialplanContext> {
  const contexts = new Map<string, DialplanContext>();
  const places = new Map<string, XmlElement>();
  for (const element of sections.flatMap((section) => childrenNamed(section, 'context'))) {
    const { name } = element.attributes;
    if (!name) {
      report.error(element.position, '<context> without name; expected <context name="…">');
      continue;
    }
    const first = places.get(name);
    if (first !== undefined) {
      report.warn(
        element.position,
        `dialplan: the context "${name}" is there already (${formatPosition(first.position)}); FreeSWITCH reads only the first, and so does this`,
      );
      continue;
    }
    places.set(name, element);
    const extensions: DialplanExtension[] = [];
    for (const child of element.children) {
      if (child.name === 'extension') extensions.push(readExtension(child, report));
      else report.warn(child.position, `dialplan: <${child.name}> is not expected in <context>; expected <extension>`);
    }
    contexts.set(name, Object.freeze({ name, extensions }));
  }
  return contexts;
}

function readExtension(element: XmlElement, report: ConfigReport): DialplanExtension {
  const name = element.attributes['name'] ?? '_anon_';
  const conditions: DialplanCondition[] = [];
  for (const child of element.children) {
    if (child.name === 'condition') conditions.push(readCondition(child, report));
    else report.warn(child.position, `dialplan: <${child.name}> in extension "${name}" has no effect outside of <condition>`);
  }
  if (conditions.length === 0) report.warn(element.position, `dialplan: the extension "${name}" has no condition and never matches`);
  return Object.freeze({ name, continue: isTrue(element.attributes['continue'] ?? ''), conditions, position: element.position });
}

function readCondition(element: XmlElement, report: ConfigReport): DialplanCondition {
  const { attributes, position } = element;
  const actions: DialplanAction[] = [];
  const antiActions: DialplanAction[] = [];
  const nested: DialplanCondition[] = [];
  let expression: string | null = attributes['expression'] ?? null;
  for (const child of element.children) {
    if (child.name === 'action') actions.push(readAction(child, report));
    else if (child.name === 'anti-action') antiActions.push(readAction(child, report));
    else if (child.name === 'condition') nested.push(readCondition(child, report));
    else if (child.name === 'expression') expression = child.text;
    else if (child.name !== 'regex')
      report.warn(
        child.position,
        `dialplan: <${child.name}> is not expected in <condition>; expected <action>, <anti-action> or <condition>`,
      );
  }
  let field: string | null = attributes['field'] ?? null;
  if (attributes['regex'] !== undefined || childrenNamed(element, 'regex').length > 0) {
    report.warn(position, `dialplan: regex="${attributes['regex'] ?? ''}" is not supported yet; this condition never matches`);
    field = 'destination_number';
    expression = NEVER;
  }
  if (attributes['require-nested'] !== undefined && !isTrue(attributes['require-nested'])) {
    report.warn(position, 'dialplan: require-nested="false" has no effect yet; nested conditions decide');
  }
  if (field !== null) checkExpression(expression ?? '', element, report);
  return Object.freeze({
    field,
    expression: field === null ? null : (expression ?? ''),
    break: readBreak(attributes['break'], element, report),
    timeAttributes: readTimeAttributes(element, report),
    actions,
    antiActions,
    nested,
    position,
  });
}

/** One with `${…}` inside is only known when a call comes. */
function checkExpression(expression: string, element: XmlElement, report: ConfigReport): void {
  if (expression.includes('${')) return;
  try {
    compileExpression(expression);
  } catch (error) {
    if (!(error instanceof UndropError)) throw error;
    report.error(element.position, error.message, { code: error.code, ...(error.fix === undefined ? {} : { fix: error.fix }) });
  }
}

function readBreak(value: string | undefined, element: XmlElement, report: ConfigReport): ConditionBreak {
  if (value === undefined) return 'on-false';
  const found = BREAKS.find((each) => each === value.toLowerCase());
  if (found === undefined) report.error(element.position, `break: found "${value}", expected ${BREAKS.join(', ')}`);
  return found ?? 'on-false';
}

function readTimeAttributes(element: XmlElement, report: ConfigReport): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries(element.attributes)) {
    if (TIME_ATTRIBUTES.has(name)) found.set(name, value);
    else if (UNSUPPORTED_TIME_ATTRIBUTES.has(name)) {
      found.set(name, value);
      report.warn(element.position, `dialplan: the time attribute ${name} is not evaluated yet; this condition never matches`);
    } else if (!CONDITION_ATTRIBUTES.has(name))
      report.warn(element.position, `dialplan: the attribute ${name} of <condition> is unknown and ignored`);
  }
  return found;
}

function readAction(element: XmlElement, report: ConfigReport): DialplanAction {
  const { application, data, inline } = element.attributes;
  if (!application)
    report.error(element.position, `<${element.name}> without application; expected <${element.name} application="…" data="…"/>`);
  return Object.freeze({
    application: application ?? '',
    data: element.text !== '' ? element.text : (data ?? ''),
    inline: isTrue(inline ?? ''),
    position: element.position,
  });
}
