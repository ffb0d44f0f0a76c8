import { CLOSED, type Endpoint } from './endpoint.ts';
import { PacketIoError, type PacketOutput, type SocketHandle } from './packet-io.ts';
import type { EndpointState } from './protocol.ts';

/** The RTP and RTCP sockets of all endpoints. */
export class EndpointSockets {
  /** Index: socket handle. */
  readonly rtp: (Endpoint | undefined)[] = [];
  readonly rtcp: (Endpoint | undefined)[] = [];
  readonly #io: PacketOutput;

  constructor(io: PacketOutput) {
    this.#io = io;
  }

  /** False when the port is not to be had; `endpoint.failure` says why. */
  openRtp(endpoint: Endpoint): boolean {
    const { localIp, localPort } = endpoint.state;
    try {
      const socket = this.#io.open(localIp, localPort);
      endpoint.rtpSocket = socket;
      this.rtp[socket] = endpoint;
      endpoint.failure = null;
      return true;
    } catch (error) {
      if (!(error instanceof PacketIoError)) throw error;
      endpoint.failure = error.code;
      return false;
    }
  }

  /** Without its RTCP port an endpoint still carries audio, so this may fail. */
  openRtcp(endpoint: Endpoint): void {
    if (endpoint.failure !== null) return;
    try {
      const socket = this.#io.open(endpoint.state.localIp, endpoint.state.localPort + 1);
      endpoint.rtcpSocket = socket;
      this.rtcp[socket] = endpoint;
    } catch (error) {
      if (!(error instanceof PacketIoError)) throw error;
    }
  }

  /** Another local port: the new one is opened before the old one is closed. */
  move(endpoint: Endpoint, next: EndpointState): boolean {
    const { rtpSocket, rtcpSocket } = endpoint;
    const former = endpoint.state;
    const failure = endpoint.failure;
    endpoint.state = { ...former, localIp: next.localIp, localPort: next.localPort };
    if (!this.openRtp(endpoint)) {
      endpoint.state = former;
      endpoint.failure = failure;
      return false;
    }
    endpoint.rtcpSocket = CLOSED;
    this.openRtcp(endpoint);
    endpoint.state = former;
    this.#closeSocket(rtpSocket);
    this.#closeSocket(rtcpSocket);
    return true;
  }

  close(endpoint: Endpoint): void {
    this.#closeSocket(endpoint.rtpSocket);
    this.#closeSocket(endpoint.rtcpSocket);
    endpoint.rtpSocket = CLOSED;
    endpoint.rtcpSocket = CLOSED;
  }

  #closeSocket(socket: SocketHandle): void {
    if (socket === CLOSED) return;
    this.rtp[socket] = undefined;
    this.rtcp[socket] = undefined;
    this.#io.close(socket);
  }
}
