import { type Command, splitFirst } from './command.ts';

export const variableCommands: readonly Command[] = [
  {
    name: 'global_getvar',
    usage: '<var>',
    description: 'Get a global variable',
    run(argument, context) {
      if (argument === '') {
        return [...context.view.globalVariables()].map(([name, value]) => `${name}=${value}\n`).join('');
      }
      return context.view.globalVariable(argument) ?? '';
    },
    complete: (_words, context) => [...context.view.globalVariables().keys()],
  },
  {
    name: 'global_setvar',
    usage: '<var>=<value> [=<value2>]',
    description: 'Set a global variable',
    run: (argument) =>
      argument.includes('=')
        ? '-ERR global_setvar is not supported yet: set the variable in vars.xml and run reloadxml\n'
        : '-USAGE: <var>=<value> [=<value2>]\n',
  },
  {
    name: 'eval',
    usage: '[uuid:<uuid> ]<expression>',
    description: 'Expand ${variables}',
    run(argument, context) {
      const [first = ''] = splitFirst(argument, 1);
      const uuid = /^uuid:(\S+)$/.exec(first)?.[1];
      const channel = uuid === undefined ? null : context.view.channel(uuid);
      if (uuid !== undefined && channel === null) return '-ERR No such channel!\n';
      const expression = uuid === undefined ? argument : argument.slice(first.length).trimStart();
      const variable = (name: string) => channel?.variables.get(name) ?? context.view.globalVariable(name) ?? '';
      return expression.replace(/\$?\$\{([^{}]*)\}/g, (_match, name: string) => variable(name));
    },
  },
];
