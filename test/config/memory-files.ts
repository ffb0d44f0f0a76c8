import { execFileSync } from 'node:child_process';
import type { ConfigFiles, LoadOptions } from '../../src/config/index.ts';

/** Configuration files in memory under /conf. */
export function memoryFiles(contents: Readonly<Record<string, string>>): ConfigFiles {
  const paths = new Map(Object.entries(contents).map(([name, text]) => [`/conf/${name}`, text]));
  return {
    readFile: (path) => {
      const text = paths.get(path);
      if (text === undefined) throw new Error('ENOENT');
      return text;
    },
    list: (directory) => {
      const prefix = directory.endsWith('/') ? directory : `${directory}/`;
      const below = [...paths.keys()].filter((path) => path.startsWith(prefix));
      return [...new Set(below.map((path) => path.slice(prefix.length).split('/')[0] ?? ''))];
    },
    run: (command) => execFileSync('sh', ['-c', command], { encoding: 'utf8', timeout: 5000 }),
  };
}

export function optionsFor(contents: Readonly<Record<string, string>>, more: Partial<LoadOptions> = {}): LoadOptions {
  return {
    directory: '/conf',
    stateDirectory: '/state',
    hostname: 'host-a',
    localIpv4: '127.0.0.7',
    localIpv6: '::1',
    files: memoryFiles(contents),
    ...more,
  };
}

export interface Parts {
  readonly vars?: string;
  readonly switch?: string;
  readonly profile?: string;
  readonly configuration?: string;
  readonly dialplan?: string;
  readonly directory?: string;
}

/** A small configuration; `switch` and `profile` are `<param>` lines. */
export function parts(part: Parts): Record<string, string> {
  return {
    'freeswitch.xml': `<?xml version="1.0"?>
<document type="freeswitch/xml">
<X-PRE-PROCESS cmd="include" data="vars.xml"/>
<section name="configuration">
<X-PRE-PROCESS cmd="include" data="autoload_configs/*.xml"/>
${part.configuration ?? ''}
</section>
<section name="dialplan">${part.dialplan ?? ''}</section>
<section name="directory">${part.directory ?? ''}</section>
</document>
`,
    'vars.xml': `<include>\n${part.vars ?? ''}\n</include>\n`,
    'autoload_configs/sofia.conf.xml':
      '<configuration name="sofia.conf"><profiles>\n<X-PRE-PROCESS cmd="include" data="../sip_profiles/*.xml"/>\n</profiles></configuration>\n',
    'autoload_configs/switch.conf.xml': `<configuration name="switch.conf"><settings>\n${part.switch ?? ''}\n</settings></configuration>\n`,
    'sip_profiles/internal.xml': `<profile name="internal-video"><settings>\n${part.profile ?? ''}\n</settings></profile>\n`,
  };
}
