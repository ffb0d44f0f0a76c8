import type { DirectoryDomain, DirectoryUser } from './config.ts';
import { Parameters } from './parameters.ts';
import { type ConfigReport, formatPosition } from './report.ts';
import { childrenNamed, type XmlElement } from './xml.ts';

type Values = ReadonlyMap<string, string>;

interface Inherited {
  readonly parameters: Values;
  readonly variables: Values;
}

/** The directory: domain → groups → users. A user inherits parameters and variables of its group and domain. */
export function readDirectory(sections: readonly XmlElement[], report: ConfigReport): ReadonlyMap<string, DirectoryDomain> {
  const domains = new Map<string, DirectoryDomain>();
  for (const element of sections.flatMap((section) => childrenNamed(section, 'domain'))) {
    const { name } = element.attributes;
    if (!name) {
      report.error(element.position, '<domain> without name; expected <domain name="…">');
      continue;
    }
    if (domains.has(name))
      report.warn(element.position, `directory: the domain "${name}" is there already; FreeSWITCH reads only the first, and so does this`);
    else domains.set(name, readDomain(name, element, report));
  }
  return domains;
}

function readDomain(name: string, element: XmlElement, report: ConfigReport): DirectoryDomain {
  const own = inherit({ parameters: new Map(), variables: new Map() }, element, report);
  const users = new Map<string, DirectoryUser>();
  const groups = new Map<string, readonly string[]>();
  for (const users_ of childrenNamed(element, 'users')) readUsers(users_, name, own, users, report);
  readUsers(element, name, own, users, report);
  for (const group of childrenNamed(element, 'groups').flatMap((each) => childrenNamed(each, 'group'))) {
    const inherited = inherit(own, group, report);
    const members: string[] = [];
    for (const each of [group, ...childrenNamed(group, 'users')]) members.push(...readUsers(each, name, inherited, users, report));
    if (group.attributes['name']) groups.set(group.attributes['name'], members);
  }
  return Object.freeze({ name, parameters: own.parameters, variables: own.variables, users, groups });
}

/** Adds the users of one container and returns their ids. */
function readUsers(
  container: XmlElement,
  domain: string,
  inherited: Inherited,
  users: Map<string, DirectoryUser>,
  report: ConfigReport,
): string[] {
  const ids: string[] = [];
  for (const element of childrenNamed(container, 'user')) {
    const { id } = element.attributes;
    if (!id) {
      report.error(element.position, '<user> without id; expected <user id="…">');
      continue;
    }
    ids.push(id);
    if (element.attributes['type'] === 'pointer') continue;
    if (users.has(id)) {
      report.warn(element.position, `directory: the user "${id}" of ${domain} is there already; the first one counts`);
      continue;
    }
    const { parameters, variables } = inherit(inherited, element, report);
    const user: DirectoryUser = Object.freeze({
      id,
      domain,
      password: parameters.get('password') ?? null,
      a1Hash: parameters.get('a1-hash') ?? null,
      ...(element.attributes['cidr'] ? { cidr: element.attributes['cidr'] } : {}),
      parameters,
      variables,
    });
    users.set(id, user);
    const alias = element.attributes['number-alias'];
    if (alias && !users.has(alias)) users.set(alias, user);
  }
  return ids;
}

function inherit(from: Inherited, element: XmlElement, report: ConfigReport): Inherited {
  const parameters = new Map(from.parameters);
  const variables = new Map(from.variables);
  for (const group of childrenNamed(element, 'params')) {
    for (const [name, value] of new Parameters(group, group.position, report, null).all) parameters.set(name, value);
  }
  for (const variable of childrenNamed(element, 'variables').flatMap((group) => childrenNamed(group, 'variable'))) {
    const { name, value } = variable.attributes;
    if (!name || value === undefined)
      report.error(variable.position, `<variable> at ${formatPosition(variable.position)} needs name and value`);
    else variables.set(name, value);
  }
  return { parameters, variables };
}
