declare module 'modesl' {
  interface ModeslEvent {
    getBody(): string;
    getHeader(name: string): string | null;
  }
  export interface Connection {
    api(command: string, done: (event: ModeslEvent) => void): void;
    bgapi(command: string, done: (event: ModeslEvent) => void): void;
    subscribe(events: readonly string[], done: () => void): void;
    on(event: string, listener: (event: ModeslEvent) => void): void;
    disconnect(): void;
  }
  const modesl: { readonly Connection: new (host: string, port: number, password: string, ready: () => void) => Connection };
  export default modesl;
}
