// The arrows between the folders of src/: who may import whom. Everything else is an error.
const arrows = {
  base: [],
  sip: ['base'],
  sdp: ['base'],
  rtp: ['base'],
  config: ['base'],
  dialplan: ['config', 'base'],
  registrar: ['sip', 'config', 'store', 'base'],
  gateway: ['sip', 'config', 'base'],
  call: ['sip', 'sdp', 'dialplan', 'config', 'base'],
  store: ['base'],
  checkpoint: ['call', 'store', 'base'],
  cluster: ['store', 'base'],
  media: ['rtp', 'base'],
  console: ['config', 'base'],
  io: ['base'],
  guardian: ['io', 'base'],
  switch: [
    'sip',
    'sdp',
    'dialplan',
    'registrar',
    'gateway',
    'call',
    'store',
    'checkpoint',
    'cluster',
    'media',
    'console',
    'config',
    'io',
    'guardian',
    'rtp',
    'base',
  ],
};

// Contracts: types that may be imported without going through index.ts, from any folder.
const contracts = '^src/(media/protocol|store/store|call/record|console/switch-view|config/config|config/dialplan-xml)\\.ts$';

const forbidden = Object.entries(arrows).map(([folder, targets]) => ({
  name: `arrows-of-${folder}`,
  severity: 'error',
  comment: `src/${folder} may import ${targets.join(', ') || 'nothing'} only`,
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: [`^src/(${[folder, ...targets].join('|')})/`, contracts] },
}));

module.exports = {
  forbidden: [
    ...forbidden,
    {
      name: 'unknown-folder',
      severity: 'error',
      comment: 'A new folder of src/ needs a line in `arrows`.',
      from: { path: '^src/[^/]+/', pathNot: `^src/(${Object.keys(arrows).join('|')})/` },
      to: {},
    },
    {
      name: 'through-the-index',
      severity: 'error',
      comment: 'Folders import each other through index.ts only; contracts are the exception.',
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/[^/]+/.+', pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$', contracts] },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'not-resolvable', severity: 'error', from: { path: '^src/' }, to: { couldNotResolve: true } },
    {
      name: 'sockets-and-files',
      severity: 'error',
      comment: 'Sockets, files and processes only in io, media, guardian, console servers, store, and the reading of configuration files.',
      from: {
        path: '^src/',
        pathNot: [
          '^src/(io|media|guardian|store)/',
          '^src/console/',
          '^src/config/(files|check|glob)\\.ts$',
          '^src/main\\.ts$',
          '^src/switch/main\\.ts$',
        ],
      },
      to: { dependencyTypes: ['core'], path: '^(node:)?(dgram|tls|http|https|http2|fs|fs/promises|child_process|worker_threads)$' },
    },
    {
      name: 'native-code',
      severity: 'error',
      comment: 'koffi only where packets and descriptors are.',
      from: { path: '^src/', pathNot: '^src/(io|media|guardian)/' },
      to: { path: 'node_modules/koffi' },
    },
    {
      name: 'database-driver',
      severity: 'error',
      comment: 'Database drivers only in store.',
      from: { path: '^src/', pathNot: '^src/store/' },
      to: { path: '^(node:)?sqlite$' },
    },
    { name: 'product-not-on-tests', severity: 'error', from: { path: '^src/' }, to: { path: '^(test|tools|bench)/' } },
    {
      name: 'phones-are-independent',
      severity: 'error',
      comment: 'The test oracle shares no code with what it judges.',
      from: { path: '^tools/phone/' },
      to: { path: '^src/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    builtInModules: { add: ['sqlite', 'node:sqlite', 'node:test', 'node:sea'] },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.cjs', '.mjs', '.json'] },
  },
};
