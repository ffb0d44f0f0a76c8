import { UndropError } from '../base/index.ts';
import { KNOWN_APPLICATIONS } from './application-names.ts';
import type {
  ConditionBreak,
  DialplanAction,
  DialplanCondition,
  DialplanContext,
  DialplanExtension,
  DialplanRegex,
} from './dialplan-xml.ts';
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
  'mweek',
  'tz-offset',
  'dst',
]);
const REGEX_ATTRIBUTES: ReadonlySet<string> = new Set(['field', 'expression', 'name']);
const CONDITION_ATTRIBUTES: ReadonlySet<string> = new Set([...REGEX_ATTRIBUTES, 'break', 'regex', 'require-nested']);
const BREAKS: readonly ConditionBreak[] = ['on-false', 'on-true', 'always', 'never'];
const REGEX_MODES = ['all', 'any', 'xor'] as const;
/** `loop` of an action is cut to this. */
const MAX_LOOP = 1000;

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
  warnOfUnknown(contexts.values(), report);
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
  const tests: DialplanRegex[] = [];
  const mode = REGEX_MODES.find((each) => each === attributes['regex']?.toLowerCase());
  for (const child of element.children) {
    if (child.name === 'action') actions.push(readAction(child, report));
    else if (child.name === 'anti-action') antiActions.push(readAction(child, report));
    else if (child.name === 'condition') nested.push(readCondition(child, report));
    else if (child.name === 'regex') tests.push(readRegex(child, report));
    else if (child.name !== 'expression')
      report.warn(
        child.position,
        `dialplan: <${child.name}> is not expected in <condition>; expected <action>, <anti-action>, <regex> or <condition>`,
      );
  }
  const { field, expression, timeAttributes } = readTest(element, CONDITION_ATTRIBUTES, report);
  if (attributes['regex'] !== undefined && mode === undefined) {
    report.error(position, `regex: found "${attributes['regex']}", expected ${REGEX_MODES.join(', ')}`);
  }
  if (mode === undefined && tests.length > 0)
    report.warn(position, 'dialplan: <regex> has no effect without regex="all|any|xor" in <condition>');
  if (mode !== undefined && field !== null) report.warn(position, 'dialplan: field has no effect in a condition with regex="…"');
  if (mode === undefined && field !== null && timeAttributes.size > 0) {
    report.warn(position, 'dialplan: a time and a field in one condition: both must hold here, FreeSWITCH decides by the field alone');
  }
  return Object.freeze({
    field: mode === undefined ? field : null,
    expression: field === null || mode !== undefined ? null : expression,
    break: readBreak(attributes['break'], element, report),
    timeAttributes,
    actions,
    antiActions,
    nested,
    ...(mode === undefined ? {} : { regex: { mode, tests } }),
    ...(attributes['require-nested'] === undefined ? {} : { requireNested: isTrue(attributes['require-nested']) }),
    position,
  });
}

function readRegex(element: XmlElement, report: ConfigReport): DialplanRegex {
  for (const child of element.children) {
    if (child.name !== 'expression')
      report.warn(child.position, `dialplan: <${child.name}> is not expected in <regex>; expected <expression>`);
  }
  return Object.freeze(readTest(element, REGEX_ATTRIBUTES, report));
}

/** What a `<condition>` and a `<regex>` share: field, expression (attribute or child) and time attributes. */
function readTest(element: XmlElement, others: ReadonlySet<string>, report: ConfigReport): DialplanRegex {
  const field = element.attributes['field'] ?? null;
  const expression = childrenNamed(element, 'expression').at(-1)?.text ?? element.attributes['expression'] ?? '';
  if (field !== null) checkExpression(expression, element, report);
  return { field, expression, timeAttributes: readTimeAttributes(element, others, report) };
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

function readTimeAttributes(element: XmlElement, others: ReadonlySet<string>, report: ConfigReport): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries(element.attributes)) {
    if (TIME_ATTRIBUTES.has(name)) found.set(name, value);
    else if (!others.has(name))
      report.warn(element.position, `dialplan: the attribute ${name} of <${element.name}> is unknown and ignored`);
  }
  return found;
}

/** One warning for each application that does not exist here, at its first place. */
function warnOfUnknown(contexts: Iterable<DialplanContext>, report: ConfigReport): void {
  const unknown = new Map<string, DialplanAction[]>();
  const visit = (condition: DialplanCondition): void => {
    for (const action of [...condition.actions, ...condition.antiActions]) {
      if (action.application === '' || KNOWN_APPLICATIONS.has(action.application)) continue;
      const places = unknown.get(action.application);
      if (places === undefined) unknown.set(action.application, [action]);
      else places.push(action);
    }
    condition.nested.forEach(visit);
  };
  for (const context of contexts) for (const extension of context.extensions) extension.conditions.forEach(visit);
  for (const [name, places] of unknown) {
    const [first] = places;
    const more = places.length === 1 ? '' : ` (here and in ${places.length - 1} more places)`;
    if (first !== undefined)
      report.warn(first.position, `dialplan: the application ${name} does not exist here${more}; a call that reaches it is hung up`);
  }
}

function readAction(element: XmlElement, report: ConfigReport): DialplanAction {
  const { application, data, inline, loop } = element.attributes;
  if (!application)
    report.error(element.position, `<${element.name}> without application; expected <${element.name} application="…" data="…"/>`);
  if (loop !== undefined && !/^\d+$/.test(loop)) report.error(element.position, `loop: found "${loop}", expected a whole number`);
  return Object.freeze({
    application: application ?? '',
    data: element.text !== '' ? element.text : (data ?? ''),
    inline: isTrue(inline ?? ''),
    ...(loop === undefined ? {} : { loop: Math.min(Number(loop) || 0, MAX_LOOP) }),
    position: element.position,
  });
}
